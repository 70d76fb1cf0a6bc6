package env

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// stopGrace is how long a part has between SIGTERM and SIGKILL.
const stopGrace = 10 * time.Second

// Command says how to run one part.
type Command struct {
	// Name is unique in its Env; log, pid record and messages carry it.
	Name string
	// Path is the program; inside Root when Root is set.
	Path string
	Args []string
	// Env is added to the environment of this process.
	Env []string
	// Dir is the working directory; the Env's directory when empty.
	Dir string
	// Root runs the program in a private root; nil runs it on the host.
	Root *Root
	// User is a user of Root to run as; root when empty. Only with Root.
	User string
	// Ready reports nil as soon as the part serves. It is polled.
	Ready func(context.Context) error
	// ReadyTimeout bounds the wait for Ready; two minutes when zero, for a machine
	// busy with other tests.
	ReadyTimeout time.Duration
}

// Process is a running part. It may be stopped and started again under the
// same command, so its ports and files stay as they were.
type Process struct {
	env *Env
	cmd Command

	mu  sync.Mutex
	pid *pidRecord
	// exited is closed when a child of this process has been reaped; it is nil
	// for a part that another process started.
	exited chan struct{}
	// status is how that child ended, readable once exited is closed.
	status string
}

// Start runs a command and waits until it is ready. When it does not become
// ready it is stopped again, and the error ends with the tail of its log.
func (e *Env) Start(ctx context.Context, cmd Command) (*Process, error) {
	if err := e.claim(cmd.Name); err != nil {
		return nil, err
	}
	p := &Process{env: e, cmd: cmd}
	if err := p.start(ctx); err != nil {
		e.release(cmd.Name)
		return nil, err
	}
	e.track(p)
	return p, nil
}

func (p *Process) start(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	logFile, err := os.OpenFile(p.LogFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("start %s: %w", p.cmd.Name, err)
	}
	defer logFile.Close()

	c := p.env.prepare(p.cmd)
	c.Stdout, c.Stderr = logFile, logFile
	if err := c.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.cmd.Name, err)
	}
	exited := make(chan struct{})
	p.exited = exited
	go func() {
		_ = c.Wait()
		p.status = c.ProcessState.String()
		close(exited)
	}()
	if p.pid, err = recordPID(p.env.pidFile(p.cmd.Name), c.Process.Pid); err != nil {
		p.pid = &pidRecord{PID: c.Process.Pid}
		return errors.Join(fmt.Errorf("start %s: %w", p.cmd.Name, err), p.stopLocked(0))
	}
	if err := p.waitReady(ctx); err != nil {
		return errors.Join(err, p.stopLocked(0))
	}
	return nil
}

// prepare turns a Command into what os/exec runs.
func (e *Env) prepare(cmd Command) *exec.Cmd {
	var c *exec.Cmd
	if cmd.Root != nil {
		c = cmd.Root.command(e.Dir, cmd)
	} else {
		c = exec.Command(cmd.Path, cmd.Args...)
		c.SysProcAttr = &syscall.SysProcAttr{}
	}
	c.Dir = cmd.Dir
	if c.Dir == "" {
		c.Dir = e.Dir
	}
	if c.Env == nil {
		c.Env = os.Environ()
	}
	c.Env = append(append(c.Env, cmd.Env...), marker(e.Dir))
	// An own session keeps a terminal's Ctrl-C away from the parts: they are
	// stopped in order, by us.
	c.SysProcAttr.Setsid = true
	if !e.detached {
		c.SysProcAttr.Pdeathsig = syscall.SIGKILL
	}
	return c
}

// RunTool runs a program of the services root to its end and returns what it
// printed: psql, mbsync, fetchmail, sipp, doveadm. Files under Dir have the same
// path inside.
func (e *Env) RunTool(ctx context.Context, path string, args ...string) (string, error) {
	root, err := e.servicesRoot()
	if err != nil {
		return "", err
	}
	return e.runOnce(ctx, Command{Name: filepath.Base(path), Path: path, Args: args, Root: root})
}

// runOnce runs a command to its end and returns what it printed.
func (e *Env) runOnce(ctx context.Context, cmd Command) (string, error) {
	c := e.prepare(cmd)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		return "", fmt.Errorf("%s: %w", cmd.Name, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = c.Process.Kill() })
	defer stop()
	if err := c.Wait(); err != nil {
		return out.String(), fmt.Errorf("%s: %w: %s", cmd.Name, err, strings.TrimSpace(out.String()))
	}
	return out.String(), nil
}

