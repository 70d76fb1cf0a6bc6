package mail

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.uber.org/goleak"

	"github.com/ringmaster-dev/ringmaster/internal/mail/remote"
	"github.com/ringmaster-dev/ringmaster/internal/store"
	"github.com/ringmaster-dev/ringmaster/internal/store/storetest"
	"github.com/ringmaster-dev/ringmaster/test/env"
)

const namespace = "center"

// rig is a Dovecot, a store and one account "support" in it.
type rig struct {
	t testing.TB
	Gomega
	dovecot *env.DovecotServer
	store   *store.DB
	cfg     Config
}

func newRig(t testing.TB) *rig {
	t.Helper()
	return rigIn(t, sqliteIn(t))
}

func sqliteIn(t testing.TB) func() *store.DB {
	return func() *store.DB { return storetest.SQLite(t) }
}

func postgresIn(t testing.TB, dsn string) func() *store.DB {
	return opened(t, func() (*store.DB, error) { return store.OpenPostgres(t.Context(), dsn) })
}

// opened closes what open opens when the test ends.
func opened(t testing.TB, open func() (*store.DB, error)) func() *store.DB {
	return func() *store.DB {
		db, err := open()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		return db
	}
}

// rigIn is a rig with another store.
func rigIn(t testing.TB, open func() *store.DB) *rig {
	t.Helper()
	d := env.Dovecot(t)
	ignore := goleak.IgnoreCurrent()
	restarted := goleak.IgnoreAnyFunction("github.com/ringmaster-dev/ringmaster/test/env.(*Process).start.func1")
	t.Cleanup(func() { goleak.VerifyNone(t, ignore, restarted) })
	return rigWith(t, d, open)
}

// rigOn opens a store of its own beside a server that may be shared.
func rigOn(t testing.TB, d *env.DovecotServer) *rig {
	t.Helper()
	return rigWith(t, d, sqliteIn(t))
}

func rigWith(t testing.TB, d *env.DovecotServer, open func() *store.DB) *rig {
	t.Helper()
	st := open()
	r := &rig{t: t, Gomega: NewWithT(t), dovecot: d, store: st}
	r.Expect(st.PutQueue(t.Context(), store.Queue{Key: key("mail"), Channel: store.ChannelEmail, Strategy: "RRMemory", OfferTimeout: time.Minute})).To(Succeed())
	r.cfg = r.account("support")
	return r
}

func key(name string) store.Key { return store.Key{Namespace: namespace, Name: name} }

// account declares an account whose mailbox has its name.
func (r *rig) account(name string) Config {
	r.t.Helper()
	r.Expect(r.store.PutAccount(r.t.Context(), store.Account{
		Key: key(name), Label: "SUPP", DisplayName: "Support", Address: r.dovecot.Address(name), Queue: "mail", Active: true,
	})).To(Succeed())
	auth := remote.Auth{Type: remote.AuthBasic, Username: r.dovecot.Address(name), Password: remote.Secret(r.dovecot.Password(name)), PasswordVersion: "1"}
	return Config{
		Account: key(name), Address: r.dovecot.Address(name),
		IMAP: IMAP{Server: serverAt(r.t, r.dovecot.IMAPSAddr, remote.TLS, r.dovecot.CAFile), Auth: auth, InitialSync: All},
	}
}

func serverAt(t testing.TB, addr string, security remote.Security, caFile string) remote.Server {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(caFile)
	if err != nil {
		t.Fatal(err)
	}
	return remote.Server{Host: host, Port: number, Security: security, RootCAs: string(ca)}
}

// fast are Options that make waiting short.
func fast() Options {
	return Options{
		Log: slog.New(slog.DiscardHandler), LeaseTTL: 2 * time.Second,
		MinBackoff: 20 * time.Millisecond, MaxBackoff: 200 * time.Millisecond, SendRetry: 500 * time.Millisecond,
	}
}

