package session

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"go.uber.org/goleak"

	"github.com/ringmaster-dev/ringmaster/internal/mail/imaptest"
	"github.com/ringmaster-dev/ringmaster/internal/mail/remote"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const letter = "From: a@customers.test\r\nX-A: SAFE\r\nSubject: one\r\n\r\nhello\r\n"

func config(t *testing.T, addr string) Config {
	t.Helper()
	host, port, _ := net.SplitHostPort(addr)
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return Config{
		Server: remote.Server{Host: host, Port: number, Security: remote.None, ConnectionTimeout: time.Second, AuthenticationTimeout: time.Second},
		Auth:   remote.Auth{Type: remote.AuthBasic, Username: "u", Password: "p", AllowInsecure: true},
		// Short, so that a silent server is noticed within the test.
		CommandTimeout: 300 * time.Millisecond, StallTimeout: 300 * time.Millisecond,
	}
}

// selected is a session in a mailbox of the server.
func selected(t *testing.T, s *imaptest.Server) *Session {
	t.Helper()
	g := NewWithT(t)
	session, err := Dial(t.Context(), config(t, s.Addr))
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(session.Close)
	_, err = session.Select(t.Context(), "INBOX")
	g.Expect(err).NotTo(HaveOccurred())
	return session
}

func fetch(t *testing.T, s *Session, uids ...uint32) ([]Body, error) {
	t.Helper()
	sizes := map[uint32]int64{}
	for _, u := range uids {
		sizes[u] = int64(len(letter))
	}
	f, err := s.StartFetch(t.Context(), sizes)
	if err != nil {
		return nil, err
	}
	return f.Collect()
}

func TestPlainSession(t *testing.T) {
	g := NewWithT(t)
	server := imaptest.New(t, imaptest.Mail{UID: 3, Raw: letter}, imaptest.Mail{UID: 5, Raw: letter}, imaptest.Mail{UID: 9, Raw: letter, Seen: true})
	s := selected(t, server)
	uids, err := s.SearchUnseen(t.Context(), 4, []string{"X-A"})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(uids).To(Equal([]uint32{5}), "from the floor on")
	infos, err := s.Describe(t.Context(), uids, []string{"X-A"})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(infos).To(HaveLen(1))
	g.Expect(infos[5].Size).To(BeEquivalentTo(len(letter)))
	g.Expect(string(infos[5].Header)).To(ContainSubstring("X-A: SAFE"))
	bodies, err := fetch(t, s, 5)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(bodies).To(Equal([]Body{{UID: 5, Raw: []byte(letter)}}))
	seen, err := s.MarkSeen(t.Context(), uids)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(seen.Wait(t.Context())).To(Succeed())
	g.Expect(server.Mails()[1].Seen).To(BeTrue())
	// Trap 13: a broken BODYSTRUCTURE or ENVELOPE would kill the fetch; neither is ever asked for, and reading sets no flag.
	for _, c := range server.Commands() {
		g.Expect(c).NotTo(Or(ContainSubstring("BODYSTRUCTURE"), ContainSubstring("ENVELOPE"), ContainSubstring("BODY["), ContainSubstring("X-GM")))
	}
	g.Expect(server.Commands()).To(ContainElement(`UID SEARCH HEADER "X-A" "" UNSEEN`))
}

// Trap 1: a body before its UID is lost by UID FETCH; the sequence number finds it, and the UID is checked.
func TestBodyBeforeUID(t *testing.T) {
	g := NewWithT(t)
	server := imaptest.New(t, imaptest.Mail{UID: 5, Raw: letter})
	backwards := func(c *imaptest.Conn, args string) bool {
		if !strings.Contains(args, "BODY.PEEK[]") {
			return false
		}
		c.Say("* 1 FETCH (BODY[] {%d}\r\n%s UID 5)", len(letter), letter)
		c.OK()
		return true
	}
	server.Handle("UID FETCH", backwards)
	server.Handle("FETCH", backwards)
	s := selected(t, server)
	bodies, err := fetch(t, s, 5)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(bodies).To(BeEmpty(), "missing, not empty or another's")
	body, err := s.FetchOne(t.Context(), Info{UID: 5, SeqNum: 1, Size: int64(len(letter))})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(body).To(Equal(&Body{UID: 5, Raw: []byte(letter)}))
	body, err = s.FetchOne(t.Context(), Info{UID: 6, SeqNum: 1, Size: int64(len(letter))})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(body).To(BeNil(), "the mail at this place is another one")
}

