package env

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// The helpers below give a test its real servers. A part that cannot start
// fails the test and names the make target that installs what is missing;
// nothing is ever skipped.
//
// Postgres and Control are started once per test process and shared: use a
// database or a namespace per test. Dovecot, SMTP, Asterisk and Chromium are the
// test's own, so it may restart, kill or reconfigure them. All of them, and their
// files, are gone when the test process has ended, however it ends.
//
// A shared server keeps a goroutine waiting for its process: tests that look
// for leaks start the server first and pass goleak.IgnoreCurrent().

// Postgres returns the PostgreSQL server of this test process.
func Postgres(t testing.TB) *PostgresServer {
	t.Helper()
	return shared(t, &sharedPostgres, func(e *Env) (*PostgresServer, error) {
		return e.StartPostgres(context.Background(), PostgresOptions{})
	})
}

// Control returns the Kubernetes control plane of this test process, empty but
// for the namespaces and roles Kubernetes makes itself.
func Control(t testing.TB) *ControlPlane {
	t.Helper()
	return shared(t, &sharedControl, func(e *Env) (*ControlPlane, error) {
		return e.StartControlPlane(context.Background())
	})
}

// Dovecot starts an IMAP and LMTP server for this test.
func Dovecot(t testing.TB) *DovecotServer {
	t.Helper()
	return DovecotWith(t, DovecotOptions{})
}

// DovecotWith is Dovecot with options; the name is chosen here.
func DovecotWith(t testing.TB, o DovecotOptions) *DovecotServer {
	t.Helper()
	return own(t, "dovecot", func(e *Env, name string) (*DovecotServer, error) {
		o.Name = name
		return e.StartDovecot(t.Context(), o)
	})
}

// SMTP starts a mail server for this test that delivers into d.
func SMTP(t testing.TB, d *DovecotServer) *SMTPServer {
	t.Helper()
	return own(t, "postfix", func(e *Env, name string) (*SMTPServer, error) {
		return e.StartSMTP(t.Context(), d, SMTPOptions{Name: name})
	})
}

// Asterisk starts an Asterisk for this test, with an empty state directory.
func Asterisk(t testing.TB) *AsteriskServer {
	t.Helper()
	return own(t, "asterisk", func(e *Env, name string) (*AsteriskServer, error) {
		return e.StartAsterisk(t.Context(), AsteriskOptions{Name: name})
	})
}

// Chromium starts a headless browser for this test, with an empty profile.
func Chromium(t testing.TB) *ChromiumServer {
	t.Helper()
	return own(t, "chromium", func(e *Env, name string) (*ChromiumServer, error) {
		return e.StartChromium(t.Context(), ChromiumOptions{Name: name})
	})
}

// part is what every server type embeds.
type part interface {
	Kill9() error
	LogFile() string
}

type sharedPart[T any] struct {
	once sync.Once
	part T
	err  error
}

var (
	sharedPostgres sharedPart[*PostgresServer]
	sharedControl  sharedPart[*ControlPlane]
	ownParts       atomic.Int64

	// sweepers holds the pipes of tempDir, which the garbage collector would
	// close otherwise.
	sweepers sync.Map

	processEnv = sync.OnceValues(newProcessEnv)
)

func shared[T any](t testing.TB, s *sharedPart[T], start func(*Env) (T, error)) T {
	t.Helper()
	s.once.Do(func() {
		var e *Env
		if e, s.err = processEnv(); s.err == nil {
			s.part, s.err = start(e)
		}
	})
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s.part
}

func own[T part](t testing.TB, kind string, start func(e *Env, name string) (T, error)) T {
	t.Helper()
	e, err := processEnv()
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("%s-%d", kind, ownParts.Add(1))
	p, err := start(e, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of %s ends:\n%s", name, tail(p.LogFile()))
		}
		// Nobody reads what an orderly end would still write.
		if err := p.Kill9(); err != nil {
			t.Error(err)
		}
		e.release(name)
		for _, path := range []string{filepath.Join(e.Dir, name), p.LogFile()} {
			if err := os.RemoveAll(path); err != nil {
				t.Error(err)
			}
		}
	})
	return p
}

// Temp returns an environment for one test, whose parts and files are gone
// when the test ends.
func Temp(t testing.TB, opts ...Option) *Env {
	t.Helper()
	dir, err := tempDir()
	if err != nil {
		t.Fatal(err)
	}
	e, err := New(dir, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Remove(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func newProcessEnv() (*Env, error) {
	dir, err := tempDir()
	if err != nil {
		return nil, err
	}
	return New(dir)
}

// tempDir makes a directory that is deleted when this process has ended. The
// names of Unix sockets in it are limited to 107 bytes, which rules the long
// names of testing's own TempDir out.
func tempDir() (string, error) {
	dir, err := os.MkdirTemp("", "ringmaster-")
	if err != nil {
		return "", err
	}
	// The pipe closes when this process ends, whatever ended it; the kernel
	// kills the servers then, and files may still appear for a moment.
	const sweep = `cat; for i in 1 2 3 4 5 6 7 8 9 10; do rm -rf "$1" 2>/dev/null && exit; sleep 0.2; done`
	c := exec.Command("sh", "-c", sweep, "sweep", dir)
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	alive, err := c.StdinPipe()
	if err != nil {
		return "", err
	}
	if err := c.Start(); err != nil {
		return "", err
	}
	sweepers.Store(dir, alive)
	return dir, nil
}
