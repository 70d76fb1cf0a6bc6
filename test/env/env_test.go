package env_test

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"github.com/ringmaster-dev/ringmaster/test/env"
)

// A second copy of this test binary plays the process that is killed: one whose
// parts stay, or one whose parts go with it.
const playDetached, playAttached = "RINGMASTER_TEST_DETACHED", "RINGMASTER_TEST_ATTACHED"

func TestMain(m *testing.M) {
	var err error
	switch detached, attached := os.Getenv(playDetached), os.Getenv(playAttached); {
	case detached != "":
		_, err = env.Up(context.Background(), detached, env.StackOptions{}, env.Detached())
	case attached != "":
		_, err = env.Up(context.Background(), attached, env.StackOptions{Postgres: true})
		_, _ = io.Copy(io.Discard, os.Stdin)
	default:
		os.Exit(m.Run())
	}
	if err != nil {
		panic(err)
	}
}

// play starts the second copy.
func play(t *testing.T, role, dir string) *exec.Cmd {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), role+"="+dir)
	if _, err := c.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

func kill9(t *testing.T, c *exec.Cmd) {
	t.Helper()
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait()
}

func TestStackStartsAnswersAndLeavesNothing(t *testing.T) {
	dir := shortDir(t)
	s, err := env.Up(t.Context(), dir, env.StackOptions{Postgres: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := env.Running(dir); !ok {
		t.Error("the environment does not count as running")
	}
	for command, want := range map[string]string{
		`kubectl get --raw /readyz`:                  "ok",
		`kubectl version`:                            "Server Version: v1.",
		`asterisk-rx "core show version"`:            "Asterisk 22.",
		`asterisk-rx core show version`:              "Asterisk 22.",
		`echo "$RINGMASTER_SMTP $RINGMASTER_IMAPS"`:  s.SMTP.Addr + " " + s.Dovecot.IMAPSAddr,
		`kubectl get serviceaccount -n default`:      "default",
		`test -r "$RINGMASTER_CA" && echo readable`:  "readable",
		`echo "$RINGMASTER_SIP" "$RINGMASTER_WSS" x`: s.Asterisk.SIPAddr + " " + s.Asterisk.WSSURL,
	} {
		out, err := exec.CommandContext(t.Context(), "sh", "-c", ". "+dir+"/env && "+command).CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: %v: got %q, want %q", command, err, out, want)
		}
	}
	if err := s.Down(); err != nil {
		t.Fatal(err)
	}
	expectNothing(t, dir)
}

func TestInterruptedUpCanBeRunAgain(t *testing.T) {
	dir := shortDir(t)
	t.Cleanup(func() {
		if err := env.Remove(dir); err != nil {
			t.Error(err)
		}
	})
	g := gomega.NewWithT(t)
	for _, until := range []string{"run/etcd.pid", "run/kube-apiserver.pid"} {
		c := play(t, playDetached, dir)
		record := filepath.Join(dir, until)
		g.Eventually(record).WithTimeout(2 * time.Minute).WithPolling(5 * time.Millisecond).Should(gomega.BeAnExistingFile())
		kill9(t, c)
		if _, ok := env.Running(dir); ok {
			t.Error("a half-made environment counts as running")
		}
	}
	// Detached parts of the killed processes still run, and are replaced.
	s, err := env.Up(t.Context(), dir, env.StackOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := len(processes(t, dir, "etcd")); got != 1 {
		t.Errorf("%d etcd run, want 1", got)
	}
	if err := s.Down(); err != nil {
		t.Fatal(err)
	}
	expectNothing(t, dir)
}

func TestKilledProcessTakesItsPartsAlong(t *testing.T) {
	dir := shortDir(t)
	c := play(t, playAttached, dir)
	g := gomega.NewWithT(t)
	state := filepath.Join(dir, "state.json")
	g.Eventually(state).WithTimeout(5 * time.Minute).WithPolling(20 * time.Millisecond).Should(gomega.BeAnExistingFile())
	for _, program := range []string{"postgres", "dovecot", "master", "asterisk", "etcd", "kube-apiserver"} {
		if len(processes(t, dir, program)) == 0 {
			t.Errorf("%s does not run", program)
		}
	}
	kill9(t, c)
	g.Eventually(func() []string { return processes(t, dir, "") }).WithTimeout(30 * time.Second).Should(gomega.BeEmpty())
	if err := env.Remove(dir); err != nil {
		t.Fatal(err)
	}
	expectNothing(t, dir)
}

func TestEnvironmentsRunSideBySide(t *testing.T) {
	for range 2 {
		e := env.Temp(t)
		a, err := e.StartAsterisk(t.Context(), env.AsteriskOptions{})
		if err != nil {
			t.Fatal(err)
		}
		d, err := e.StartDovecot(t.Context(), env.DovecotOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.StartSMTP(t.Context(), d, env.SMTPOptions{}); err != nil {
			t.Fatal(err)
		}
		out, err := a.RX(t.Context(), "core show settings")
		if err != nil || !strings.Contains(out, a.ConfigDir) {
			t.Errorf("Asterisk of %s answers (%v):\n%s", e.Dir, err, out)
		}
	}
}

func TestDirectoryInUseIsRefused(t *testing.T) {
	e := env.Temp(t)
	if _, err := env.New(e.Dir); err == nil {
		t.Error("a second environment in the same directory")
	}
	if err := env.Remove(e.Dir); err == nil {
		t.Error("removed while in use")
	}
}

// shortDir is a directory whose Unix sockets have short enough names.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "rm-env-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func expectNothing(t *testing.T, dir string) {
	t.Helper()
	if left := processes(t, dir, ""); len(left) > 0 {
		t.Errorf("still running:\n%s", strings.Join(left, "\n"))
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s still exists (%v)", dir, err)
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(mounts), dir) {
		t.Errorf("a mount of %s is left:\n%s", dir, mounts)
	}
}

// processes lists the command lines that name dir, this process's apart.
func processes(t *testing.T, dir, program string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, file := range files {
		raw, err := os.ReadFile(file)
		args := strings.Split(string(raw), "\x00")
		if err != nil || filepath.Base(args[0]) == "sh" || program != "" && filepath.Base(args[0]) != program {
			continue
		}
		if slices.ContainsFunc(args, func(arg string) bool { return strings.Contains(arg, dir) }) {
			found = append(found, strings.Join(args, " "))
		}
	}
	return found
}
