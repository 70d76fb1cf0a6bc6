package mail

import (
	"bytes"
	"crypto/tls"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ringmaster-dev/ringmaster/internal/mail/remote"
	"github.com/ringmaster-dev/ringmaster/internal/store"
	"github.com/ringmaster-dev/ringmaster/test/env"
)

func TestSecurities(t *testing.T) {
	r := newRig(t)
	pinned, other := pins(t, r.dovecot)
	cases := []struct {
		name   string
		change func(*IMAP)
		reason string
		says   string
	}{
		{"tls", func(*IMAP) {}, ReasonReady, ""},
		{"starttls", func(i *IMAP) { i.Server = serverAt(t, r.dovecot.IMAPAddr, remote.StartTLS, r.dovecot.CAFile) }, ReasonReady, ""},
		{"none", func(i *IMAP) {
			i.Server = serverAt(t, r.dovecot.IMAPAddr, remote.None, r.dovecot.CAFile)
			i.Auth.AllowInsecure = true
		}, ReasonReady, ""},
		{"none-refused", func(i *IMAP) { i.Server = serverAt(t, r.dovecot.IMAPAddr, remote.None, r.dovecot.CAFile) }, ReasonEncryptionRequired, "clear text"},
		{"unknown-ca", func(i *IMAP) { i.RootCAs = "" }, ReasonCertificateInvalid, "pinnedSHA256: " + pinned},
		{"pinned", func(i *IMAP) { i.RootCAs, i.PinnedSHA256 = "", pinned }, ReasonReady, ""},
		{"pinned-starttls", func(i *IMAP) {
			i.Server = serverAt(t, r.dovecot.IMAPAddr, remote.StartTLS, r.dovecot.CAFile)
			i.RootCAs, i.PinnedSHA256 = "", pinned
		}, ReasonReady, ""},
		{"other-pin", func(i *IMAP) { i.PinnedSHA256 = other }, ReasonCertificateInvalid, "not the pinned one; issuer"},
		{"other-pin-starttls", func(i *IMAP) {
			i.Server = serverAt(t, r.dovecot.IMAPAddr, remote.StartTLS, r.dovecot.CAFile)
			i.PinnedSHA256 = other
		}, ReasonCertificateInvalid, "pinnedSHA256: " + pinned},
		{"accept-any", func(i *IMAP) { i.RootCAs, i.InsecureSkipVerify = "", true }, ReasonReady, ""},
		{"not-tls", func(i *IMAP) { i.Server = serverAt(t, r.dovecot.IMAPAddr, remote.TLS, r.dovecot.CAFile) }, ReasonConnectionFailed, "TLS"},
		{"no-server", func(i *IMAP) { i.Port = 1 }, ReasonConnectionFailed, "refused"},
		{"no-name", func(i *IMAP) { i.Host = "mail.invalid" }, ReasonDNSFailure, "mail.invalid"},
		{"no-mailbox", func(i *IMAP) { i.Mailbox = "Inboks" }, ReasonMailboxNotFound, `"Drafts"`},
		{"wrong-password", func(i *IMAP) { i.Auth.Password = "wrong-one" }, ReasonAuthenticationFailed, "refused"},
		{"app-password", func(i *IMAP) { i.Auth.Password, i.Auth.AppPassword = "wrong-one", true }, ReasonAppPasswordRequired, "app password"},
		{"no-sign-in", func(i *IMAP) { i.Auth = remote.Auth{Type: remote.AuthNone} }, ReasonAuthenticationFailed, "none is configured"},
	}
	var cfgs []Config
	for _, c := range cases {
		cfg := r.account(c.name)
		c.change(&cfg.IMAP)
		cfgs = append(cfgs, cfg)
	}
	r.run(fast(), cfgs...)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			g := NewWithT(t)
			g.Eventually(func() string { return r.status(c.name).IMAP }, 20*time.Second, 20*time.Millisecond).Should(Equal(c.reason))
			s := r.status(c.name)
			g.Expect(s.IMAPMessage).To(ContainSubstring(c.says))
			g.Expect(s.IMAPMessage).NotTo(Or(ContainSubstring("wrong-one"), ContainSubstring("-secret")))
			g.Expect(s.SMTP).To(Equal(ReasonNotConfigured))
			if c.reason == ReasonReady && c.name != "none" {
				g.Expect(s.CertificateSHA256).To(HaveLen(64))
			}
		})
	}
}