// run runs a supervisor with the configurations; stop ends it and waits.
func (r *rig) run(o Options, cfgs ...Config) (s *Supervisor, stop func()) {
	r.t.Helper()
	s = NewSupervisor(r.store, o)
	for _, c := range cfgs {
		s.Apply(c)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Run(ctx)
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	r.t.Cleanup(stop)
	return s, stop
}

// client signs in to a mailbox as a mail program would.
func (r *rig) client(name string) *imapclient.Client {
	r.t.Helper()
	c, err := imapclient.DialInsecure(r.dovecot.IMAPAddr, nil)
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(c.Login(r.dovecot.Address(name), r.dovecot.Password(name)).Wait()).To(Succeed())
	return c
}

// put appends mails to a mailbox, byte for byte.
func (r *rig) put(name string, raws ...string) {
	r.t.Helper()
	c := r.client(name)
	defer func() { _ = c.Close() }()
	r.Expect(r.append(c, "INBOX", raws...)).To(Succeed())
}

// unseen counts the mails without \Seen, and all.
func (r *rig) unseen(name string) (unseen, all int) {
	r.t.Helper()
	c := r.client(name)
	defer func() { _ = c.Close() }()
	data, err := c.Status("INBOX", &imap.StatusOptions{NumMessages: true, NumUnseen: true}).Wait()
	r.Expect(err).NotTo(HaveOccurred())
	return int(*data.NumUnseen), int(*data.NumMessages)
}

func (r *rig) interactions() []store.Interaction {
	r.t.Helper()
	var list []store.Interaction
	f := store.InteractionFilter{Namespace: namespace, Limit: 200}
	for {
		page, err := r.store.ListInteractions(r.t.Context(), f)
		r.Expect(err).NotTo(HaveOccurred())
		list = append(list, page...)
		if len(page) < f.Limit {
			return list
		}
		f.After = page[len(page)-1].ID
	}
}

func (r *rig) count() int {
	n, err := r.store.CountInteractions(r.t.Context(), store.InteractionFilter{Namespace: namespace})
	r.Expect(err).NotTo(HaveOccurred())
	return n
}

func (r *rig) messages(i store.Interaction) []store.Message {
	r.t.Helper()
	list, err := r.store.ListMessages(r.t.Context(), i.Namespace, i.ID)
	r.Expect(err).NotTo(HaveOccurred())
	return list
}

func (r *rig) status(name string) store.AccountStatus {
	s, err := r.store.GetAccountStatus(r.t.Context(), key(name))
	if err != nil {
		return store.AccountStatus{}
	}
	return s
}

func (r *rig) awaitCount(n int) {
	r.t.Helper()
	r.Eventually(r.count, 3*time.Minute, 20*time.Millisecond).Should(Equal(n))
}

func (r *rig) awaitIMAP(name, reason string) {
	r.t.Helper()
	r.Eventually(func() string { return r.status(name).IMAP }, 30*time.Second, 20*time.Millisecond).Should(Equal(reason))
}

// letter is a small mail with headers "Name: value".
func letter(subject, text string, headers ...string) string {
	all := append([]string{
		"From: Carla Customer <carla@customers.test>", "To: support@example.test", "Subject: " + subject,
		fmt.Sprintf("Message-ID: <%s@customers.test>", strings.ReplaceAll(subject, " ", ".")),
		"Date: Sat, 21 Nov 2026 09:00:00 +0100",
	}, headers...)
	return strings.Join(all, "\r\n") + "\r\n\r\n" + text + "\r\n"
}

func gauge(t testing.TB, m prometheus.Metric) float64 {
	t.Helper()
	var value dto.Metric
	if err := m.Write(&value); err != nil {
		t.Fatal(err)
	}
	if value.Counter != nil {
		return value.GetCounter().GetValue()
	}
	return value.GetGauge().GetValue()
}

func chownLike(file string, info os.FileInfo) error {
	owner := info.Sys().(*syscall.Stat_t)
	return os.Chown(file, int(owner.Uid), int(owner.Gid))
}

// append adds mails to a mailbox over an open connection.
func (r *rig) append(c *imapclient.Client, mailbox string, raws ...string) error {
	for _, raw := range raws {
		cmd := c.Append(mailbox, int64(len(raw)), nil)
		if _, err := cmd.Write([]byte(raw)); err != nil {
			return err
		}
		if err := cmd.Close(); err != nil {
			return err
		}
		if _, err := cmd.Wait(); err != nil {
			return err
		}
	}
	return nil
}
