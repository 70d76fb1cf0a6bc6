package mail

import (
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	. "github.com/onsi/gomega"
	"go.uber.org/goleak"

	"github.com/ringmaster-dev/ringmaster/internal/mail/message"
	"github.com/ringmaster-dev/ringmaster/internal/mail/remote"
	"github.com/ringmaster-dev/ringmaster/internal/mail/smtp"
	"github.com/ringmaster-dev/ringmaster/internal/routing"
	"github.com/ringmaster-dev/ringmaster/internal/store"
	"github.com/ringmaster-dev/ringmaster/test/env"
)

// sendingRig has an SMTP server too, and an agent who is signed in.
func sendingRig(t *testing.T) (*rig, *env.SMTPServer) {
	t.Helper()
	d := env.Dovecot(t)
	relay := env.SMTP(t, d)
	ignore := goleak.IgnoreCurrent()
	t.Cleanup(func() {
		goleak.VerifyNone(t, ignore, goleak.IgnoreAnyFunction("github.com/ringmaster-dev/ringmaster/test/env.(*Process).start.func1"))
	})
	r := rigOn(t, d)
	r.Expect(r.store.PutAgent(t.Context(), store.Agent{Key: key("alice"), Username: "alice", Active: true})).To(Succeed())
	r.Expect(r.store.PutQueue(t.Context(), store.Queue{
		Key: key("mail"), Channel: store.ChannelEmail, Strategy: "RRMemory", OfferTimeout: time.Minute, Members: []store.QueueMember{{Agent: "alice"}},
	})).To(Succeed())
	r.Expect(r.store.SetPresence(t.Context(), store.Presence{Agent: key("alice"), SignedIn: true})).To(Succeed())
	r.cfg.SMTP = SMTP{Server: serverAt(t, relay.SubmissionAddr, remote.StartTLS, relay.CAFile), Auth: r.cfg.IMAP.Auth}
	return r, relay
}

// accept routes an interaction to alice and accepts it.
func (r *rig) accept(id string) store.Interaction {
	r.t.Helper()
	var i store.Interaction
	r.Eventually(func() error {
		if _, err := r.store.Route(r.t.Context(), 10, routing.Decide); err != nil {
			return err
		}
		var err error
		i, err = r.store.Accept(r.t.Context(), namespace, id, "alice")
		return err
	}, 10*time.Second, 20*time.Millisecond).Should(Succeed())
	return i
}

func (r *rig) reply(i store.Interaction, text string, change ...func(*message.Reply)) store.Message {
	r.t.Helper()
	account, err := r.store.GetAccount(r.t.Context(), key(i.Account))
	r.Expect(err).NotTo(HaveOccurred())
	reply := message.Reply{
		Account: account.Key, From: mail.Address{Name: account.DisplayName, Address: account.Address}, Agent: "alice",
		InteractionID: i.ID, To: mail.Address{Name: i.Name, Address: i.Customer}, Subject: i.Subject, Text: text, At: time.Now(),
	}
	for _, m := range r.messages(i) {
		if m.Direction == store.Inbound {
			reply.Original, err = r.store.RawMessage(r.t.Context(), i.Namespace, m.ID)
			r.Expect(err).NotTo(HaveOccurred())
		}
	}
	for _, c := range change {
		c(&reply)
	}
	m, raw, err := message.BuildReply(reply)
	r.Expect(err).NotTo(HaveOccurred())
	m, err = r.store.AddReply(r.t.Context(), m, raw, store.ReplyExtras{})
	r.Expect(err).NotTo(HaveOccurred())
	return m
}

func (r *rig) messageState(m store.Message) func() store.MessageState {
	return func() store.MessageState {
		got, err := r.store.GetMessage(r.t.Context(), namespace, m.ID)
		if err != nil {
			return ""
		}
		return got.State
	}
}

// inbox reads the mails of a mailbox.
func (r *rig) inbox(name string) []*mail.Message {
	r.t.Helper()
	c := r.client(name)
	defer func() { _ = c.Close() }()
	data, err := c.Select("INBOX", nil).Wait()
	r.Expect(err).NotTo(HaveOccurred())
	if data.NumMessages == 0 {
		return nil
	}
	section := &imap.FetchItemBodySection{Peek: true}
	var all imap.SeqSet
	all.AddRange(1, data.NumMessages)
	list, err := c.Fetch(all, &imap.FetchOptions{BodySection: []*imap.FetchItemBodySection{section}}).Collect()
	r.Expect(err).NotTo(HaveOccurred())
	var mails []*mail.Message
	for _, l := range list {
		m, err := mail.ReadMessage(strings.NewReader(string(l.FindBodySection(section))))
		r.Expect(err).NotTo(HaveOccurred())
		mails = append(mails, m)
	}
	return mails
}

