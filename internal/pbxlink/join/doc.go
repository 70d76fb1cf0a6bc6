// Package join prepares the machine or container of an Asterisk for its pbxlet:
// Asterisk's own files, the credentials of the link and of the manager
// interface, the systemd unit; and it answers the probes of a cluster. The base
// configuration it writes is embedded, the same for a machine and a container.
package join

import (
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	"github.com/ringmaster-dev/ringmaster/internal/voice"
)

//go:embed conf/*.tmpl
var confFiles embed.FS

var conf = template.Must(template.ParseFS(confFiles, "conf/*.tmpl"))

// includedFiles are the files of Asterisk that include Ringmaster's file of the
// same name below the state directory's "current".
var includedFiles = []string{
	"pjsip.conf", "pjsip_auth.conf", "pjsip_aor.conf", "pjsip_endpoint.conf", "queues.conf", "voicemail.conf", "extensions.conf", "features.conf", "musiconhold.conf", "http.conf",
}

// typeFiles are those of includedFiles with objects of one type of PJSIP, and
// mappings the lines of sorcery.conf that name them.
var (
	typeFiles = []string{voice.PJSIPAuthFile, voice.PJSIPAORFile, voice.PJSIPEndpointFile}
	mappings  = []string{
		voice.SorceryMappings[voice.PJSIPAuthFile], voice.SorceryMappings[voice.PJSIPAORFile], voice.SorceryMappings[voice.PJSIPEndpointFile],
	}
)

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

// Site is the line that includes the site's file; empty when there is none: an
// include that leads nowhere counts as a change at every reload.
func (b base) Site(file string) string {
	path := filepath.Join(b.SiteDir, file)
	if _, err := os.Stat(path); b.SiteDir == "" || err != nil {
		return ""
	}
	return "; The site's own part.\n" + tryInclude(path)
}

// User is the section of the pbxlet's user of the manager interface.
func (b base) User() (string, error) { return execute("user.conf.tmpl", b.Secret) }

// MappedAOR tells that typeFiles are read.
func (base) MappedAOR() string { return voice.MappedAOR }

// Mappings are the lines of sorcery.conf.
func (base) Mappings() []string { return mappings }

func tryInclude(path string) string { return `#tryinclude "` + path + `"` }

// file writes one file of Asterisk for b. What has a template of its own uses
// it, and so do those of one type; the others are nothing but includes.
func (b base) file(name string) ([]byte, error) {
	b.File = name
	from := name + ".tmpl"
	switch {
	case slices.Contains(typeFiles, name):
		from = "pjsip_type.conf.tmpl"
	case conf.Lookup(from) == nil:
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