// A mailbox may have any name; on the wire it is in modified UTF-7 (RFC 3501 section 5.1.3), and people read it as it is.
func TestMailboxNames(t *testing.T) {
	r := newRig(t)
	const name = "Ärger & Entwürfe 日本"
	c := r.client("support")
	defer func() { _ = c.Close() }()
	r.Expect(c.Create(name, nil).Wait()).To(Succeed())
	stored, err := filepath.Glob(filepath.Join(r.dovecot.Maildir("support"), ".&AMQ-rger &- Entw&APw-rfe &ZeVnLA-"))
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(stored).To(HaveLen(1), "as the server has it")
	r.Expect(r.append(c, name, letter("one", "x"))).To(Succeed())
	r.cfg.IMAP.Mailbox = name
	s, _ := r.run(fast(), r.cfg)
	r.awaitCount(1)
	r.cfg.IMAP.Mailbox = "Ärger"
	s.Apply(r.cfg)
	r.awaitIMAP("support", ReasonMailboxNotFound)
	r.Expect(r.status("support").IMAPMessage).To(And(ContainSubstring(`the mailbox "Ärger" cannot be opened`), ContainSubstring(`"`+name+`"`)))
}

// pins are the fingerprint of the certificate that a server shows, and another one.
func pins(t *testing.T, d *env.DovecotServer) (shown, other string) {
	t.Helper()
	conn, err := tls.Dial("tcp", d.IMAPSAddr, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // looks at what is shown, whatever it is
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	return remote.Fingerprint(conn.ConnectionState().PeerCertificates[0]), strings.Repeat("0", 64)
}

// An account that accepts any certificate is counted while somebody works on it, and what the server showed is logged.
func TestUnverifiedIsCounted(t *testing.T) {
	r := newRig(t)
	var logged bytes.Buffer
	o := fast()
	o.Log = slog.New(slog.NewTextHandler(&logged, nil))
	r.cfg.IMAP.InsecureSkipVerify, r.cfg.IMAP.RootCAs = true, ""
	s, stop := r.run(o, r.cfg)
	r.awaitIMAP("support", ReasonReady)
	r.Expect(gauge(t, s.metrics.unverified.WithLabelValues(namespace, "support"))).To(BeEquivalentTo(1))
	stop()
	left := make(chan prometheus.Metric, 1)
	s.metrics.unverified.Collect(left)
	r.Expect(left).To(BeEmpty())
	r.Expect(logged.String()).To(ContainSubstring(r.status("support").CertificateSHA256))
}

// A refused password is not tried again and again, until the Secret changes.
func TestWrongPasswordIsPatient(t *testing.T) {
	r := newRig(t)
	wrong := r.cfg
	wrong.IMAP.Auth.Password, wrong.IMAP.Auth.PasswordVersion = "wrong-one", "0"
	s, stop := r.run(fast(), wrong)
	r.awaitIMAP("support", ReasonAuthenticationFailed)
	refused := r.status("support").UpdatedAt
	r.Consistently(func() time.Time { return r.status("support").UpdatedAt }, time.Second).Should(Equal(refused), "no second attempt")
	s.Apply(wrong) // nothing changed: no attempt either
	r.Consistently(func() time.Time { return r.status("support").UpdatedAt }, 500*time.Millisecond).Should(Equal(refused))
	stop()

	// Another process keeps the patience of the first.
	s, _ = r.run(fast(), wrong)
	r.Consistently(func() time.Time { return r.status("support").UpdatedAt }, time.Second).Should(Equal(refused))
	// Somebody asks for a try.
	wrong.Verify = "now"
	s.Apply(wrong)
	r.Eventually(func() time.Time { return r.status("support").UpdatedAt }, 5*time.Second, 20*time.Millisecond).ShouldNot(Equal(refused))
	r.awaitIMAP("support", ReasonAuthenticationFailed)
	s.Apply(r.cfg)
	r.awaitIMAP("support", ReasonReady)
}

func TestServerRestart(t *testing.T) {
	r := newRig(t)
	r.put("support", letter("before", "x"))
	r.run(fast(), r.cfg)
	r.awaitCount(1)
	r.Expect(r.dovecot.Kill9()).To(Succeed())
	r.Eventually(func() string { return r.status("support").IMAP }, 10*time.Second).Should(Equal(ReasonConnectionFailed))
	r.Expect(r.dovecot.Restart(t.Context())).To(Succeed())
	r.put("support", letter("after", "x"))
	r.awaitCount(2)
	r.awaitIMAP("support", ReasonReady)
}

// Two processes share the accounts; when one dies, the other goes on within the lease.
func TestTakeover(t *testing.T) {
	r := newRig(t)
	one, two := fast(), fast()
	one.Holder, two.Holder = "one", "two"
	_, stopOne := r.run(one, r.cfg)
	r.awaitIMAP("support", ReasonReady)
	r.run(two, r.cfg)
	r.put("support", letter("first", "x"))
	r.awaitCount(1)
	stopOne()
	r.put("support", letter("second", "x"))
	r.awaitCount(2)
	for _, i := range r.interactions() {
		r.Expect(i.MessageCount).To(Equal(1))
	}
}

// A holder whose lease was taken while it slept writes nothing more and lets go of the connection.
func TestLeaseLost(t *testing.T) {
	r := newRig(t)
	o := fast()
	o.Holder = "sleeper"
	o.LeaseTTL = 500 * time.Millisecond
	s, _ := r.run(o, r.cfg)
	r.awaitIMAP("support", ReasonReady)
	look := gauge(t, s.metrics.lastLook.WithLabelValues(namespace, "support"))
	r.Expect(look).To(BeNumerically("~", time.Now().Unix(), 30))
	// Another took it, as after a pause of the whole process.
	lease, ok, err := r.store.AcquireLease(t.Context(), "mail/"+key("support").String(), "sleeper", time.Nanosecond)
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(ok).To(BeTrue())
	var taken store.Lease
	r.Eventually(func() bool {
		taken, ok, err = r.store.AcquireLease(t.Context(), lease.Name, "other", time.Minute)
		return err == nil && ok
	}, 5*time.Second, time.Millisecond).Should(BeTrue())
	r.Expect(taken.Fence).To(BeNumerically(">", lease.Fence))
	r.Eventually(func() float64 { return gauge(t, s.metrics.connected.WithLabelValues(namespace, "support")) }, 5*time.Second).Should(BeZero())
	r.put("support", letter("too late", "x"))
	r.Consistently(r.count, time.Second).Should(BeZero())
	r.Expect(r.store.ReleaseLease(t.Context(), taken)).To(Succeed())
	r.awaitCount(1)
}

// Only a change of the configuration restarts an account, and Remove stops it.
func TestApplyAndRemove(t *testing.T) {
	r := newRig(t)
	s, _ := r.run(fast(), r.cfg)
	r.awaitIMAP("support", ReasonReady)
	s.mu.Lock()
	before := s.accounts[key("support")].account
	s.mu.Unlock()
	s.Apply(r.cfg)
	s.mu.Lock()
	r.Expect(s.accounts[key("support")].account).To(BeIdenticalTo(before))
	s.mu.Unlock()
	changed := r.cfg
	changed.IMAP.Delivery, changed.IMAP.PollInterval = Poll, 100*time.Millisecond
	r.Expect(changed.Hash()).NotTo(Equal(r.cfg.Hash()))
	s.Apply(changed)
	r.Eventually(func() string { return r.status("support").ConfigHash }, 10*time.Second).Should(Equal(changed.Hash()))
	r.put("support", letter("polled", "x"))
	r.awaitCount(1)
	s.Remove(key("support"))
	r.Eventually(func() bool {
		_, ok, err := r.store.AcquireLease(t.Context(), "mail/"+key("support").String(), "probe", time.Nanosecond)
		return ok && err == nil
	}, 10*time.Second).Should(BeTrue(), "the lease is free")
	r.put("support", letter("nobody looks", "x"))
	r.Consistently(r.count, 500*time.Millisecond).Should(Equal(1))
	s.Apply(changed)
	r.awaitCount(2)
}
