// Package env starts and stops the real parts that Ringmaster works with: a
// Kubernetes control plane, Asterisk, Dovecot, Postfix, PostgreSQL, and
// Ringmaster itself. The development environment, the demo, the benchmarks and
// every test use it, so there is one way to bring a part up.
//
// Everything of an environment lives under one directory, listens on loopback
// on ports found free and is stopped by its own recorded process ids.
// Environments of different directories run side by side. The servers that
// come from Debian packages run in private roots (see Root), which needs the
// rights of root; nothing of the machine's own services is touched.
//
// In tests, use the helpers of testing.go.
package env

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// Env is one environment: a directory and the parts running in it.
type Env struct {
	// Dir holds everything of the environment. It is absolute.
	Dir string

	detached bool
	progress io.Writer
	checkout string
	lock     *os.File

	mu    sync.Mutex
	names map[string]bool
	procs []*Process
	ca    *CA
}

// Option changes how an environment behaves.
type Option func(*Env)

// Detached lets the parts outlive this process. Without it the kernel kills
// them as soon as this process is gone, whatever ended it.
func Detached() Option { return func(e *Env) { e.detached = true } }

// Progress says in words what is being started. The default is silence.
func Progress(w io.Writer) Option { return func(e *Env) { e.progress = w } }

// New prepares an environment in dir, which is made if it is missing. Parts
// that an earlier, interrupted process left running there are ended.
func New(dir string, opts ...Option) (*Env, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("the development environment runs servers in private roots (chroot and mount namespaces): run it as root")
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	checkout, err := findCheckout()
	if err != nil {
		return nil, err
	}
	e := &Env{Dir: abs, progress: io.Discard, checkout: checkout, names: map[string]bool{}}
	for _, opt := range opts {
		opt(e)
	}
	for _, sub := range []string{"", "run", "log"} {
		if err := os.MkdirAll(filepath.Join(abs, sub), 0o755); err != nil {
			return nil, err
		}
	}
	if e.lock, err = lockDir(abs); err != nil {
		return nil, err
	}
	if err := endAll(abs); err != nil {
		return nil, errors.Join(err, e.lock.Close())
	}
	// Servers drop their privileges and must still reach their files.
	if err := os.Chmod(abs, 0o755); err != nil {
		return nil, err
	}
	return e, nil
}

// Checkout is the root of the source tree that the environment belongs to.
func (e *Env) Checkout() string { return e.checkout }

// Remove ends every part and deletes the environment.
func (e *Env) Remove() error {
	return errors.Join(e.Stop(), remove(e.Dir), e.lock.Close())
}

// Stop ends every part, the last started first, and keeps the files.
func (e *Env) Stop() error {
	e.mu.Lock()
	procs := slices.Clone(e.procs)
	e.procs = nil
	e.names = map[string]bool{}
	e.mu.Unlock()
	var errs []error
	for _, p := range slices.Backward(procs) {
		errs = append(errs, p.Stop())
	}
	return errors.Join(errs...)
}

// Remove ends every part of the environment in dir, no matter which process
// started it, and deletes dir. A directory that does not exist is no error; one
// that another process works in is.
func Remove(dir string) error {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if _, err := os.Stat(abs); errors.Is(err, os.ErrNotExist) {
		return endAll(abs)
	}
	lock, err := lockDir(abs)
	if err != nil {
		return err
	}
	defer lock.Close()
	return remove(abs)
}

func remove(dir string) error {
	if err := endAll(dir); err != nil {
		return err
	}
	return os.RemoveAll(dir)
}

// lockDir makes this process the only one that works in an environment, until
// the file is closed or the process ends.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("another process works in %s, a demo or a dev-up: stop it first (%w)", dir, err)
	}
	return f, nil
}

// marker is in the environment of everything an Env starts.
func marker(dir string) string { return "RINGMASTER_ENV_DIR=" + dir }

// endAll ends the processes of an environment, whoever started them: those
// recorded, in good order, and then any that bears its mark, which a start
// interrupted before the record was written leaves.
func endAll(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "run", "*.pid"))
	if err != nil {
		return err
	}
	var recs []*pidRecord
	for _, file := range files {
		// A record cut short by a crash names no process.
		if rec, err := readPID(file); err == nil && rec.alive() {
			recs = append(recs, rec)
		}
	}
	// The last started first: nothing waits for a server that is gone.
	slices.SortFunc(recs, func(a, b *pidRecord) int { return cmp.Compare(b.Start, a.Start) })
	var errs []error
	for _, rec := range recs {
		errs = append(errs, rec.end(stopGrace, nil))
	}
	for _, pid := range marked(dir) {
		start, err := startTime(pid)
		if err != nil {
			continue
		}
		rec := &pidRecord{PID: pid, Start: start}
		errs = append(errs, rec.end(0, nil))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for _, file := range files {
		errs = append(errs, os.Remove(file))
	}
	return errors.Join(errs...)
}

// marked lists the processes with the mark of an environment.
func marked(dir string) []int {
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return nil
	}
	var pids []int
	for _, file := range files {
		raw, err := os.ReadFile(file)
		// Most that cannot be read have just ended.
		if err != nil || !slices.Contains(strings.Split(string(raw), "\x00"), marker(dir)) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// CA returns the environment's certificate authority, made on first use.
func (e *Env) CA() (*CA, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ca != nil {
		return e.ca, nil
	}
	ca, err := newCA(filepath.Join(e.Dir, "ca"))
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	e.ca = ca
	return ca, nil
}

func (e *Env) say(format string, args ...any) {
	fmt.Fprintf(e.progress, format+"\n", args...)
}

// partDir makes the private directory of a part.
func (e *Env) partDir(name string, subs ...string) (string, error) {
	dir := filepath.Join(e.Dir, name)
	for _, sub := range append([]string{""}, subs...) {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return "", err
		}
	}
	return dir, nil
}

func (e *Env) pidFile(name string) string { return filepath.Join(e.Dir, "run", name+".pid") }
func (e *Env) logFile(name string) string { return filepath.Join(e.Dir, "log", name+".log") }

func (e *Env) claim(name string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.names[name] {
		return fmt.Errorf("a part named %q already runs in %s", name, e.Dir)
	}
	e.names[name] = true
	return nil
}

func (e *Env) release(name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.names, name)
}

func (e *Env) track(p *Process) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.procs = append(e.procs, p)
}

// findCheckout walks up from the working directory to the module's root.
func findCheckout() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		raw, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(raw), "module github.com/ringmaster-dev/ringmaster\n") {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("not inside a checkout of Ringmaster")
		}
		dir = filepath.Dir(dir)
	}
}

// running lists the names of the parts.
func (e *Env) running() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	names := make([]string, 0, len(e.procs))
	for _, p := range e.procs {
		names = append(names, p.cmd.Name)
	}
	return names
}

// DefaultDir is where the development environment of this checkout lives.
func DefaultDir() (string, error) {
	checkout, err := findCheckout()
	if err != nil {
		return "", err
	}
	return filepath.Join(checkout, ".dev"), nil
}
