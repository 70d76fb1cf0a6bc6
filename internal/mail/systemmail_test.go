package mail

import (
	"io"
	"net/mail"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/ringmaster-dev/ringmaster/internal/mail/message"
	"github.com/ringmaster-dev/ringmaster/internal/mail/remote"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// notify adds a notice of the account support to a mailbox, or to an address when that has an @.
func (r *rig) notify(dedupe, to string) store.SystemMail {
	r.t.Helper()
	raw, err := message.BuildNotice(message.Notice{
		From: mail.Address{Name: "Support", Address: r.cfg.Address}, To: mail.Address{Name: "Alice", Address: to}, Subject: "News: " + dedupe,
		Text: "Something is new.\n", At: time.Now(), ID: dedupe,
	})
	r.Expect(err).NotTo(HaveOccurred())
	m, err := r.store.AddSystemMail(r.t.Context(), store.SystemMail{Namespace: namespace, Account: "support", Recipient: to, DedupeKey: dedupe, Raw: raw})
	r.Expect(err).NotTo(HaveOccurred())
	return m
}

func (r *rig) systemMail(id string) store.SystemMail {
	r.t.Helper()
	m, err := r.store.GetSystemMail(r.t.Context(), namespace, id)
	r.Expect(err).NotTo(HaveOccurred())
	return m
}

func (r *rig) systemMailState(id string) func() store.MessageState {
	return func() store.MessageState { return r.systemMail(id).State }
}

// A system mail is sent at once and once, however often it is added, before and after; another account leaves it alone.
func TestSystemMail(t *testing.T) {
	r, _ := sendingRig(t)
	other := r.account("other")
	other.SMTP = r.cfg.SMTP
	other.SMTP.Auth = other.IMAP.Auth
	o := fast()
	o.LeaseTTL = time.Minute // the wake-up is what sends it, not the renewal
	r.run(o, r.cfg, other)
	for _, account := range []string{"support", "other"} {
		r.Eventually(func() string { return r.status(account).SMTP }, 10*time.Second).Should(Equal(ReasonReady))
	}
	to := r.dovecot.Address("sysalice")
	m := r.notify("one", to)
	r.Expect(r.notify("one", to).ID).To(Equal(m.ID))
	r.Eventually(r.systemMailState(m.ID), 10*time.Second, 5*time.Millisecond).Should(Equal(store.MessageSent))
	r.Expect(r.notify("one", to).State).To(Equal(store.MessageSent))
	last := r.notify("two", to)
	r.Eventually(r.systemMailState(last.ID), 10*time.Second, 5*time.Millisecond).Should(Equal(store.MessageSent))

	// What was sent before the second has arrived before it.
	var mails []*mail.Message
	r.Eventually(func() int { mails = r.inbox("sysalice"); return len(mails) }, 10*time.Second).Should(BeNumerically(">=", 2))
	r.Expect(mails).To(HaveLen(2))
	first := mails[0]
	r.Expect(first.Header.Get("Subject")).To(Equal("News: one"))
	r.Expect(first.Header.Get("Auto-Submitted")).To(Equal("auto-generated"))
	from, err := first.Header.AddressList("From")
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(*from[0]).To(Equal(mail.Address{Name: "Support", Address: r.cfg.Address}))
	r.Expect(first.Header.Get("Return-Path")).To(BeElementOf("", "<"+r.cfg.Address+">"))
	text, err := io.ReadAll(first.Body)
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(string(text)).To(ContainSubstring("Something is new."))
	r.Expect(r.systemMail(m.ID).Attempts).To(Equal(1))
}

// A system mail added while the server is away goes out when it is back; one that is refused for good fails at once and says why.
func TestSystemMailAgainAndFailing(t *testing.T) {
	r, relay := sendingRig(t)
	r.cfg.SMTP = SMTP{Server: serverAt(t, relay.Addr, remote.None, relay.CAFile), Auth: remote.Auth{Type: remote.AuthNone}}
	r.Expect(relay.Kill9()).To(Succeed())
	r.run(fast(), r.cfg)
	r.Eventually(func() string { return r.status("support").SMTP }, 10*time.Second).Should(Equal(ReasonConnectionFailed))
	waiting := r.notify("waiting", r.dovecot.Address("sysbob"))
	r.Eventually(func(g Gomega) {
		m := r.systemMail(waiting.ID)
		g.Expect(m.State).To(Equal(store.MessagePending))
		g.Expect(m.Attempts).To(BeNumerically(">=", 1))
		g.Expect(m.Detail).To(Equal("connection refused"))
	}, 10*time.Second).Should(Succeed())
	r.Expect(relay.Restart(t.Context())).To(Succeed())
	refused := r.notify("refused", "nobody@nowhere.example")
	r.Eventually(r.systemMailState(refused.ID), 30*time.Second).Should(Equal(store.MessageFailed))
	r.Expect(r.systemMail(refused.ID).Detail).To(MatchRegexp(`the server answered 5\d\d to RCPT`))
	r.Expect(r.systemMail(refused.ID).Attempts).To(Equal(1))
	r.Eventually(r.systemMailState(waiting.ID), 30*time.Second).Should(Equal(store.MessageSent))
	r.Eventually(func() int { return len(r.inbox("sysbob")) }, 10*time.Second).Should(Equal(1))
}

// An account without a mailbox sends, and connects to nothing else.
func TestSystemAccount(t *testing.T) {
	r, _ := sendingRig(t)
	r.cfg.IMAP = IMAP{}
	s, stop := r.run(fast(), r.cfg)
	r.Eventually(func() string { return r.status("support").SMTP }, 10*time.Second).Should(Equal(ReasonReady))
	m := r.notify("one", r.dovecot.Address("sysbob"))
	r.Eventually(r.systemMailState(m.ID), 10*time.Second, 5*time.Millisecond).Should(Equal(store.MessageSent))
	r.awaitIMAP("support", ReasonNotConfigured)
	_, err := s.Audit(t.Context(), r.cfg.Account)
	r.Expect(err).To(MatchError(store.ErrNotFound))
	stop()
	r.Expect(gauge(t, s.metrics.errors.WithLabelValues(namespace, "support", ReasonNotConfigured))).To(BeZero())
}