// Trap 2: an unsolicited FETCH takes the UID and the body that follows is lost: it must count as missing.
func TestUnsolicitedFetchFirst(t *testing.T) {
	g := NewWithT(t)
	server := imaptest.New(t, imaptest.Mail{UID: 5, Raw: letter})
	first := true
	server.Handle("UID FETCH", func(c *imaptest.Conn, _ string) bool {
		if first {
			first = false
			c.Say(`* 1 FETCH (UID 5 FLAGS (\Flagged))`)
		}
		return false
	})
	s := selected(t, server)
	bodies, err := fetch(t, s, 5)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(bodies).To(BeEmpty())
	bodies, err = fetch(t, s, 5)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(bodies).To(HaveLen(1))
}

// Trap 3: a connection cut within a literal is an error, never a short body.
func TestLiteralCut(t *testing.T) {
	g := NewWithT(t)
	server := imaptest.New(t, imaptest.Mail{UID: 5, Raw: letter}, imaptest.Mail{UID: 6, Raw: letter})
	server.Handle("UID FETCH", func(c *imaptest.Conn, _ string) bool {
		c.Say("* 1 FETCH (UID 5 BODY[] {%d}\r\n%s)", len(letter), letter)
		fmt.Fprintf(c, "* 2 FETCH (UID 6 BODY[] {%d}\r\n%s", len(letter), letter[:20])
		_ = c.Close()
		return true
	})
	s := selected(t, server)
	bodies, err := fetch(t, s, 5, 6)
	g.Expect(bodies).To(BeEmpty())
	g.Expect(remote.ReasonOf(err)).To(Equal(remote.ReasonConnectionFailed), "%v", err)
}

// Trap 4: BODY[] NIL and a UID the server does not mention are missing, without an error.
func TestNoBody(t *testing.T) {
	g := NewWithT(t)
	server := imaptest.New(t, imaptest.Mail{UID: 5, Raw: letter})
	server.Handle("UID FETCH", func(c *imaptest.Conn, _ string) bool {
		c.Say("* 1 FETCH (UID 5 BODY[] NIL)")
		c.OK()
		return true
	})
	s := selected(t, server)
	bodies, err := fetch(t, s, 5, 77)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(bodies).To(BeEmpty())
}

// Trap 5: a server that falls silent is left after the command's time, in every command and in IDLE.
func TestSilence(t *testing.T) {
	for _, command := range []string{"SELECT", "UID SEARCH", "NOOP", "UID STORE", "UID FETCH", "IDLE", "AUTHENTICATE"} {
		t.Run(command, func(t *testing.T) {
			g := NewWithT(t)
			server := imaptest.New(t, imaptest.Mail{UID: 5, Raw: letter})
			server.Handle(command, func(c *imaptest.Conn, _ string) bool { c.Hang(); return true })
			begin := time.Now()
			err := everything(t, server)
			g.Expect(remote.ReasonOf(err)).To(Equal(remote.ReasonTimedOut), "%v", err)
			g.Expect(time.Since(begin)).To(BeNumerically("<", 3*time.Second))
			g.Eventually(server.Open).Should(BeZero())
		})
	}
}

func everything(t *testing.T, server *imaptest.Server) error {
	ctx := t.Context()
	s, err := Dial(ctx, config(t, server.Addr))
	if err != nil {
		return err
	}
	defer s.Close()
	if _, err := s.Select(ctx, "INBOX"); err != nil {
		return err
	}
	if err := s.Noop(ctx); err != nil {
		return err
	}
	if _, err := s.SearchUnseen(ctx, 0, nil); err != nil {
		return err
	}
	if _, err := fetch(t, s, 5); err != nil {
		return err
	}
	seen, err := s.MarkSeen(ctx, []uint32{5})
	if err != nil {
		return err
	}
	if err := seen.Wait(ctx); err != nil {
		return err
	}
	_, err = s.Idle(ctx, 10*time.Millisecond, nil)
	return err
}

