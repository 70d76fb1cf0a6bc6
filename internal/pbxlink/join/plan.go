package join

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ringmaster-dev/ringmaster/internal/security"
)

// change is one file to be written, or removed when text is nil.
type change struct {
	// path is without Options.Root.
	path string
	text []byte
	mode fs.FileMode
	// owner gets a new file; a present one keeps its owner and mode.
	owner account
	// note is added to what is said of it.
	note string
	// backup keeps the file as it was; restore brings that back.
	backup, restore bool
}

// plan is what Join will do. Nothing in it is done yet.
type plan struct {
	Options
	account account
	changes []change
	// problems forbid to go on; notes are for the reader.
	problems, notes []string
	// amiPort is where Asterisk's manager interface listens.
	amiPort string
	dpkg    []byte
}

func (p *plan) read(path string) ([]byte, error) {
	text, err := os.ReadFile(p.path(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("join: %w", err)
	}
	return text, nil
}

// put adds a change unless the file already is so.
func (p *plan) put(c change) error {
	present, err := p.read(c.path)
	if err != nil {
		return err
	}
	if present == nil || !bytes.Equal(present, c.text) {
		c.backup = c.backup && present != nil
		p.changes = append(p.changes, c)
	}
	return nil
}

func (p *plan) changed(path string) bool {
	return slices.ContainsFunc(p.changes, func(c change) bool { return c.path == path })
}

// planJoin compares the machine with what it is to be.
func planJoin(o Options) (*plan, error) {
	p := &plan{Options: o, amiPort: "5038"}
	var err error
	if p.account, err = o.account(); err != nil {
		return nil, err
	}
	if p.dpkg, err = p.read(o.DpkgStatus); err != nil {
		return nil, err
	}
	steps := []func() error{p.link, p.managerInterface, p.modules, p.realtime, p.sorcery}
	for _, name := range includedFiles {
		steps = append(steps, func() error { return p.include(name) })
	}
	for _, step := range append(steps, p.unit) {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// own is a file of Ringmaster's, readable by Asterisk's user alone.
func (p *plan) own(path string, text []byte) change {
	return change{path: path, text: text, mode: 0o640, owner: account{0, p.account.gid}}
}

func (p *plan) link() error {
	for _, key := range linkKeys {
		if err := p.put(p.own(filepath.Join(p.ConfigDir, "link", key), p.Link[key])); err != nil {
			return err
		}
	}
	return nil
}

// managerInterface makes the pbxlet a user of Asterisk's manager interface
// beside those the site has.
func (p *plan) managerInterface() error {
	text, err := p.read(p.etc("manager.conf"))
	if err != nil {
		return err
	}
	if port := setting(text, "general", "port"); port != "" {
		p.amiPort = port
	}
	switch addr := setting(text, "general", "bindaddr"); addr {
	case "127.0.0.1", "":
	case "0.0.0.0", "::", "[::]":
		p.notes = append(p.notes, "manager.conf lets the whole network reach the manager interface; Ringmaster's user works from loopback only")
	default:
		p.problems = append(p.problems, fmt.Sprintf("manager.conf binds the manager interface to %s; the pbxlet needs it on 127.0.0.1", addr))
	}
	if users, found := section(text, "ringmaster"); found {
		p.problems = append(p.problems, fmt.Sprintf("manager.conf already has a user ringmaster (%s); remove it, join makes it anew", variableNames(users)))
	}
	secret, err := p.read(p.secretFile())
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(secret)) == 0 {
		secret = []byte(security.NewToken() + "\n")
	}
	if err := p.put(p.own(p.secretFile(), secret)); err != nil {
		return err
	}
	user, err := base{Secret: string(bytes.TrimSpace(secret))}.User()
	if err != nil {
		return err
	}
	if err := p.put(p.own(p.etc(userFile), []byte(user))); err != nil {
		return err
	}
	general := "[general]"
	if _, found := section(withoutBlock(text), "general"); found {
		general = "[general](+)"
	}
	lines := fmt.Sprintf("%s\nenabled = yes\n#include %q\n", general, userFile)
	if general == "[general]" {
		lines = strings.Replace(lines, "#include", "bindaddr = 127.0.0.1\n#include", 1)
	}
	return p.append("manager.conf", text, lines)
}

// userFile has the secret, so it is a file of its own.
const userFile = "ringmaster-manager.conf"

func (p *plan) modules() error {
	text, err := p.read(p.etc("modules.conf"))
	if err != nil {
		return err
	}
	header := "[modules](+)"
	if _, found := section(withoutBlock(text), "modules"); !found {
		header = "[modules]\nautoload = yes"
	}
	return p.append("modules.conf", text, header+"\n; known to deadlock on a reload\nnoload = res_pjsip_config_wizard.so\n")
}

// append adds lines behind what the site has.
func (p *plan) append(name string, text []byte, lines string) error {
	return p.put(change{
		path: p.etc(name), text: appendTo(text, lines), mode: 0o640, owner: p.account, backup: true, note: "lines added at its end",
	})
}

// sorcery gives the types of PJSIP that have an object for every phone files of
// their own. What the site maps as Ringmaster would is not mapped again: of a
// type with two files Asterisk reads none.
func (p *plan) sorcery() error {
	text, err := p.read(p.etc("sorcery.conf"))
	if err != nil {
		return err
	}
	present, found := section(withoutBlock(text), "res_pjsip")
	for _, m := range mappings {
		if first := slices.Index(present, m); first >= 0 && slices.Contains(present[first+1:], m) {
			p.problems = append(p.problems, fmt.Sprintf("sorcery.conf has %s twice: of a type with two files Asterisk reads none", m))
		}
	}
	missing := slices.DeleteFunc(slices.Clone(mappings), func(m string) bool { return slices.Contains(present, m) })
	if len(missing) == 0 {
		return nil
	}
	header := "[res_pjsip]"
	if found {
		header += "(+)"
	}
	return p.append("sorcery.conf", text, header+"\n; a reload skips a type whose file is as before\n"+strings.Join(missing, "\n"))
}

// realtime looks for objects that Asterisk would take from elsewhere.
func (p *plan) realtime() error {
	for name, words := range map[string][]string{
		"extconfig.conf": {"ps_", "queues", "queue_members", "voicemail", "extensions"},
		"sorcery.conf":   {"endpoint", "aor", "auth"},
	} {
		text, err := p.read(p.etc(name))
		if err != nil {
			return err
		}
		for _, line := range effective(withoutBlock(text)) {
			variable, _, ok := strings.Cut(line, "=")
			if ok && !slices.Contains(mappings, line) && slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(variable, w) }) {
				p.problems = append(p.problems, fmt.Sprintf("%s maps %s to another source; Ringmaster's objects are in files", name, strings.TrimSpace(variable)))
			}
		}
	}
	return nil
}

