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
	"syscall"
)

// reloadedByLeave are the modules that forget Ringmaster's objects.
var reloadedByLeave = []string{
	"res_pjsip.so", "app_voicemail.so", "app_queue.so", "pbx_config.so", "features", "http", "manager",
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
	for _, name := range append(slices.Clone(includedFiles), "manager.conf", "modules.conf") {
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
// site may have added to since.
func (p *plan) restoreOwned(name string, text, before []byte) error {
	path := p.etc(name)
	whole, err := base{EtcDir: p.EtcDir, StateDir: p.StateDir}.file(name)
	if err != nil {
		return err
	}
	rest, ours := bytes.CutPrefix(text, owned(whole))
	if !ours {
		line := base{StateDir: p.StateDir, File: name}.Include() + "\n"
		rest = bytes.Replace(bytes.TrimPrefix(text, []byte(ownedMark)), []byte(line), nil, 1)
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

func (p *plan) undo(ctx context.Context, installed bool) error {
	var list []command
	if installed {
		list = append(list, command{"systemctl", "disable", "--now", unitName})
	}
	if p.NoSystemd {
		p.say("Stop the pbxlet first, if it runs.")
	} else if err := p.execute(ctx, list); err != nil {
		return err
	}
	for _, c := range p.changes {
		p.say("  %s", c.describe(p.Options))
		if p.DryRun {
			continue
		}
		if err := c.do(p.Options); err != nil {
			return err
		}
	}
	if p.exists(p.StateDir) {
		p.say("  remove  %s", p.path(p.StateDir))
	}
	if !p.DryRun {
		if err := p.removeDirs(); err != nil {
			return err
		}
	}
	list = nil
	if installed {
		list = append(list, command{"systemctl", "daemon-reload"})
	}
	for _, module := range reloadedByLeave {
		list = append(list, command{p.Asterisk, "-rx", "module reload " + module})
	}
	if p.NoSystemd {
		p.say("Now run:")
		for _, c := range list {
			p.say("  %s", quoted(c))
		}
		return nil
	}
	if _, err := p.Run(ctx, "systemctl", "is-active", "--quiet", "asterisk"); err != nil && !p.DryRun {
		list = slices.DeleteFunc(list, func(c command) bool { return c[0] == p.Asterisk })
	}
	return p.execute(ctx, list)
}

// removeDirs removes the state, which has digests and PINs in it, and the
// directories that are empty now.
func (p *plan) removeDirs() error {
	if err := os.RemoveAll(p.path(p.StateDir)); err != nil {
		return fmt.Errorf("join: %w", err)
	}
	for _, dir := range []string{filepath.Join(p.ConfigDir, "link"), p.ConfigDir} {
		// What is not empty has something of the site's, and stays.
		err := os.Remove(p.path(dir))
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTEMPTY) {
			return fmt.Errorf("join: %w", err)
		}
	}
	return nil
}