func (p *Process) waitReady(ctx context.Context) error {
	timeout := p.cmd.ReadyTimeout
	if timeout == 0 {
		timeout = 2 * time.Minute
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if p.cmd.Ready == nil {
		return nil
	}
	var last error
	// The first connections to a server just starting may hang: ask again soon,
	// and with more patience every time, for a machine that is slow.
	for patience := 250 * time.Millisecond; ; patience = min(2*patience, 5*time.Second) {
		try, cancelTry := context.WithTimeout(ctx, patience)
		err := p.cmd.Ready(try)
		cancelTry()
		if err == nil {
			return nil
		}
		if ctx.Err() == nil || last == nil {
			last = err
		}
		select {
		case <-p.exited:
			return fmt.Errorf("%s ended while starting (%s); its log %s ends:\n%s", p.cmd.Name, p.status, p.LogFile(), tail(p.LogFile()))
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready (%w; last answer: %w); its log %s ends:\n%s", p.cmd.Name, ctx.Err(), last, p.LogFile(), tail(p.LogFile()))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// LogFile is where the part's standard output and error go.
func (p *Process) LogFile() string { return p.env.logFile(p.cmd.Name) }

// PID is the process id of the part, 0 when it does not run. A part in a
// private root is a child of that process.
func (p *Process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pid == nil || !p.pid.alive() {
		return 0
	}
	return p.pid.PID
}

// Running tells whether the part's process exists.
func (p *Process) Running() bool { return p.PID() != 0 }

// Exited is closed when the running process has ended. It is nil for a part
// that was not started by this process.
func (p *Process) Exited() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.exited
}

// Stop asks the part to end, kills it after 10 s and returns when it and
// everything it started are gone. Stopping a stopped part does nothing.
func (p *Process) Stop() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stopLocked(stopGrace)
}

// Kill9 ends the part at once, as a crash or a power cut would.
func (p *Process) Kill9() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stopLocked(0)
}

// Restart stops the part if it runs and starts it with the same command.
func (p *Process) Restart(ctx context.Context) error {
	if err := p.Stop(); err != nil {
		return err
	}
	return p.start(ctx)
}

func (p *Process) stopLocked(grace time.Duration) error {
	if p.pid == nil {
		return nil
	}
	if err := p.pid.end(grace, p.exited); err != nil {
		return fmt.Errorf("stop %s: %w", p.cmd.Name, err)
	}
	p.pid = nil
	if err := os.Remove(p.env.pidFile(p.cmd.Name)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("stop %s: %w", p.cmd.Name, err)
	}
	return nil
}

// pidRecord names a process beyond doubt: process ids are reused, a pair of
// process id and start time is not.
type pidRecord struct {
	PID int `json:"pid"`
	// Start is field 22 of /proc/PID/stat, in clock ticks since boot.
	Start uint64 `json:"start"`
}

func recordPID(file string, pid int) (*pidRecord, error) {
	start, err := startTime(pid)
	if err != nil {
		return nil, err
	}
	rec := &pidRecord{PID: pid, Start: start}
	raw, err := json.Marshal(rec)
	if err != nil {
		return nil, err
	}
	return rec, os.WriteFile(file, raw, 0o644)
}

func readPID(file string) (*pidRecord, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	rec := &pidRecord{}
	if err := json.Unmarshal(raw, rec); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return rec, nil
}

func (r *pidRecord) alive() bool {
	start, err := startTime(r.PID)
	return err == nil && start == r.Start
}

// end signals the process group, SIGKILL after grace, and waits until the
// process is gone. A part in a private root is the init of its own process
// namespace, so its end is the end of everything inside.
func (r *pidRecord) end(grace time.Duration, exited <-chan struct{}) error {
	gone := func(wait time.Duration) bool {
		deadline := time.Now().Add(wait)
		for r.alive() {
			if time.Now().After(deadline) {
				return false
			}
			select {
			case <-exited:
			case <-time.After(10 * time.Millisecond):
			}
		}
		return true
	}
	if grace > 0 && r.alive() {
		if err := syscall.Kill(r.PID, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
		gone(grace)
	}
	// The leader may be gone and children of its group still there.
	if err := syscall.Kill(-r.PID, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	if !gone(stopGrace) {
		return fmt.Errorf("process %d survives SIGKILL", r.PID)
	}
	if exited != nil {
		<-exited
	}
	return nil
}

// startTime reads when a process started; a zombie counts as gone.
func startTime(pid int) (uint64, error) {
	raw, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0, err
	}
	// The second field, the command's name, may itself hold spaces and ")".
	_, rest, ok := strings.Cut(string(raw[strings.LastIndexByte(string(raw), ')'):]), " ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 20 {
		return 0, fmt.Errorf("process %d: unreadable stat", pid)
	}
	if fields[0] == "Z" {
		return 0, os.ErrProcessDone
	}
	return strconv.ParseUint(fields[19], 10, 64)
}

// tail returns the last lines of a file, enough to see why a part failed.
func tail(file string) string {
	const most = 3000
	f, err := os.Open(file)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if end, err := f.Seek(0, io.SeekEnd); err == nil && end > most {
		_, _ = f.Seek(end-most, io.SeekStart)
	} else {
		_, _ = f.Seek(0, io.SeekStart)
	}
	raw, err := io.ReadAll(f)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}