// Hidden recipients get the answer, and nobody's copy tells of them.
func TestHiddenCopies(t *testing.T) {
	r, _ := sendingRig(t)
	r.run(fast(), r.cfg)
	paula, quinn, rosa, sven := r.dovecot.Address("paula"), r.dovecot.Address("quinn"), r.dovecot.Address("rosa"), r.dovecot.Address("sven")
	r.put("support", strings.Replace(letter("With copies", "Hello"), "carla@customers.test", paula, 1))
	r.awaitCount(1)
	m := r.reply(r.accept(r.interactions()[0].ID), "To all of you.", func(reply *message.Reply) {
		reply.Cc, reply.Bcc = []string{quinn}, []string{rosa, sven}
	})
	r.Eventually(r.messageState(m), 10*time.Second).Should(Equal(store.MessageSent))
	for _, name := range []string{"paula", "quinn", "rosa", "sven"} {
		r.Eventually(func() int { return len(r.inbox(name)) }, 10*time.Second).Should(Equal(1), name)
		got := r.inbox(name)[0]
		r.Expect(got.Header).NotTo(HaveKey("Bcc"), name)
		r.Expect(got.Header.Get("Message-Id")).To(Equal("<" + m.MessageID + ">"))
		r.Expect(got.Header.Get("To")).To(ContainSubstring(paula))
		r.Expect(got.Header.Get("Cc")).To(ContainSubstring(quinn))
		whole := fmt.Sprint(got.Header)
		for _, hidden := range []string{rosa, sven} {
			if hidden != r.dovecot.Address(name) { // the server notes in each mailbox whose it is
				r.Expect(whole).NotTo(ContainSubstring(hidden), name)
			}
		}
	}
}

// A customer writes by SMTP, is answered, and answers: one interaction, three messages, threaded at both ends.
func TestConversation(t *testing.T) {
	r, relay := sendingRig(t)
	customer := smtp.Config{Server: serverAt(t, relay.Addr, remote.None, relay.CAFile), Auth: remote.Auth{Type: remote.AuthNone}}
	r.run(fast(), r.cfg)
	r.Eventually(func() string { return r.status("support").SMTP }, 10*time.Second).Should(Equal(ReasonReady), "%v", r.status("support"))
	carla, support := r.dovecot.Address("carla"), r.dovecot.Address("support")
	first := "From: =?utf-8?q?Carla_M=C3=BCller?= <" + carla + ">\r\nTo: " + support + "\r\nSubject: My order\r\nMessage-ID: <first@carla.test>\r\n\r\nWhere is it?\r\n"
	r.Expect(smtp.Send(t.Context(), customer, carla, []string{support}, []byte(first))).To(Succeed())
	r.awaitCount(1)
	i := r.interactions()[0]
	r.Expect(i.State).To(Equal(store.StateQueued))
	r.Expect(i.Customer).To(Equal(carla))
	r.Expect(i.Name).To(Equal("Carla Müller"))
	i = r.accept(i.ID)
	begin := time.Now()
	m := r.reply(i, "On its way.\nTomorrow, we hope: äöü.")
	r.Eventually(r.messageState(m), 10*time.Second, 5*time.Millisecond).Should(Equal(store.MessageSent))
	t.Logf("from AddReply to Sent: %s", time.Since(begin))

	r.Eventually(func() int { return len(r.inbox("carla")) }, 10*time.Second).Should(Equal(1))
	answer := r.inbox("carla")[0]
	from, err := answer.Header.AddressList("From")
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(*from[0]).To(Equal(mail.Address{Name: "Support", Address: support}))
	r.Expect(answer.Header.Get("Subject")).To(Equal("Re: My order"))
	r.Expect(answer.Header.Get("In-Reply-To")).To(Equal("<first@carla.test>"))
	r.Expect(answer.Header.Get("References")).To(Equal("<first@carla.test>"))
	r.Expect(answer.Header.Get("Message-Id")).To(Equal("<" + m.MessageID + ">"))
	r.Expect(m.MessageID).To(HavePrefix(i.ID + "."))
	r.Expect(m.MessageID).To(HaveSuffix("@example.test"))

	// A program that keeps only References answers.
	second := "From: " + carla + "\r\nTo: " + support + "\r\nSubject: other words\r\nMessage-ID: <second@carla.test>\r\nReferences: <" + m.MessageID + ">\r\n\r\nThanks\r\n"
	r.Expect(smtp.Send(t.Context(), customer, carla, []string{support}, []byte(second))).To(Succeed())
	r.Eventually(func() int { return len(r.messages(i)) }, 10*time.Second).Should(Equal(3))
	r.Expect(r.count()).To(Equal(1))
	r.reply(i, "You are welcome.")
	r.Eventually(func() int { return len(r.inbox("carla")) }, 10*time.Second).Should(Equal(2))
	last := r.inbox("carla")[1]
	r.Expect(last.Header.Get("In-Reply-To")).To(Equal("<second@carla.test>"))
	r.Expect(strings.Fields(last.Header.Get("References"))).To(HaveLen(2))
	r.Expect(last.Header.Get("Subject")).To(Equal("Re: other words"))
}

