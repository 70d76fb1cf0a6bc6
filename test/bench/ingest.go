package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ringmaster-dev/ringmaster/internal/mail"
	"github.com/ringmaster-dev/ringmaster/internal/mail/remote"
	"github.com/ringmaster-dev/ringmaster/internal/store"
	"github.com/ringmaster-dev/ringmaster/test/env"
)

// ingestTimeout bounds one mailbox, far above what any of the three programs needs.
const ingestTimeout = 10 * time.Minute

// fetcher takes all unseen mails of a mailbox and returns once they are safe.
type fetcher struct {
	name    string
	fetch   func(ctx context.Context, name string) (time.Duration, error)
	mails   int
	elapsed time.Duration
}

func (f *fetcher) rate() float64 { return float64(f.mails) / f.elapsed.Seconds() }

// mailRig is one Dovecot that all three programs fetch from, and the mails every mailbox is filled with.
type mailRig struct {
	env     *env.Env
	dovecot *env.DovecotServer
	mails   []string
}

// measureIngest gives the mail worker, mbsync and fetchmail a mailbox each with the same mails, round after round, each
// program first once. What only reads them all by one command is the limit that the server sets, and what keeps them in one file
// the limit for anything that must not lose them.
func (b *bench) measureIngest(ctx context.Context) (err error) {
	e, err := b.environment()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Remove()) }()
	r := &mailRig{env: e}
	if r.dovecot, err = e.StartDovecot(ctx, env.DovecotOptions{}); err != nil {
		return err
	}
	if err := r.write(b.mails); err != nil {
		return err
	}
	worker := &fetcher{name: "worker", fetch: r.worker}
	mbsync := &fetcher{name: "mbsync", fetch: r.mbsync}
	fetchmail := &fetcher{name: "fetchmail", fetch: r.fetchmail}
	reader := &fetcher{name: "bodies read and thrown away", fetch: func(_ context.Context, name string) (time.Duration, error) {
		return r.read(name, func([]byte) error { return nil })
	}}
	keeper := &fetcher{name: "bodies read and kept in a file", fetch: r.keep}
	order := []*fetcher{worker, mbsync, fetchmail, reader, keeper}
	for round := range b.mailRounds {
		for _, f := range order {
			if err := r.round(ctx, f, fmt.Sprintf("%s%d", strings.ReplaceAll(f.name, " ", ""), round)); err != nil {
				return fmt.Errorf("%s: %w", f.name, err)
			}
		}
		order = slices.Concat(order[1:], order[:1])
	}
	work := fmt.Sprintf("%d unseen mails", b.mails)
	b.report.add(work, "ingest ÷ mbsync", worker.rate()/mbsync.rate(), "x", atLeast(3))
	b.report.add(work, "ingest ÷ fetchmail", worker.rate()/fetchmail.rate(), "x", atLeast(5))
	for _, f := range order {
		b.report.add(work, f.name, f.rate(), "mails/s", nil)
	}
	return nil
}

func (r *mailRig) round(ctx context.Context, f *fetcher, name string) error {
	if err := r.fill(name); err != nil {
		return err
	}
	took, err := f.fetch(ctx, name)
	if err != nil {
		return err
	}
	f.mails += len(r.mails)
	f.elapsed += took
	say("   %s: %d mails in %s", name, len(r.mails), took.Round(time.Millisecond))
	return nil
}

// write makes mails of 2 to 50 KB, the same in every run.
func (r *mailRig) write(n int) error {
	dir := filepath.Join(r.env.Dir, "mails")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		var text strings.Builder
		fmt.Fprintf(&text, "From: Casey <casey@example.test>\r\nTo: support@example.test\r\nSubject: question %[1]d\r\n"+
			"Message-ID: <question.%[1]d@customers.test>\r\nDate: Sat, 21 Nov 2026 09:00:00 +0100\r\n\r\n", i)
		for size := 2000 + random.IntN(48000); text.Len() < size; {
			fmt.Fprintf(&text, "line %d of mail %d, words that make it as long as a line is\r\n", text.Len(), i)
		}
		file := filepath.Join(dir, fmt.Sprintf("%d.bench", i))
		if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
			return err
		}
		r.mails = append(r.mails, file)
	}
	return nil
}

