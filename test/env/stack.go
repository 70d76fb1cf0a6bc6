package env

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
)

// Stack is the whole development environment in one directory.
type Stack struct {
	Env      *Env
	Control  *ControlPlane
	Asterisk *AsteriskServer
	Dovecot  *DovecotServer
	SMTP     *SMTPServer
	// Postgres is nil unless StackOptions ask for it; then the manager keeps its store there.
	Postgres *PostgresServer
	// Manager and PBXlet are Ringmaster's own two processes.
	Manager *ManagerServer
	PBXlet  *Process
	// Samples is a kustomization of config/samples that fits this environment.
	Samples string

	// Vars are what Dir/env exports: KUBECONFIG and the addresses.
	Vars map[string]string
}

// StackOptions choose what a Stack has.
type StackOptions struct {
	Postgres bool
}

// stackState is Dir/state.json: what a later process must know.
type stackState struct {
	Parts []string          `json:"parts"`
	Vars  map[string]string `json:"vars"`
}

// Up starts everything in dir, ends first what an interrupted Up left there,
// and starts nothing half: on an error all is stopped again.
func Up(ctx context.Context, dir string, opts StackOptions, envOpts ...Option) (_ *Stack, err error) {
	e, err := New(dir, envOpts...)
	if err != nil {
		return nil, err
	}
	s := &Stack{Env: e}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Env.Stop())
		}
	}()
	if err := s.clear(); err != nil {
		return nil, err
	}
	if err := s.startParts(ctx, opts); err != nil {
		return nil, err
	}
	if err := s.startRingmaster(ctx); err != nil {
		return nil, err
	}
	if err := s.setVars(ctx); err != nil {
		return nil, err
	}
	return s, s.writeFiles()
}

// Down ends everything and deletes the directory.
func (s *Stack) Down() error { return s.Env.Remove() }

// Running returns the variables of a Stack that is up in dir, and whether
// every part of it still runs.
func Running(dir string) (map[string]string, bool) {
	raw, err := os.ReadFile(filepath.Join(dir, "state.json"))
	if err != nil {
		return nil, false
	}
	var state stackState
	if err := json.Unmarshal(raw, &state); err != nil {
		return nil, false
	}
	for _, part := range state.Parts {
		rec, err := readPID(filepath.Join(dir, "run", part+".pid"))
		if err != nil || !rec.alive() {
			return nil, false
		}
	}
	return state.Vars, len(state.Parts) > 0
}

