package mail

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"go.uber.org/goleak"

	"github.com/ringmaster-dev/ringmaster/internal/mail/imaptest"
	"github.com/ringmaster-dev/ringmaster/internal/mail/remote"
	"github.com/ringmaster-dev/ringmaster/internal/store"
	"github.com/ringmaster-dev/ringmaster/internal/store/storetest"
)

// scripted is a rig whose server is a script.
func scripted(t testing.TB, mails ...imaptest.Mail) (*rig, *imaptest.Server) {
	t.Helper()
	ignore := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, ignore) })
	server := imaptest.New(t, mails...)
	st := storetest.SQLite(t)
	r := &rig{t: t, Gomega: NewWithT(t), store: st}
	r.Expect(st.PutQueue(t.Context(), store.Queue{Key: key("mail"), Channel: store.ChannelEmail, Strategy: "RRMemory", OfferTimeout: time.Minute})).To(Succeed())
	r.Expect(st.PutAccount(t.Context(), store.Account{Key: key("support"), Address: "support@example.test", Queue: "mail", Active: true})).To(Succeed())
	host, port, _ := strings.Cut(server.Addr, ":")
	r.cfg = Config{
		Account: key("support"), Address: "support@example.test",
		IMAP: IMAP{
			Server: remote.Server{Host: host, Security: remote.None}, InitialSync: All, PollInterval: 50 * time.Millisecond,
			Auth: remote.Auth{Type: remote.AuthBasic, Username: "u", Password: "p", AllowInsecure: true},
		},
	}
	_, err := fmt.Sscan(port, &r.cfg.IMAP.Port)
	r.Expect(err).NotTo(HaveOccurred())
	return r, server
}

func three() []imaptest.Mail {
	var mails []imaptest.Mail
	for _, uid := range []uint32{5, 6, 7} {
		mails = append(mails, imaptest.Mail{UID: uid, Raw: letter(fmt.Sprintf("mail %d", uid), "x")})
	}
	return mails
}

func allSeen(s *imaptest.Server) func() bool {
	return func() bool {
		for _, m := range s.Mails() {
			if !m.Seen {
				return false
			}
		}
		return true
	}
}

// A server that always sends the body before the UID is read by sequence number (trap 1).
func TestBodiesBeforeUIDs(t *testing.T) {
	r, server := scripted(t, three()...)
	backwards := func(c *imaptest.Conn, args string) bool {
		if !strings.Contains(args, "BODY.PEEK[]") {
			return false
		}
		bySeq := server.Commands()[len(server.Commands())-1][:3] != "UID"
		for i, m := range server.Mails() {
			wanted := strings.HasPrefix(args, fmt.Sprintf("%d ", m.UID)) || strings.Contains(args, ":")
			if bySeq {
				wanted = strings.HasPrefix(args, fmt.Sprintf("%d ", i+1))
			}
			if wanted {
				c.Say("* %d FETCH (BODY[] {%d}\r\n%s UID %d)", i+1, len(m.Raw), m.Raw, m.UID)
			}
		}
		c.OK()
		return true
	}
	server.Handle("UID FETCH", backwards)
	server.Handle("FETCH", backwards)
	r.run(fast(), r.cfg)
	r.awaitCount(3)
	r.Expect(r.subjects()).To(ConsistOf("mail 5", "mail 6", "mail 7"))
	r.Eventually(allSeen(server), 5*time.Second).Should(BeTrue())
}

// One mail whose body breaks the connection each time does not keep the others back, and is quarantined with its
// header in the end.
func TestPoisonedMail(t *testing.T) {
	r, server := scripted(t, three()...)
	server.Handle("UID FETCH", func(c *imaptest.Conn, args string) bool {
		set, _, _ := strings.Cut(args, " ")
		if !strings.Contains(args, "BODY.PEEK[]") || set != "6" && !strings.Contains(set, ":") {
			return false
		}
		c.Say("* 2 FETCH (UID 6 BODY[] {1000}\r\ncut")
		_ = c.Close()
		return true
	})
	r.run(fast(), r.cfg)
	r.awaitCount(3)
	m := r.messages(r.find("mail 6"))[0]
	r.Expect(m.State).To(Equal(store.MessageQuarantined))
	r.Expect(m.Detail).To(ContainSubstring("does not give its body"))
	r.Eventually(allSeen(server), 5*time.Second).Should(BeTrue())
	r.Expect(server.Dials()).To(BeNumerically("<", 15))
}

// BODY[] NIL for a mail that is there: tried again, then quarantined; nothing empty is ever stored as the mail (trap 4).
func TestBodyNIL(t *testing.T) {
	r, server := scripted(t, three()...)
	nothing := func(c *imaptest.Conn, args string) bool {
		if !strings.Contains(args, "BODY.PEEK[]") {
			return false
		}
		for i, m := range server.Mails() {
			c.Say("* %d FETCH (UID %d BODY[] NIL)", i+1, m.UID)
		}
		c.OK()
		return true
	}
	server.Handle("UID FETCH", nothing)
	server.Handle("FETCH", nothing)
	r.run(fast(), r.cfg)
	r.awaitCount(3)
	for _, i := range r.interactions() {
		r.Expect(r.messages(i)[0].State).To(Equal(store.MessageQuarantined))
	}
}