// fill puts the mails into a new mailbox as a delivery agent does. They are the same files in every mailbox, so that no
// program finds them in a warmer cache than another.
func (r *mailRig) fill(name string) (err error) {
	c, err := imapclient.DialInsecure(r.dovecot.IMAPAddr, nil)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	if err := c.Login(r.dovecot.Address(name), r.dovecot.Password(name)).Wait(); err != nil {
		return err
	}
	if _, err := c.Select("INBOX", nil).Wait(); err != nil { // makes the mailbox
		return err
	}
	dir := filepath.Join(r.dovecot.Maildir(name), "new")
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("%s: no owner", dir)
	}
	for _, file := range r.mails {
		link := filepath.Join(dir, filepath.Base(file))
		if err := errors.Join(os.Link(file, link), os.Chown(link, int(owner.Uid), int(owner.Gid))); err != nil {
			return err
		}
	}
	return nil
}

// worker is Ringmaster's own: every mail parsed, committed to durable SQLite and flagged.
func (r *mailRig) worker(ctx context.Context, name string) (_ time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, ingestTimeout)
	defer cancel()
	db, err := store.OpenSQLite(ctx, filepath.Join(r.env.Dir, name+".db"))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	config, err := r.account(ctx, db, name)
	if err != nil {
		return 0, err
	}
	metrics := prometheus.NewRegistry()
	s := mail.NewSupervisor(db, mail.Options{Log: slog.New(slog.DiscardHandler), Registerer: metrics})
	s.Apply(config)
	done := make(chan error, 1)
	begin := time.Now()
	go func() { done <- s.Run(ctx) }()
	for {
		n, err := ingested(metrics)
		if err != nil {
			return 0, err
		}
		if n == float64(len(r.mails)) {
			break
		}
		if err := sleep(ctx, time.Millisecond); err != nil {
			return 0, fmt.Errorf("%.0f of %d mails ingested: %w", n, len(r.mails), err)
		}
	}
	took := time.Since(begin)
	cancel()
	return took, <-done
}

// account declares the mailbox, its queue and how to sign in.
func (r *mailRig) account(ctx context.Context, db store.Store, name string) (mail.Config, error) {
	key := func(name string) store.Key { return store.Key{Namespace: "bench", Name: name} }
	host, portText, err := net.SplitHostPort(r.dovecot.IMAPSAddr)
	if err != nil {
		return mail.Config{}, err
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return mail.Config{}, err
	}
	err = errors.Join(
		db.PutQueue(ctx, store.Queue{Key: key("mail"), Channel: store.ChannelEmail, Strategy: "RRMemory", OfferTimeout: time.Minute}),
		db.PutAccount(ctx, store.Account{Key: key(name), Label: "SUPP", DisplayName: "Support", Address: r.dovecot.Address(name), Queue: "mail", Active: true}),
	)
	return mail.Config{
		Account: key(name), Address: r.dovecot.Address(name),
		IMAP: mail.IMAP{
			Server: remote.Server{Host: host, Port: port, Security: remote.TLS, RootCAs: fileText(r.dovecot.CAFile)},
			Auth: remote.Auth{Type: remote.AuthBasic, Username: r.dovecot.Address(name), Password: remote.Secret(r.dovecot.Password(name)),
				PasswordVersion: "1"},
			InitialSync: mail.All,
		},
	}, err
}

func ingested(metrics prometheus.Gatherer) (n float64, err error) {
	families, err := metrics.Gather()
	for _, f := range families {
		if f.GetName() == "ringmaster_mail_ingested_total" {
			for _, m := range f.GetMetric() {
				n += m.GetCounter().GetValue()
			}
		}
	}
	return n, err
}

// mbsync copies into a Maildir, with its default of waiting for the disk.
func (r *mailRig) mbsync(ctx context.Context, name string) (time.Duration, error) {
	_, port, err := net.SplitHostPort(r.dovecot.IMAPSAddr)
	if err != nil {
		return 0, err
	}
	dir := filepath.Join(r.env.Dir, name)
	rc := fmt.Sprintf(`IMAPStore far
Host localhost
Port %s
User %s
Pass %s
SSLType IMAPS
CertificateFile %s

MaildirStore near
Inbox %s/inbox
Path %s/

Channel all
Far :far:
Near :near:
Sync Pull
Create Near
SyncState %s/state-
`, port, r.dovecot.Address(name), r.dovecot.Password(name), r.dovecot.CAFile, dir, dir, dir)
	took, err := r.tool(ctx, name, rc, "HOME="+dir, "mbsync", "--config", filepath.Join(dir, "rc"), "all")
	if err != nil {
		return 0, err
	}
	var mails []string
	for _, sub := range []string{"new", "cur"} {
		found, err := filepath.Glob(filepath.Join(dir, "inbox", sub, "*"))
		if err != nil {
			return 0, err
		}
		mails = append(mails, found...)
	}
	if len(mails) != len(r.mails) {
		return 0, fmt.Errorf("%d of %d mails copied", len(mails), len(r.mails))
	}
	return took, nil
}

