package join

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// reloadedByLeave are the modules that forget Ringmaster's objects once
// Asterisk's files are as before. res_pjsip does so earlier.
var reloadedByLeave = []string{
	"app_voicemail.so", "app_queue.so", "pbx_config.so", "features", "http", "manager",
}

// Leave undoes Join: the pbxlet is stopped, Asterisk's files are as they were
// but for what was changed in them since, and Asterisk forgets Ringmaster's
// objects. Voicemail and recordings stay. Calls go on; phones are no longer
// known.
func Leave(ctx context.Context, o Options) error {
	o, err := o.withDefaults()
	if err != nil {
		return err
	}
	p := &plan{Options: o}
	for _, name := range append(slices.Clone(includedFiles), "manager.conf", "modules.conf", "sorcery.conf") {
		if err := p.restore(name); err != nil {
			return err
		}
	}
	installed := p.exists(o.unitFile())
	for _, path := range []string{o.etc(userFile), o.secretFile(), o.unitFile()} {
		if p.exists(path) {
			p.changes = append(p.changes, change{path: path})
		}
	}
	for _, key := range linkKeys {
		if path := filepath.Join(o.ConfigDir, "link", key); p.exists(path) {
			p.changes = append(p.changes, change{path: path})
		}
	}
	if len(p.changes) == 0 && !p.exists(o.StateDir) {
		o.say("Nothing of Ringmaster's is here.")
		return nil
	}
	return p.undo(ctx, installed)
}

func (p *plan) exists(path string) bool {
	_, err := os.Lstat(p.path(path))
	return err == nil
}

// restore plans the way back of one file of Asterisk.
func (p *plan) restore(name string) error {
	path := p.etc(name)
	text, err := p.read(path)
	if err != nil || text == nil {
		return err
	}
	before, err := p.read(path + backupSuffix)
	if err != nil {
		return err
	}
	if isOwned(text) {
		return p.restoreOwned(name, text, before)
	}
	rest := withoutBlock(text)
	if bytes.Equal(rest, text) {
		return nil
	}
	switch {
	case before != nil && sameLines(rest, before):
		p.changes = append(p.changes, change{path: path, restore: true})
	case len(effective(rest)) == 0 && before == nil:
		p.changes = append(p.changes, change{path: path})
	default:
		p.changes = append(p.changes, change{path: path, text: rest, note: "Ringmaster's lines taken out"})
	}
	return nil
}

// restoreOwned is restore for a file that Join wrote as a whole, and that the
// site may have changed since.
func (p *plan) restoreOwned(name string, text, before []byte) error {
	path := p.etc(name)
	whole, err := base{EtcDir: p.EtcDir, StateDir: p.StateDir}.file(name)
	if err != nil {
		return err
	}
	rest, ours := bytes.CutPrefix(text, owned(whole))
	if !ours {
		rest = bytes.TrimPrefix(text, []byte(ownedMark))
		for _, line := range effective(whole) {
			if strings.HasPrefix(line, "#") || slices.Contains(typeFiles, name) {
				rest = bytes.Replace(rest, []byte(line+"\n"), nil, 1)
			}
		}
	}
	switch {
	case len(effective(rest)) > 0:
		p.changes = append(p.changes, change{path: path, text: rest, note: "it was added to since; Ringmaster's lines taken out"})
	case before != nil:
		p.changes = append(p.changes, change{path: path, restore: true})
	default:
		p.changes = append(p.changes, change{path: path})
	}
	return nil
}

// sameLines compares without regard to blank lines at either end.
func sameLines(a, b []byte) bool { return bytes.Equal(bytes.TrimSpace(a), bytes.TrimSpace(b)) }

// undo goes on in this order because res_pjsip keeps the objects of a type whose
// file is missing, and looks for typeFiles until Asterisk is restarted: it has to
// read them when they include nothing of Ringmaster's any more, and before they
// are removed.
func (p *plan) undo(ctx context.Context, installed bool) error {
	forget := []command{p.reload("res_pjsip.so")}
	var rest []command
	for _, module := range reloadedByLeave {
		rest = append(rest, p.reload(module))
	}
	if p.NoSystemd {
		return p.undoFiles(forget, rest)
	}
	if _, err := p.Run(ctx, "systemctl", "is-active", "--quiet", "asterisk"); err != nil && !p.DryRun {
		forget, rest = nil, nil
	}
	if installed {
		if err := p.execute(ctx, []command{{"systemctl", "disable", "--now", unitName}}); err != nil {
			return err
		}
		rest = append([]command{{"systemctl", "daemon-reload"}}, rest...)
	}
	if err := p.removeState(); err != nil {
		return err
	}
	if err := p.execute(ctx, forget); err != nil {
		return err
	}
	if err := p.undoChanges(); err != nil {
		return err
	}
	if err := p.execute(ctx, rest); err != nil {
		return err
	}
	p.sayRemapped()
	return nil
}

func (p *plan) reload(module string) command {
	return command{p.Asterisk, "-rx", "module reload " + module}
}

// undoFiles is undo without systemd. Where there was a state, Asterisk may have
// objects of it, and typeFiles stay for the next time.
func (p *plan) undoFiles(forget, rest []command) error {
	p.say("Stop the pbxlet first, if it runs.")
	var later []string
	if p.exists(p.StateDir) {
		for _, name := range typeFiles {
			if p.changed(p.etc(name)) {
				later = append(later, name)
			}
		}
		p.changes = slices.DeleteFunc(p.changes, func(c change) bool {
			return slices.ContainsFunc(later, func(name string) bool { return c.path == p.etc(name) })
		})
		rest = append(forget, rest...)
	}
	if err := p.removeState(); err != nil {
		return err
	}
	if err := p.undoChanges(); err != nil {
		return err
	}
	p.say("Now run:")
	for _, c := range rest {
		p.say("  %s", quoted(c))
	}
	if len(later) > 0 {
		p.say("Then leave once more: it removes %s, which Asterisk needs for the first of these commands.", strings.Join(later, ", "))
	}
	p.sayRemapped()
	return nil
}

// sayRemapped tells what an Asterisk that runs does until its restart.
func (p *plan) sayRemapped() {
	if p.changed(p.etc("sorcery.conf")) {
		p.say("Objects of your own in pjsip.conf stay as they are; auth, aor and endpoint are read from it again when Asterisk is next restarted.")
	}
}

func (p *plan) undoChanges() error {
	for _, c := range p.changes {
		p.say("  %s", c.describe(p.Options))
		if p.DryRun {
			continue
		}
		if err := c.do(p.Options); err != nil {
			return err
		}
	}
	if p.DryRun {
		return nil
	}
	return p.removeDirs()
}

// removeState removes the state, which has digests and PINs in it.
func (p *plan) removeState() error {
	if !p.exists(p.StateDir) {
		return nil
	}
	p.say("  remove  %s", p.path(p.StateDir))
	if p.DryRun {
		return nil
	}
	if err := os.RemoveAll(p.path(p.StateDir)); err != nil {
		return fmt.Errorf("join: %w", err)
	}
	return nil
}

// removeDirs removes the directories that are empty now.
func (p *plan) removeDirs() error {
	for _, dir := range []string{filepath.Join(p.ConfigDir, "link"), p.ConfigDir} {
		// What is not empty has something of the site's, and stays.
		err := os.Remove(p.path(dir))
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTEMPTY) {
			return fmt.Errorf("join: %w", err)
		}
	}
	return nil
}
