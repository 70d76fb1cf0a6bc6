// Command bench measures what DESIGN promises to be fast: each figure beside what it is compared with, in one run on one
// machine, against the real servers. It prints a table, writes it as JSON and ends with status 1 when a figure is over
// its budget.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/ringmaster-dev/ringmaster/test/env"
)

// options are the flags.
type options struct {
	out        string
	reportOnly bool
	only       []string

	agents, changes, flood int
	registerRounds         int
	mails, mailRounds      int
	decisions              int
	idle, streamFor        time.Duration
	signIn                 bool
	keepLogs               string
}

// bench is one run.
type bench struct {
	options
	dir    string
	report *report
}

// section is a part of the run that can be chosen by -only.
type section struct {
	name, about string
	// inCenter is set for what needs a center full of agents; those share one, made for the first of them.
	inCenter func(context.Context, *center) error
	alone    func(context.Context) error
}

func (b *bench) sections() []section {
	return []section{
		{name: "agents", about: "agents created until all are Ready, idle writes, memory", inCenter: b.measureAgents},
		{name: "change", about: "one SIP password changed until the phone registers with it", inCenter: b.measureChange},
		{name: "flood", about: "a thousand SIP passwords changed at once", inCenter: b.measureFlood},
		{name: "register", about: "registrations against generated and hand-written files", alone: b.measureRegister},
		{name: "ingest", about: "mail worker, mbsync and fetchmail on one Dovecot", alone: b.measureIngest},
		{name: "mailbox", about: "new mail noticed until stored, memory of waiting accounts", alone: b.measureMailbox},
		{name: "stream", about: "offers on the event streams of 500 agents, 50 mails a second", alone: b.measureStream},
		{name: "routing", about: "routing decisions on SQLite and PostgreSQL", alone: b.measureRouting},
	}
}

// errOverBudget ends a run whose figures were all taken.
var errOverBudget = errors.New("a figure is over its budget")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctrl.SetLogger(logr.Discard())
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	b := &bench{}
	flag.StringVar(&b.out, "out", "bench.json", "file the figures are written to")
	flag.BoolVar(&b.reportOnly, "report-only", false, "end with status 0 although a figure is over its budget")
	only := flag.String("only", "", "sections to run, separated by commas: "+strings.Join(names(b.sections()), ", ")+" (default: all)")
	flag.IntVar(&b.agents, "agents", 5000, "agents of the center, and endpoints in the section register")
	flag.IntVar(&b.changes, "changes", 30, "SIP passwords changed one after the other")
	flag.IntVar(&b.flood, "flood", 1000, "SIP passwords changed at once, at most one for each agent")
	flag.IntVar(&b.registerRounds, "register-rounds", 9, "times that every endpoint registers at each of the two PBXes")
	flag.IntVar(&b.mails, "mails", 5000, "unseen mails in each mailbox")
	flag.IntVar(&b.mailRounds, "mail-rounds", 2, "mailboxes for each of the three programs")
	flag.IntVar(&b.decisions, "decisions", 5000, "interactions routed on each store")
	flag.DurationVar(&b.idle, "idle", time.Minute, "time in which nothing may be written")
	flag.DurationVar(&b.streamFor, "stream-for", 2*time.Minute, "time in which mails come in the section stream")
	flag.BoolVar(&b.signIn, "sign-in", true, "give every agent a sign-in password; without, the difference is what hashing them costs")
	flag.StringVar(&b.keepLogs, "logs", "", "directory the parts' logs of the center are copied to")
	flag.Parse()
	if b.agents < 1 || b.changes < 1 || b.flood < 1 || b.registerRounds < 1 || b.mails < 1 || b.mailRounds < 1 || b.decisions < 1 {
		return errors.New("every count must be at least 1")
	}
	if *only != "" {
		b.only = strings.Split(*only, ",")
	}
	if err := b.checkOnly(); err != nil {
		return err
	}
	base, err := env.DefaultDir()
	if err != nil {
		return err
	}
	b.dir = filepath.Join(filepath.Dir(base), "bin", ".bench")
	b.report = newReport(b.options)
	err = b.measure(ctx)
	// What was measured before a failure is not lost.
	b.report.print(os.Stdout)
	if err := errors.Join(err, b.report.write(b.out)); err != nil {
		return err
	}
	if !b.report.held() && !b.reportOnly {
		return errOverBudget
	}
	return nil
}

func names(sections []section) (list []string) {
	for _, s := range sections {
		list = append(list, s.name)
	}
	return list
}

func (b *bench) checkOnly() error {
	all := names(b.sections())
	for _, name := range b.only {
		if !slices.Contains(all, name) {
			return fmt.Errorf("no section %q; there are %s", name, strings.Join(all, ", "))
		}
	}
	return nil
}

// measure runs the chosen sections; the center goes when the last that needs it is done.
func (b *bench) measure(ctx context.Context) (err error) {
	var c *center
	defer func() { err = errors.Join(err, c.close()) }()
	for _, s := range b.sections() {
		if len(b.only) > 0 && !slices.Contains(b.only, s.name) {
			continue
		}
		say("\n== %s: %s", s.name, s.about)
		if s.inCenter == nil {
			if err := c.close(); err != nil {
				return err
			}
			c = nil
			err = s.alone(ctx)
		} else {
			if c == nil {
				if c, err = newCenter(ctx, b); err != nil {
					return fmt.Errorf("making the center: %w", err)
				}
			}
			err = s.inCenter(ctx, c)
		}
		if err != nil {
			return fmt.Errorf("section %s: %w", s.name, err)
		}
	}
	return nil
}

// environment is a place of its own for the servers of one section.
func (b *bench) environment() (*env.Env, error) { return env.New(b.dir, env.Progress(progress)) }

// progress is where the run tells what it does; the figures alone go to standard output.
var progress io.Writer = os.Stderr

func say(format string, args ...any) { fmt.Fprintf(progress, format+"\n", args...) }