// Trap 6: a missing greeting costs the connection timeout and not a minute.
func TestNoGreeting(t *testing.T) {
	g := NewWithT(t)
	server := imaptest.New(t)
	server.Greeting("")
	begin := time.Now()
	_, err := Dial(t.Context(), config(t, server.Addr))
	g.Expect(remote.ReasonOf(err)).To(Equal(remote.ReasonTimedOut), "%v", err)
	g.Expect(time.Since(begin)).To(BeNumerically("~", time.Second, 800*time.Millisecond))
}

// Trap 7: BYE without a closed connection ends IDLE.
func TestByeInIdle(t *testing.T) {
	g := NewWithT(t)
	server := imaptest.New(t)
	server.Handle("IDLE", func(c *imaptest.Conn, _ string) bool {
		c.Say("+ idling")
		c.Say("* 3 EXPUNGE")
		c.Say("* bye the server is going down")
		c.Hang()
		return true
	})
	s := selected(t, server)
	begin := time.Now()
	_, err := s.Idle(t.Context(), time.Minute, nil)
	g.Expect(remote.ReasonOf(err)).To(Equal(remote.ReasonConnectionFailed), "%v", err)
	g.Expect(time.Since(begin)).To(BeNumerically("<", 5*time.Second))
}

// Traps 8 and 9: IDLE is left before any other command and issued anew in the caller's interval.
func TestIdleAgain(t *testing.T) {
	g := NewWithT(t)
	server := imaptest.New(t)
	s := selected(t, server)
	for range 3 {
		noticed, err := s.Idle(t.Context(), 20*time.Millisecond, nil)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(noticed).To(BeFalse())
		g.Expect(s.Noop(t.Context())).To(Succeed())
	}
	idles := slices.DeleteFunc(server.Commands(), func(c string) bool { return c != "IDLE" })
	g.Expect(idles).To(HaveLen(3))
}

// A mail that arrives between the search and IDLE is not slept over.
func TestNoticeBeforeIdle(t *testing.T) {
	g := NewWithT(t)
	server := imaptest.New(t)
	server.Handle("NOOP", func(c *imaptest.Conn, _ string) bool {
		c.Say("* 1 EXISTS")
		return false
	})
	s := selected(t, server)
	_, err := s.SearchUnseen(t.Context(), 0, nil)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(s.Noop(t.Context())).To(Succeed())
	noticed, err := s.Idle(t.Context(), time.Minute, nil)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(noticed).To(BeTrue())
}

// Trap 10: a literal may take long as long as it moves; go-imap's own limit on the whole does not count.
func TestSlowLiteral(t *testing.T) {
	g := NewWithT(t)
	server := imaptest.New(t, imaptest.Mail{UID: 5, Raw: letter})
	stall := false
	server.Handle("UID FETCH", func(c *imaptest.Conn, _ string) bool {
		fmt.Fprintf(c, "* 1 FETCH (UID 5 BODY[] {%d}\r\n", len(letter))
		for i := range len(letter) {
			if stall && i == 10 {
				c.Hang()
				return true
			}
			fmt.Fprint(c, letter[i:i+1])
			time.Sleep(10 * time.Millisecond) // the slow line: together longer than the stall timeout
		}
		c.Say(")")
		c.OK()
		return true
	})
	s := selected(t, server)
	bodies, err := fetch(t, s, 5)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(bodies).To(HaveLen(1))
	time.Sleep(400 * time.Millisecond) // nothing under way: no stall timeout runs
	g.Expect(s.Noop(t.Context())).To(Succeed())
	stall = true
	_, err = fetch(t, s, 5)
	g.Expect(remote.ReasonOf(err)).To(Equal(remote.ReasonTimedOut), "%v", err)
}

// Trap 11: what go-imap does not know ends the connection with an error that says so, and nothing else.
func TestUnknownResponses(t *testing.T) {
	for name, say := range map[string]string{
		"fetch item": "* 1 FETCH (UID 5 X-GM-MSGID 1278455344230334865)",
		"vanished":   "* VANISHED (EARLIER) 41,43:116",
		"garbage":    "ceci n'est pas IMAP",
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			server := imaptest.New(t, imaptest.Mail{UID: 5, Raw: letter})
			server.Handle("UID FETCH", func(c *imaptest.Conn, _ string) bool {
				c.Say("%s", say)
				return false
			})
			s := selected(t, server)
			bodies, err := fetch(t, s, 5)
			g.Expect(bodies).To(BeEmpty())
			g.Expect(remote.ReasonOf(err)).To(Equal(remote.ReasonProtocolError), "%v", err)
			g.Expect(err.Error()).NotTo(ContainSubstring("ceci"))
		})
	}
}

