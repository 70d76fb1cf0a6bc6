// Package pbxlet is the small agent beside every Asterisk. It dials the
// manager, writes the files the manager sends into a state directory that
// Asterisk's own files include, reloads what changed, reads back what Asterisk
// made of it, and reports what happens. Asterisk needs neither the pbxlet nor
// the manager to serve calls or to be restarted: the last good files are on
// its disk.
package pbxlet

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Config says where everything is.
type Config struct {
	// Manager is the manager's link address, host:port. Empty means the file
	// "server" in Dir.
	Manager string
	// ServerName is the name in the manager's certificate; empty means the host
	// of Manager.
	ServerName string
	// CAFile verifies the manager; empty means "ca.crt" in Dir.
	CAFile string
	// TokenFile holds the bearer token; empty means "token" in Dir.
	TokenFile string
	// Dir is a directory with the link's Secret. Its files are read again for
	// every connection, so a rotated Secret needs no restart.
	Dir string
	// PBX is "namespace/name"; empty means the file "pbx" in Dir.
	PBX string
	// StateDir is the pbxlet's own directory. Asterisk includes the files under
	// its "current". Required.
	StateDir string
	// SpoolDir is Asterisk's spool directory, with voicemail and recordings;
	// default /var/spool/asterisk.
	SpoolDir string
	// AMIAddr, AMIUser and AMISecret open Asterisk's manager interface; it is
	// meant to listen on loopback only. AMISecretFile is read instead of
	// AMISecret when set.
	AMIAddr, AMIUser, AMISecret, AMISecretFile string
	// Version is reported to the manager.
	Version string
	// Logger defaults to slog.Default().
	Logger *slog.Logger
	// MaxShrink is the share of endpoints a snapshot may remove without the
	// manager's explicit word; default 0.5. Fewer than MinShrink, by default 10,
	// may always go.
	MaxShrink float64
	MinShrink int
	// ReloadTimeout is how long one reload may take before it is reported as
	// hanging; default 30 s.
	ReloadTimeout time.Duration
}

const defaultSpoolDir = "/var/spool/asterisk"

func (c Config) withDefaults() (Config, error) {
	if c.StateDir == "" || c.AMIAddr == "" || c.AMIUser == "" {
		return c, errors.New("pbxlet: the state directory and the address and user of the manager interface are required")
	}
	if !filepath.IsAbs(c.StateDir) {
		// Asterisk is told the paths below it.
		return c, fmt.Errorf("pbxlet: the state directory %q is no absolute path", c.StateDir)
	}
	if c.SpoolDir == "" {
		c.SpoolDir = defaultSpoolDir
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.MaxShrink == 0 {
		c.MaxShrink = 0.5
	}
	if c.MinShrink == 0 {
		c.MinShrink = 10
	}
	if c.ReloadTimeout == 0 {
		c.ReloadTimeout = 30 * time.Second
	}
	if c.Version == "" {
		c.Version = "devel"
	}
	return c, nil
}

// peer is what one connection to the manager needs.
type peer struct {
	addr, serverName, pbx, token string
	ca                           []byte
}

// peer reads the link's Secret as it is now.
func (c Config) peer() (peer, error) {
	p := peer{addr: c.Manager, serverName: c.ServerName, pbx: c.PBX}
	for _, v := range []struct {
		value *string
		file  string
	}{{&p.addr, "server"}, {&p.pbx, "pbx"}} {
		if *v.value != "" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(c.Dir, v.file))
		if err != nil {
			return p, fmt.Errorf("pbxlet: link: %w", err)
		}
		*v.value = strings.TrimSpace(string(text))
	}
	token, err := os.ReadFile(orIn(c.TokenFile, c.Dir, "token"))
	if err != nil {
		return p, fmt.Errorf("pbxlet: link: %w", err)
	}
	p.token = strings.TrimSpace(string(token))
	if p.ca, err = os.ReadFile(orIn(c.CAFile, c.Dir, "ca.crt")); err != nil {
		return p, fmt.Errorf("pbxlet: link: %w", err)
	}
	if p.serverName == "" {
		if p.serverName, _, err = net.SplitHostPort(p.addr); err != nil {
			return p, fmt.Errorf("pbxlet: link: server %q: %w", p.addr, err)
		}
	}
	return p, nil
}

func orIn(file, dir, name string) string {
	if file != "" {
		return file
	}
	return filepath.Join(dir, name)
}

func (c Config) amiSecret() (string, error) {
	if c.AMISecretFile == "" {
		return c.AMISecret, nil
	}
	text, err := os.ReadFile(c.AMISecretFile)
	if err != nil {
		return "", fmt.Errorf("pbxlet: manager interface: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}
