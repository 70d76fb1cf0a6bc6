package join

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Join brings the Asterisk of this machine under a manager: it writes the link,
// makes the pbxlet a user of the manager interface, lets Asterisk's files
// include Ringmaster's, starts the pbxlet and waits until the PBX has the
// manager's configuration. Run again, it changes only what differs. Asterisk is
// restarted only when it has to be, which is so the first time, and when it has no
// calls; else Join asks for it and does not wait. When something stands in the way,
// nothing is changed.
func Join(ctx context.Context, o Options) error {
	o, err := o.withDefaults()
	if err != nil {
		return err
	}
	if err := o.checkAddresses(); err != nil {
		return err
	}
	version, err := o.asteriskVersion(ctx)
	if err != nil {
		return err
	}
	p, err := planJoin(o)
	if err != nil {
		return err
	}
	o.say("PBX %s, %s, manager %s", o.Link.text(linkPBX), version, o.manager())
	if o.Wait > 0 {
		if err := o.Link.reach(ctx, o.manager(), o.ServerName); err != nil {
			p.problems = append(p.problems, strings.TrimPrefix(err.Error(), "join: "))
		}
	}
	if len(p.problems) > 0 {
		return errors.New("join: nothing was changed:\n  " + strings.Join(p.problems, "\n  "))
	}
	return p.carryOut(ctx)
}

func (o Options) checkAddresses() error {
	if err := o.Link.check(); err != nil {
		return err
	}
	for _, v := range []string{o.Manager, o.ServerName} {
		if v != "" && !hostPattern.MatchString(v) {
			return fmt.Errorf("join: %q is no host name or address", v)
		}
	}
	return nil
}

// manager is the address that the pbxlet dials.
func (o Options) manager() string {
	if o.Manager != "" {
		return o.Manager
	}
	return o.Link.text(linkServer)
}

func (p *plan) carryOut(ctx context.Context) error {
	for _, note := range p.notes {
		p.say("  note    %s", note)
	}
	for _, c := range p.changes {
		p.say("  %s", c.describe(p.Options))
	}
	if len(p.changes) == 0 {
		p.say("  nothing to write")
	}
	if !p.DryRun {
		if err := p.directories(); err != nil {
			return err
		}
		for _, c := range p.changes {
			if err := c.do(p.Options); err != nil {
				return err
			}
		}
	}
	restart, err := p.commands(ctx)
	if err != nil {
		return err
	}
	if restart {
		p.say("Restart Asterisk when calls allow it: it reads sorcery.conf only when it starts, and finds Ringmaster's phones by it.")
		return nil
	}
	if p.DryRun || p.NoSystemd || p.Wait == 0 {
		return nil
	}
	return p.await(ctx)
}

// remapped tells whether a running Asterisk looks elsewhere for the objects of a
// type, or has seen that there is no such file.
func (p *plan) remapped() bool {
	return slices.ContainsFunc(append(slices.Clone(typeFiles), "sorcery.conf"), func(name string) bool { return p.changed(p.etc(name)) })
}

func (p *plan) directories() error {
	for _, dir := range []string{p.ConfigDir, filepath.Join(p.ConfigDir, "link")} {
		if err := makeDir(p.path(dir), 0o750, account{0, p.account.gid}); err != nil {
			return err
		}
	}
	return makeDir(p.path(p.StateDir), 0o750, p.account)
}

// command is one to be executed.
type command []string

// idle tells whether Asterisk has no calls.
func (p *plan) idle(ctx context.Context) bool {
	out, err := p.Run(ctx, p.Asterisk, "-rx", "core show channels count")
	return err == nil && bytes.HasPrefix(bytes.TrimSpace(out), []byte("0 active channels"))
}

// commands bring the changes into effect, but for a restart of Asterisk that has to
// wait for the end of calls.
func (p *plan) commands(ctx context.Context) (restart bool, err error) {
	list := p.asteriskCommands()
	if p.NoSystemd {
		pbxlet := append(command{p.Program, "pbxlet"}, p.args()...)
		p.say("Now run, the last one as the user %s and for good:", p.User)
		for _, c := range append(list, pbxlet) {
			p.say("  %s", quoted(c))
		}
		return p.remapped(), nil
	}
	_, err = p.Run(ctx, "systemctl", "is-active", "--quiet", "asterisk")
	switch {
	case err != nil && !p.DryRun:
		// It reads everything when it starts.
		list = []command{{"systemctl", "start", "asterisk"}}
	case p.remapped() && p.idle(ctx):
		list = []command{{"systemctl", "restart", "asterisk"}}
	default:
		restart = p.remapped()
	}
	if p.changed(p.unitFile()) {
		list = append(list, command{"systemctl", "daemon-reload"})
	}
	list = append(list, command{"systemctl", "enable", unitName}, command{"systemctl", p.startOrRestart(), unitName})
	return restart, p.execute(ctx, list)
}

// startOrRestart is what the pbxlet needs. The files of the link are read again
// at every connection, so a new Secret alone needs none; but a connection that
// stands stays, and the user may have joined another manager.
func (p *plan) startOrRestart() string {
	if slices.ContainsFunc(p.changes, func(c change) bool {
		return strings.HasPrefix(c.path, p.ConfigDir) || c.path == p.unitFile()
	}) {
		return "restart"
	}
	return "start"
}

// asteriskCommands make a running Asterisk read what the pbxlet does not
// reload.
func (p *plan) asteriskCommands() []command {
	var list []command
	rx := func(text string) { list = append(list, command{p.Asterisk, "-rx", text}) }
	if p.changed(p.etc("manager.conf")) || p.changed(p.etc(userFile)) {
		rx("manager reload")
	}
	if p.changed(p.etc("modules.conf")) {
		rx("module unload res_pjsip_config_wizard.so")
	}
	if p.changed(p.etc("musiconhold.conf")) {
		rx("moh reload")
	}
	return list
}

func (o Options) execute(ctx context.Context, list []command) error {
	for _, c := range list {
		o.say("  run     %s", quoted(c))
		if o.DryRun {
			continue
		}
		if _, err := o.Run(ctx, c[0], c[1:]...); err != nil {
			return fmt.Errorf("join: %w", err)
		}
	}
	return nil
}

func quoted(c command) string {
	words := slices.Clone(c)
	for i, w := range words {
		if strings.ContainsAny(w, " \"'") {
			words[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}

// await waits until Asterisk has a configuration of the manager's.
func (p *plan) await(ctx context.Context) error {
	p.say("Waiting until the PBX has its configuration...")
	ctx, cancel := context.WithTimeout(ctx, p.Wait)
	defer cancel()
	good := filepath.Join(p.path(p.StateDir), "good")
	for {
		target, err := os.Readlink(good)
		if err == nil {
			p.say("Joined: Asterisk has version %.12s.", filepath.Base(target))
			return nil
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return p.why(ctx)
		}
	}
}

// why says what the pbxlet said last.
func (p *plan) why(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	log, err := p.Run(ctx, "journalctl", "--unit", unitName, "--lines", "10", "--output", "cat", "--no-pager")
	if err != nil {
		log = []byte(err.Error())
	}
	return fmt.Errorf("join: everything is written and the pbxlet is started, but within %s no configuration was in force; "+
		"restart Asterisk unless that was done since it was joined, kubectl describe pbx tells the manager's side, the pbxlet's log ends:\n%s", p.Wait, log)
}
