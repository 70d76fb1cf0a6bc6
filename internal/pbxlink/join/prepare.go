package join

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ringmaster-dev/ringmaster/internal/security"
)

// Prepared says what Prepare writes. Paths are absolute.
type Prepared struct {
	// EtcDir gets a complete configuration, for `asterisk -C
	// EtcDir/asterisk.conf`. Files of the image's own are included from ImageDir.
	EtcDir, ImageDir string
	// StateDir is the pbxlet's.
	StateDir string
	// SecretFile gets the secret of the manager interface, made anew unless it is
	// there.
	SecretFile string
	// SiteDir has files of the site's own, as they are now, which the files of the same names
	// include; empty means none.
	SiteDir string
	// Name is Asterisk's system name, part of every call's unique id: no two
	// PBXes may have the same.
	Name string
	// RTPFirst and RTPLast bound the UDP ports of media.
	RTPFirst, RTPLast int
	// AMIPort is the port of the manager interface on loopback.
	AMIPort int
	// DataDirs are made when they are missing.
	DataDirs []string
	// Program, unless empty, gets a copy of this program, for hooks and probes
	// in Asterisk's container.
	Program string
}

// Files of an Asterisk of Ringmaster's own, and those that are the image's.
var (
	ownFiles   = []string{"asterisk.conf", "cdr.conf", "logger.conf", "manager.conf", "modules.conf", "rtp.conf", "sorcery.conf"}
	imageFiles = []string{"acl.conf", "ccss.conf", "confbridge.conf", "indications.conf", "pjproject.conf", "pjsip_notify.conf", "udptl.conf"}
)

// Prepare writes the configuration of an Asterisk that has nothing but
// Ringmaster's objects and the site's own files: that of a container.
func Prepare(p Prepared) error {
	for _, dir := range []string{p.EtcDir, p.ImageDir, p.StateDir, filepath.Dir(p.SecretFile)} {
		if !pathPattern.MatchString(dir) {
			return fmt.Errorf("join: %q is not an absolute path of letters, digits and . _ / -", dir)
		}
	}
	if p.SiteDir != "" && !pathPattern.MatchString(p.SiteDir) {
		return fmt.Errorf("join: %q is not an absolute path of letters, digits and . _ / -", p.SiteDir)
	}
	if !hostPattern.MatchString(p.Name) {
		return fmt.Errorf("join: %q cannot be a system name: letters, digits, . - and _", p.Name)
	}
	if p.RTPFirst < 1024 || p.RTPLast > 65535 || p.RTPLast-p.RTPFirst < 3 {
		return fmt.Errorf("join: RTP ports %d-%d: at least four between 1024 and 65535 are needed", p.RTPFirst, p.RTPLast)
	}
	for _, dir := range append([]string{p.EtcDir, p.StateDir, filepath.Dir(p.SecretFile)}, p.DataDirs...) {
		if err := os.MkdirAll(dir, 0o750); err != nil {
			return fmt.Errorf("join: %w", err)
		}
	}
	if err := p.write(); err != nil {
		return err
	}
	if p.Program == "" {
		return nil
	}
	return p.copyProgram()
}

func (p Prepared) write() error {
	secret, err := os.ReadFile(p.SecretFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("join: %w", err)
	}
	if len(bytes.TrimSpace(secret)) == 0 {
		secret = []byte(security.NewToken())
		if err := p.put(p.SecretFile, secret); err != nil {
			return err
		}
	}
	b := base{
		EtcDir: p.EtcDir, StateDir: p.StateDir, SiteDir: p.SiteDir, Image: p.ImageDir, Name: p.Name,
		RTPFirst: p.RTPFirst, RTPLast: p.RTPLast, AMIPort: p.AMIPort, Secret: string(bytes.TrimSpace(secret)),
	}
	for _, names := range [][]string{ownFiles, includedFiles} {
		for _, name := range names {
			text, err := b.file(name)
			if err != nil {
				return err
			}
			if err := p.put(filepath.Join(p.EtcDir, name), text); err != nil {
				return err
			}
		}
	}
	for _, name := range imageFiles {
		text := fmt.Sprintf("; As the image has it.\n%s\n", tryInclude(filepath.Join(p.ImageDir, name)))
		if err := p.put(filepath.Join(p.EtcDir, name), []byte(text)); err != nil {
			return err
		}
	}
	return nil
}

func (p Prepared) put(path string, text []byte) error {
	if err := replace(path, text, 0o640, account{os.Getuid(), os.Getgid()}); err != nil {
		return fmt.Errorf("join: %w", err)
	}
	return nil
}

func (p Prepared) copyProgram() error {
	from, err := os.Executable()
	if err != nil {
		return fmt.Errorf("join: %w", err)
	}
	text, err := os.ReadFile(from)
	if err != nil {
		return fmt.Errorf("join: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(p.Program), 0o755); err != nil {
		return fmt.Errorf("join: %w", err)
	}
	if err := replace(p.Program, text, 0o755, account{os.Getuid(), os.Getgid()}); err != nil {
		return fmt.Errorf("join: %w", err)
	}
	return nil
}