// A server that answers two fetches at once, as Dovecot may, does not block the reader.
func TestFetchesAnsweredTogether(t *testing.T) {
	g := NewWithT(t)
	server := imaptest.New(t, imaptest.Mail{UID: 5, Raw: letter}, imaptest.Mail{UID: 6, Raw: letter})
	first := ""
	server.Handle("UID FETCH", func(c *imaptest.Conn, _ string) bool {
		if first == "" {
			first = c.Tag
			return true
		}
		c.Say("* 2 FETCH (UID 6 BODY[] {%d}\r\n%s)", len(letter), letter)
		c.OK()
		c.Say("* 1 FETCH (UID 5 BODY[] {%d}\r\n%s)", len(letter), letter)
		c.Say("%s OK done", first)
		return true
	})
	s := selected(t, server)
	one, err := s.StartFetch(t.Context(), map[uint32]int64{5: 1})
	g.Expect(err).NotTo(HaveOccurred())
	two, err := s.StartFetch(t.Context(), map[uint32]int64{6: 1})
	g.Expect(err).NotTo(HaveOccurred())
	bodies, err := one.Collect()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(bodies).To(HaveLen(1))
	bodies, err = two.Collect()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(bodies).To(HaveLen(1))
}

// A literal far beyond the announced size is refused before it is read.
func TestHugeLiteral(t *testing.T) {
	g := NewWithT(t)
	server := imaptest.New(t, imaptest.Mail{UID: 5, Raw: letter})
	server.Handle("UID FETCH", func(c *imaptest.Conn, _ string) bool {
		c.Say("* 1 FETCH (UID 5 BODY[] {4000000000}")
		c.Hang()
		return true
	})
	s := selected(t, server)
	_, err := fetch(t, s, 5)
	g.Expect(remote.ReasonOf(err)).To(Equal(remote.ReasonProtocolError), "%v", err)
}

func TestCancelEndsEverything(t *testing.T) {
	g := NewWithT(t)
	server := imaptest.New(t)
	s := selected(t, server)
	why := errors.New("lease lost")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(50*time.Millisecond, func() { cancel(why) })
	_, err := s.Idle(ctx, time.Minute, nil)
	g.Expect(err).To(MatchError(why))
}

// A fetch that is given up while it is sent may have been answered already. Its literal must be taken, or
// go-imap's reader waits for it and the session never closes.
func TestFetchGivenUp(t *testing.T) {
	server := imaptest.New(t, imaptest.Mail{UID: 3, Raw: letter})
	for i := range 300 {
		s, err := Dial(t.Context(), config(t, server.Addr))
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
		_, err = s.Select(t.Context(), "INBOX")
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Duration(i)*time.Microsecond, cancel)
		f, err := s.StartFetch(ctx, map[uint32]int64{3: int64(len(letter))})
		closes(t, s)
		if err == nil {
			_, _ = f.Collect()
		}
		cancel()
	}
}

// A server that answers STORE with a body nobody asked for does not keep the session open.
func TestStoreAnsweredWithBody(t *testing.T) {
	g := NewWithT(t)
	server := imaptest.New(t, imaptest.Mail{UID: 3, Raw: letter})
	server.Handle("UID STORE", func(c *imaptest.Conn, _ string) bool {
		c.Say("* 1 FETCH (UID 3 BODY[] {%d}\r\n%s)", len(letter), letter)
		return true // and no more
	})
	s := selected(t, server)
	_, err := s.MarkSeen(t.Context(), []uint32{3})
	g.Expect(err).NotTo(HaveOccurred())
	time.Sleep(100 * time.Millisecond) // until the answer is there
	closes(t, s)
}

// closes fails when Close does not end.
func closes(t *testing.T, s *Session) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Close()
	}()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Fatal("the session does not close")
	}
}