// clear deletes the data of an earlier Stack: a half-made cluster or mail
// queue is not worth saving.
func (s *Stack) clear() error {
	entries, err := os.ReadDir(s.Env.Dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if name := entry.Name(); name != "lock" && name != "run" && name != "log" {
			if err := os.RemoveAll(filepath.Join(s.Env.Dir, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// startParts starts the real parts side by side.
func (s *Stack) startParts(ctx context.Context, opts StackOptions) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		s.Control, err = s.Env.StartControlPlane(ctx)
		return err
	})
	g.Go(func() (err error) {
		s.Asterisk, err = s.Env.StartAsterisk(ctx, AsteriskOptions{})
		return err
	})
	g.Go(func() (err error) {
		if s.Dovecot, err = s.Env.StartDovecot(ctx, DovecotOptions{}); err != nil {
			return err
		}
		s.SMTP, err = s.Env.StartSMTP(ctx, s.Dovecot, SMTPOptions{})
		return err
	})
	if opts.Postgres {
		g.Go(func() (err error) {
			s.Postgres, err = s.Env.StartPostgres(ctx, PostgresOptions{})
			return err
		})
	}
	return g.Wait()
}

// CenterNamespace is the contact center of a Stack: it has a ContactCenter and a PBX, and kubectl's context is set to it.
const CenterNamespace = "contact-center"

// samplePBX is the PBX of config/samples.
const samplePBX = "main"

// startRingmaster installs config/default, starts the manager and brings up an empty center with the pbxlet beside Asterisk.
func (s *Stack) startRingmaster(ctx context.Context) (err error) {
	if err := s.Env.Install(ctx, s.Control); err != nil {
		return err
	}
	opts := ManagerOptions{}
	if s.Postgres != nil {
		if opts.Store, err = s.Postgres.CreateDatabase(ctx); err != nil {
			return err
		}
	}
	if s.Manager, err = s.Env.StartManager(ctx, s.Control, opts); err != nil {
		return err
	}
	if s.Samples, err = s.Env.WriteSamples(s.Asterisk, s.Dovecot, s.SMTP); err != nil {
		return err
	}
	if _, err := s.Env.Kubectl(ctx, s.Control, nil, "apply", "--server-side", "-k", filepath.Join(s.Samples, "center")); err != nil {
		return err
	}
	if _, err := s.Env.Kubectl(ctx, s.Control, nil, "config", "set-context", "--current", "--namespace", CenterNamespace); err != nil {
		return err
	}
	if s.PBXlet, err = s.Env.StartPBXlet(ctx, s.Control, s.Asterisk, CenterNamespace, samplePBX); err != nil {
		return err
	}
	s.Env.say("waiting for Asterisk to have the center's configuration")
	_, err = s.Env.Kubectl(ctx, s.Control, nil, "wait", "--for=condition=Ready", "--timeout=60s", "pbx/"+samplePBX)
	return err
}

func (s *Stack) setVars(ctx context.Context) error {
	ca, err := s.writeCA(ctx)
	if err != nil {
		return err
	}
	s.Vars = map[string]string{
		"RINGMASTER_DESK":        s.Manager.DeskURL,
		"RINGMASTER_MANAGER_URL": s.Manager.OperatorURL,
		"RINGMASTER_METRICS":     s.Manager.MetricsURL,
		"KUBECONFIG":             s.Control.Kubeconfig,
		"RINGMASTER_SIP":         s.Asterisk.SIPAddr,
		"RINGMASTER_WSS":         s.Asterisk.WSSURL,
		"RINGMASTER_IMAP":        s.Dovecot.IMAPAddr,
		"RINGMASTER_IMAPS":       s.Dovecot.IMAPSAddr,
		"RINGMASTER_SMTP":        s.SMTP.Addr,
		"RINGMASTER_SUBMISSION":  s.SMTP.SubmissionAddr,
		"RINGMASTER_CA":          ca,
	}
	return nil
}

// writeCA makes one file of the authorities behind every TLS server: the mail servers', Asterisk's and the manager's.
func (s *Stack) writeCA(ctx context.Context) (string, error) {
	servers, err := os.ReadFile(s.Dovecot.CAFile)
	if err != nil {
		return "", err
	}
	manager, err := s.Manager.CA(ctx)
	if err != nil {
		return "", err
	}
	file := filepath.Join(s.Env.Dir, "ca.pem")
	return file, os.WriteFile(file, append(servers, manager...), 0o644)
}

// writeFiles writes Dir/env, Dir/bin and Dir/state.json, the last one last: it
// says that all is there.
func (s *Stack) writeFiles() error {
	if err := os.MkdirAll(filepath.Join(s.Env.Dir, "bin"), 0o755); err != nil {
		return err
	}
	var env strings.Builder
	fmt.Fprintf(&env, "# Use with: source %s\n", filepath.Join(s.Env.Dir, "env"))
	for _, name := range slices.Sorted(maps.Keys(s.Vars)) {
		fmt.Fprintf(&env, "export %s=%s\n", name, shellQuote(s.Vars[name]))
	}
	fmt.Fprintf(&env, "export PATH=%s:\"$PATH\"\n", shellQuote(filepath.Join(s.Env.Dir, "bin")))
	if err := os.WriteFile(filepath.Join(s.Env.Dir, "env"), []byte(env.String()), 0o644); err != nil {
		return err
	}
	kubectl, err := s.Env.kubeBinary("kubectl")
	if err != nil {
		return err
	}
	// A KUBECONFIG of the user's, for a cluster that matters, must not count here.
	if err := s.script("kubectl", fmt.Sprintf("export KUBECONFIG=%s\nexec %s \"$@\"\n",
		shellQuote(s.Control.Kubeconfig), shellQuote(kubectl))); err != nil {
		return err
	}
	// Its RINGMASTER_MANAGER_URL takes the place of kubectl port-forward, for which there is no pod.
	if err := s.script("kubectl-ringmaster", fmt.Sprintf("exec %s \"$@\"\n",
		shellQuote(filepath.Join(s.Env.checkout, "bin", "kubectl-ringmaster")))); err != nil {
		return err
	}
	if err := s.script("asterisk-rx", fmt.Sprintf(`[ $# -gt 0 ] || { echo 'usage: asterisk-rx "CLI command"' >&2; exit 2; }
pid=$(sed -n 's/.*"pid":\([0-9]*\).*/\1/p' %s)
exec nsenter --target "$pid" --mount -- chroot %s %s -C %s -rx "$*"
`, shellQuote(s.Asterisk.pidFile), shellQuote(s.Asterisk.root.Dir), asteriskProgram, shellQuote(s.Asterisk.mainConf()))); err != nil {
		return err
	}
	state, err := json.MarshalIndent(stackState{Parts: s.Env.running(), Vars: s.Vars}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.Env.Dir, "state.json"), state, 0o644)
}

func (s *Stack) script(name, body string) error {
	return os.WriteFile(filepath.Join(s.Env.Dir, "bin", name), []byte("#!/bin/sh\n"+body), 0o755)
}

// shellQuote makes one word of a string for a POSIX shell.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