// include makes a file of Asterisk include Ringmaster's. A file of the site's
// own gets one line; one that is still the package's sample is replaced.
func (p *plan) include(name string) error {
	path := p.etc(name)
	text, err := p.read(path)
	if err != nil {
		return err
	}
	b := base{EtcDir: p.EtcDir, StateDir: p.StateDir, File: name}
	if isOwned(text) || text != nil && includes(text, filepath.Join(p.StateDir, "current", name)) {
		return nil
	}
	c := change{path: path, mode: 0o640, owner: p.account, backup: true}
	if len(effective(text)) == 0 || packaged(p.dpkg, filepath.Join("/etc/asterisk", name), text) {
		whole, err := b.file(name)
		if err != nil {
			return err
		}
		c.text = owned(whole)
		if text != nil {
			c.note = "it was the package's sample"
		}
		return p.put(c)
	}
	problem, note := mergedSections(name, text)
	if problem != "" {
		p.problems = append(p.problems, problem)
	}
	c.text, c.note = prepend(text, b.Include()), "one line added at its top"
	if note != "" {
		c.note += "; " + note
	}
	return p.put(c)
}

// unit writes the systemd unit.
func (p *plan) unit() error {
	if p.NoSystemd {
		return nil
	}
	group, err := p.group()
	if err != nil {
		return err
	}
	text, err := execute(unitName+".tmpl", map[string]any{
		"User": p.User, "Group": group, "Program": p.Program, "StateDir": p.StateDir, "Writable": []string{p.SpoolDir}, "Args": p.args(),
	})
	if err != nil {
		return err
	}
	return p.put(change{path: p.unitFile(), text: []byte(text), mode: 0o644})
}

// args are those of `ringmaster pbxlet`.
func (p *plan) args() []string {
	args := []string{
		"--link-dir=" + filepath.Join(p.ConfigDir, "link"), "--state-dir=" + p.StateDir, "--spool-dir=" + p.SpoolDir,
		"--ami-address=127.0.0.1:" + p.amiPort, "--ami-secret-file=" + p.secretFile(),
	}
	if p.Manager != "" {
		args = append(args, "--manager="+p.Manager)
	}
	if p.ServerName != "" {
		args = append(args, "--server-name="+p.ServerName)
	}
	return args
}

// group is the name of the group of Asterisk's user.
func (p *plan) group() (string, error) {
	text, err := p.read("/etc/group")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Split(line, ":"); len(f) >= 3 && f[2] == fmt.Sprint(p.account.gid) {
			return f[0], nil
		}
	}
	return fmt.Sprint(p.account.gid), nil
}