// The SMTP half is proven without sending anything, over each kind of connection.
func TestSMTPVerified(t *testing.T) {
	r, relay := sendingRig(t)
	good := r.cfg.SMTP
	cases := []struct {
		name   string
		change func(*SMTP)
		reason string
	}{
		{"submission", func(*SMTP) {}, ReasonReady},
		{"tls", func(s *SMTP) { s.Server = serverAt(t, relay.SMTPSAddr, remote.TLS, relay.CAFile) }, ReasonReady},
		{"relay", func(s *SMTP) {
			s.Server, s.Auth = serverAt(t, relay.Addr, remote.None, relay.CAFile), remote.Auth{Type: remote.AuthNone}
		}, ReasonReady},
		{"wrong-password", func(s *SMTP) { s.Auth.Password = "wrong-one" }, ReasonAuthenticationFailed},
		{"clear-text", func(s *SMTP) { s.Security = remote.None }, ReasonEncryptionRequired},
		{"unknown-ca", func(s *SMTP) { s.RootCAs = "" }, ReasonCertificateInvalid},
		{"no-server", func(s *SMTP) { s.Port = 1 }, ReasonConnectionFailed},
		{"not-smtp-tls", func(s *SMTP) { s.Security = remote.TLS }, ReasonConnectionFailed},
	}
	var cfgs []Config
	for _, c := range cases {
		cfg := r.account(c.name)
		cfg.SMTP = good
		cfg.SMTP.Auth = cfg.IMAP.Auth
		c.change(&cfg.SMTP)
		cfgs = append(cfgs, cfg)
	}
	r.run(fast(), cfgs...)
	for _, c := range cases {
		r.Eventually(func() string { return r.status(c.name).SMTP }, 15*time.Second, 20*time.Millisecond).Should(Equal(c.reason), c.name)
		r.Expect(r.status(c.name).SMTPMessage).NotTo(ContainSubstring("wrong-one"))
	}
	for _, c := range cases {
		r.Expect(r.inbox(c.name)).To(BeEmpty(), "nothing is sent")
	}
}

// A reply written while the server is away goes out when it is back; one that is refused for good fails at once.
func TestSendingAgainAndFailing(t *testing.T) {
	r, relay := sendingRig(t)
	r.put("support",
		"From: "+r.dovecot.Address("dora")+"\r\nSubject: good\r\n\r\nx\r\n",
		"From: nobody@nowhere.example\r\nSubject: refused\r\n\r\nx\r\n")
	_, stop := r.run(fast(), r.cfg)
	r.awaitCount(2)
	good, refused := r.accept(r.find("good").ID), r.accept(r.find("refused").ID)
	stop()
	r.cfg.SMTP = SMTP{Server: serverAt(t, relay.Addr, remote.None, relay.CAFile), Auth: remote.Auth{Type: remote.AuthNone}}
	r.Expect(relay.Kill9()).To(Succeed())
	r.run(fast(), r.cfg)
	r.Eventually(func() string { return r.status("support").SMTP }, 10*time.Second).Should(Equal(ReasonConnectionFailed))
	m := r.reply(good, "hello")
	r.Eventually(func() int {
		got, err := r.store.GetMessage(t.Context(), namespace, m.ID)
		r.Expect(err).NotTo(HaveOccurred())
		if got.State != store.MessagePending {
			return 0
		}
		return got.Attempts
	}, 10*time.Second).Should(BeNumerically(">=", 1))
	r.Expect(relay.Restart(t.Context())).To(Succeed())
	r.Eventually(func() string { return r.status("support").SMTP }, 10*time.Second).Should(Equal(ReasonReady))
	f := r.reply(refused, "hello")
	r.Eventually(r.messageState(f), 10*time.Second).Should(Equal(store.MessageFailed))
	got, err := r.store.GetMessage(t.Context(), namespace, f.ID)
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(got.Detail).To(MatchRegexp(`the server answered 5\d\d to RCPT`))
	r.Eventually(r.messageState(m), 30*time.Second).Should(Equal(store.MessageSent))
	r.Eventually(func() int { return len(r.inbox("dora")) }, 10*time.Second).Should(Equal(1))
}

func TestOutcome(t *testing.T) {
	temporary := &smtp.SendError{Code: 451, Step: "RCPT"}
	down := &remote.Error{Reason: ReasonConnectionFailed, Message: "connection refused"}
	cases := map[string]struct {
		attempts int
		err      error
		state    store.MessageState
		detail   string
		retry    time.Duration
	}{
		"sent":            {1, nil, store.MessageSent, "", 0},
		"refused":         {1, &smtp.SendError{Code: 550, Step: "RCPT"}, store.MessageFailed, "the server answered 550 to RCPT", 0},
		"first temporary": {1, temporary, store.MessagePending, "the server answered 451 to RCPT", 30 * time.Second},
		"third":           {3, down, store.MessagePending, "connection refused", 2 * time.Minute},
		"ninth":           {9, down, store.MessagePending, "connection refused", 2 * time.Hour},
		"last":            {10, temporary, store.MessageFailed, "given up after 10 attempts: the server answered 451 to RCPT", 0},
		"unknown":         {1, errors.New("secret detail"), store.MessagePending, "the connection failed", 30 * time.Second},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			state, detail, retry := outcome(c.attempts, c.err, 30*time.Second)
			g.Expect(state).To(Equal(c.state))
			g.Expect(detail).To(Equal(c.detail))
			g.Expect(retry).To(Equal(c.retry))
		})
	}
}
