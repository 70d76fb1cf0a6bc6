// Package join prepares the machine or container of an Asterisk for its pbxlet:
// Asterisk's own files, the credentials of the link and of the manager
// interface, the systemd unit; and it answers the probes of a cluster. The base
// configuration it writes is embedded, the same for a machine and a container.
package join

import (
	"embed"
	"fmt"
	"path/filepath"
	"strings"
	"text/template"
)

//go:embed conf/*.tmpl
var confFiles embed.FS

var conf = template.Must(template.ParseFS(confFiles, "conf/*.tmpl"))

// includedFiles are the files of Asterisk that include Ringmaster's file of the
// same name below the state directory's "current".
var includedFiles = []string{
	"pjsip.conf", "queues.conf", "voicemail.conf", "extensions.conf", "features.conf", "musiconhold.conf", "http.conf",
}

// base is what the embedded files are made of.
type base struct {
	// File is the name of the file being written.
	File string
	// EtcDir holds Asterisk's files, StateDir is the pbxlet's.
	EtcDir, StateDir string
	// SiteDir has files of the site's own with the same names; may be empty.
	SiteDir string
	// Image is where the image has Asterisk's original files.
	Image string
	// Name is the system name.
	Name              string
	RTPFirst, RTPLast int
	AMIPort           int
	// Secret of the manager interface.
	Secret string
}

// Include is the line that includes Ringmaster's file.
func (b base) Include() string {
	return tryInclude(filepath.Join(b.StateDir, "current", b.File))
}

// Site is the line that includes the site's file; empty without a SiteDir.
func (b base) Site(file string) string {
	if b.SiteDir == "" {
		return ""
	}
	return "; The site's own part.\n" + tryInclude(filepath.Join(b.SiteDir, file))
}

// User is the section of the pbxlet's user of the manager interface.
func (b base) User() (string, error) { return execute("user.conf.tmpl", b.Secret) }

func tryInclude(path string) string { return `#tryinclude "` + path + `"` }

// file writes one file of Asterisk for b. What has a template of its own uses
// it; the others are nothing but includes.
func (b base) file(name string) ([]byte, error) {
	b.File = name
	from := name + ".tmpl"
	if conf.Lookup(from) == nil {
		from = "include.conf.tmpl"
	}
	text, err := execute(from, b)
	return []byte(strings.TrimRight(text, "\n") + "\n"), err
}

func execute(name string, data any) (string, error) {
	var out strings.Builder
	if err := conf.ExecuteTemplate(&out, name, data); err != nil {
		return "", fmt.Errorf("join: %w", err)
	}
	return strings.TrimSpace(out.String()) + "\n", nil
}