// A server that never lets mails be flagged still has each ingested once.
func TestReadOnlyMailbox(t *testing.T) {
	r, server := scripted(t, three()...)
	server.Handle("UID STORE", func(c *imaptest.Conn, _ string) bool {
		c.Say("%s NO [READ-ONLY] not here", c.Tag)
		return true
	})
	r.cfg.IMAP.Delivery = Poll
	r.run(fast(), r.cfg)
	r.awaitCount(3)
	r.Consistently(r.count, 400*time.Millisecond).Should(Equal(3))
	r.Expect(r.status("support").IMAP).To(Equal(ReasonReady))
	fetches := 0
	for _, c := range server.Commands() {
		if strings.Contains(c, "BODY.PEEK[]") {
			fetches++
		}
	}
	r.Expect(fetches).To(Equal(1))
}

// A server that hangs in the middle is left, and the mail is there after the next connection.
func TestHangingServer(t *testing.T) {
	r, server := scripted(t, three()...)
	var hung atomic.Bool
	server.Handle("UID SEARCH", func(c *imaptest.Conn, _ string) bool {
		if hung.Swap(true) {
			return false
		}
		time.AfterFunc(200*time.Millisecond, server.Hangup)
		c.Hang()
		return true
	})
	r.run(fast(), r.cfg)
	r.awaitCount(3)
	r.Expect(server.Dials()).To(Equal(2))
}

// refusing is a store that refuses one mail, as PostgreSQL refuses text that it cannot hold.
type refusing struct {
	*store.DB
	subject string
	refused atomic.Int32
}

func (s *refusing) Ingest(ctx context.Context, l store.Lease, account store.Key, mails []store.IngestMail) ([]store.IngestResult, error) {
	for _, m := range mails {
		if m.Message.Subject == s.subject {
			s.refused.Add(1)
			return nil, fmt.Errorf("invalid byte sequence")
		}
	}
	return s.DB.Ingest(ctx, l, account, mails)
}

// A mail that the store refuses is quarantined; the others of its batch are stored as they are.
func TestStoreRefusesOneMail(t *testing.T) {
	r, server := scripted(t, three()...)
	st := &refusing{DB: r.store, subject: "mail 6"}
	s := NewSupervisor(st, fast())
	s.Apply(r.cfg)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	defer func() { cancel(); r.Expect(<-done).To(Succeed()) }()
	r.awaitCount(3)
	r.Expect(r.subjects()).To(ConsistOf("mail 5", "", "mail 7"))
	r.Expect(r.messages(r.find(""))[0].State).To(Equal(store.MessageQuarantined))
	r.Expect(st.refused.Load()).To(BeNumerically(">=", 2))
	r.Eventually(allSeen(server), 5*time.Second).Should(BeTrue())
}

// While the store is away nothing is flagged, and everything is there when it is back.
func TestStoreAway(t *testing.T) {
	r, server := scripted(t, three()...)
	st := &away{DB: r.store}
	st.down.Store(true)
	s := NewSupervisor(st, fast())
	s.Apply(r.cfg)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	defer func() { cancel(); r.Expect(<-done).To(Succeed()) }()
	r.awaitIMAP("support", ReasonStoreUnavailable)
	r.Expect(r.count()).To(BeZero())
	r.Expect(allSeen(server)()).To(BeFalse())
	st.down.Store(false)
	r.awaitCount(3)
	for _, i := range r.interactions() {
		r.Expect(r.messages(i)[0].State).To(Equal(store.MessageStored))
	}
}

type away struct {
	*store.DB
	down atomic.Bool
}

func (s *away) Ingest(ctx context.Context, l store.Lease, account store.Key, mails []store.IngestMail) ([]store.IngestResult, error) {
	if s.down.Load() {
		return nil, fmt.Errorf("connection refused")
	}
	return s.DB.Ingest(ctx, l, account, mails)
}

// An account that asks for IDLE says when its server has none, and takes nothing meanwhile.
func TestIdleIsInsistedOn(t *testing.T) {
	r, server := scripted(t, three()...)
	server.Greeting("* PREAUTH [CAPABILITY IMAP4rev1] in already\r\n")
	r.cfg.IMAP.Delivery = Idle
	s, _ := r.run(fast(), r.cfg)
	r.awaitIMAP("support", ReasonProtocolError)
	r.Expect(r.status("support").IMAPMessage).To(ContainSubstring("does not offer IDLE"))
	r.Expect(r.count()).To(BeZero())
	r.cfg.IMAP.Delivery = Auto
	s.Apply(r.cfg)
	r.awaitCount(3)
}