// fetchmail writes to one file, the cheapest it can do; a delivery for each mail, which is its usual work, would cost it a process
// or a dialogue more.
func (r *mailRig) fetchmail(ctx context.Context, name string) (time.Duration, error) {
	_, port, err := net.SplitHostPort(r.dovecot.IMAPSAddr)
	if err != nil {
		return 0, err
	}
	dir := filepath.Join(r.env.Dir, name)
	out := filepath.Join(dir, "mails.bsmtp")
	rc := fmt.Sprintf("poll localhost service %s protocol imap user %q password %q ssl sslcertck sslcertfile %q keep bsmtp %q\n",
		port, r.dovecot.Address(name), r.dovecot.Password(name), r.dovecot.CAFile, out)
	took, err := r.tool(ctx, name, rc, "FETCHMAILHOME="+dir, "fetchmail", "--silent", "--nosyslog", "--pidfile", filepath.Join(dir, "pid"),
		"--fetchmailrc", filepath.Join(dir, "rc"))
	if err != nil {
		return 0, err
	}
	if n := strings.Count(fileText(out), "\nSubject: question "); n != len(r.mails) {
		return 0, fmt.Errorf("%d of %d mails fetched", n, len(r.mails))
	}
	return took, nil
}

// keep writes all mails to one file and waits for the disk as often as the worker does.
func (r *mailRig) keep(_ context.Context, name string) (_ time.Duration, err error) {
	f, err := os.Create(filepath.Join(r.env.Dir, name+".mails"))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	kept := 0
	return r.read(name, func(mail []byte) error {
		if _, err := f.Write(mail); err != nil {
			return err
		}
		if kept++; kept%100 == 0 || kept == len(r.mails) {
			return f.Sync()
		}
		return nil
	})
}

// read asks for all mails at once and hands each on.
func (r *mailRig) read(name string, take func(mail []byte) error) (_ time.Duration, err error) {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(fileText(r.dovecot.CAFile)))
	begin := time.Now()
	c, err := imapclient.DialTLS(r.dovecot.IMAPSAddr, &imapclient.Options{TLSConfig: &tls.Config{RootCAs: roots, ServerName: "localhost", MinVersion: tls.VersionTLS12}})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := c.Login(r.dovecot.Address(name), r.dovecot.Password(name)).Wait(); err != nil {
		return 0, err
	}
	if _, err := c.Select("INBOX", nil).Wait(); err != nil {
		return 0, err
	}
	fetch := c.Fetch(imap.SeqSet{{Start: 1}}, &imap.FetchOptions{BodySection: []*imap.FetchItemBodySection{{Peek: true}}})
	var mail bytes.Buffer
	read := 0
	for m := fetch.Next(); m != nil; m = fetch.Next() {
		for item := m.Next(); item != nil; item = m.Next() {
			if body, ok := item.(imapclient.FetchItemDataBodySection); ok {
				mail.Reset()
				_, err := mail.ReadFrom(body.Literal)
				if err == nil {
					err = take(mail.Bytes())
				}
				if err != nil {
					return 0, errors.Join(err, fetch.Close())
				}
				read++
			}
		}
	}
	if err := fetch.Close(); err != nil {
		return 0, err
	}
	if read != len(r.mails) {
		return 0, fmt.Errorf("%d of %d mails read", read, len(r.mails))
	}
	return time.Since(begin), nil
}

// tool runs a program of the services root with its configuration in a directory of its own.
func (r *mailRig) tool(ctx context.Context, name, rc string, command ...string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, ingestTimeout)
	defer cancel()
	dir := filepath.Join(r.env.Dir, name)
	if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(filepath.Join(dir, "rc"), []byte(rc), 0o600)); err != nil {
		return 0, err
	}
	begin := time.Now()
	if _, err := r.env.RunTool(ctx, "/usr/bin/env", command...); err != nil {
		return 0, err
	}
	return time.Since(begin), nil
}
