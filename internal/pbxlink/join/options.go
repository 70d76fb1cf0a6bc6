package join

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Options say what Join and Leave work on. Paths are absolute.
type Options struct {
	// Link is the content of the Secret <pbx>-link. Join needs it.
	Link Link
	// Manager is the address of the manager's link, host:port; empty means what
	// the Secret says. ServerName is the name in the manager's certificate;
	// empty means the host of that address.
	Manager, ServerName string
	// Program is the ringmaster that systemd is to run; default this one.
	Program string
	// Asterisk is Asterisk's program; default "asterisk". User runs it and the
	// pbxlet; default "asterisk".
	Asterisk, User string
	// Root is in front of every path below; for images and tests.
	Root string
	// EtcDir holds Asterisk's files, default /etc/asterisk; ConfigDir the link
	// and the secret of the manager interface, default /etc/ringmaster; StateDir
	// is the pbxlet's, default /var/lib/ringmaster; SpoolDir Asterisk's, default
	// /var/spool/asterisk; UnitDir is for systemd, default /etc/systemd/system.
	EtcDir, ConfigDir, StateDir, SpoolDir, UnitDir string
	// DpkgStatus tells which files are as their package brought them; default
	// /var/lib/dpkg/status. It may be missing.
	DpkgStatus string
	// DryRun only says what would be done.
	DryRun bool
	// NoSystemd writes files only and says which commands remain.
	NoSystemd bool
	// Wait is how long Join waits until the PBX has the manager's configuration;
	// 0 does not wait, and does not look whether the manager can be reached.
	Wait time.Duration
	// Out is told what is done.
	Out io.Writer
	// Run executes a command and returns what it prints; default os/exec.
	Run func(ctx context.Context, name string, args ...string) ([]byte, error)
}

func (o Options) withDefaults() (Options, error) {
	for _, d := range []struct {
		value *string
		or    string
	}{
		{&o.Asterisk, "asterisk"}, {&o.User, "asterisk"}, {&o.EtcDir, "/etc/asterisk"}, {&o.ConfigDir, "/etc/ringmaster"},
		{&o.StateDir, "/var/lib/ringmaster"}, {&o.SpoolDir, "/var/spool/asterisk"}, {&o.UnitDir, "/etc/systemd/system"},
		{&o.DpkgStatus, "/var/lib/dpkg/status"},
	} {
		if *d.value == "" {
			*d.value = d.or
		}
	}
	for _, dir := range []string{o.EtcDir, o.ConfigDir, o.StateDir, o.SpoolDir, o.UnitDir} {
		if !pathPattern.MatchString(dir) {
			return o, fmt.Errorf("join: %q is not an absolute path of letters, digits and . _ / -", dir)
		}
	}
	if o.Run == nil {
		o.Run = run
	}
	if o.Out == nil {
		o.Out = io.Discard
	}
	if o.Program == "" {
		program, err := os.Executable()
		if err != nil {
			return o, fmt.Errorf("join: %w", err)
		}
		o.Program = program
	}
	if o.NoSystemd || o.DryRun {
		return o, nil
	}
	for _, hidden := range []string{"/home/", "/root/", "/tmp/", "/var/tmp/", "/run/user/"} {
		if strings.HasPrefix(o.Program, hidden) {
			return o, fmt.Errorf("join: the service cannot see %s: install the program in /usr/local/bin", o.Program)
		}
	}
	return o, nil
}

var (
	// pathPattern holds what needs no quoting in a unit or in Asterisk's files.
	pathPattern = regexp.MustCompile(`^(/[A-Za-z0-9._-]+)+$`)
	hostPattern = regexp.MustCompile(`^[A-Za-z0-9.:\[\]_-]+$`)
)

func (o Options) path(p string) string { return filepath.Join(o.Root, p) }

func (o Options) etc(name string) string { return filepath.Join(o.EtcDir, name) }

func (o Options) secretFile() string { return filepath.Join(o.ConfigDir, "ami-secret") }

func (o Options) unitFile() string { return filepath.Join(o.UnitDir, unitName) }

const unitName = "ringmaster-pbxlet.service"

// say prints one line.
func (o Options) say(format string, args ...any) {
	fmt.Fprintf(o.Out, format+"\n", args...)
}

func run(ctx context.Context, name string, args ...string) ([]byte, error) {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return out, fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return out, nil
}

// minAsterisk is the oldest major version that is tested.
const minAsterisk = 22

var versionPattern = regexp.MustCompile(`Asterisk (?:certified[/-])?(\d+)\.\S*`)

// asteriskVersion fails unless a usable Asterisk is installed.
func (o Options) asteriskVersion(ctx context.Context) (string, error) {
	out, err := o.Run(ctx, o.Asterisk, "-V")
	if errors.Is(err, exec.ErrNotFound) {
		return "", fmt.Errorf("join: Asterisk is not installed here (Debian: apt install asterisk); its program may be named with --asterisk: %w", err)
	}
	if err != nil {
		return "", fmt.Errorf("join: asking Asterisk for its version: %w", err)
	}
	found := versionPattern.FindSubmatch(out)
	if found == nil {
		return "", fmt.Errorf("join: %q is no version of Asterisk", bytes.TrimSpace(out))
	}
	major, err := strconv.Atoi(string(found[1]))
	if err != nil || major < minAsterisk {
		return "", fmt.Errorf("join: this is %s; Ringmaster needs Asterisk %d or newer", found[0], minAsterisk)
	}
	return string(found[0]), nil
}

// account is a user of the machine.
type account struct{ uid, gid int }

// account looks the user of Asterisk up.
func (o Options) account() (account, error) {
	text, err := os.ReadFile(o.path("/etc/passwd"))
	if err != nil {
		return account{}, fmt.Errorf("join: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Split(line, ":")
		if len(f) < 4 || f[0] != o.User {
			continue
		}
		uid, err := strconv.Atoi(f[2])
		gid, err2 := strconv.Atoi(f[3])
		return account{uid, gid}, errors.Join(err, err2)
	}
	return account{}, fmt.Errorf("join: there is no user %s; name the one that runs Asterisk with --user", o.User)
}
