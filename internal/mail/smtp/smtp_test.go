package smtp

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"go.uber.org/goleak"

	"github.com/ringmaster-dev/ringmaster/internal/mail/remote"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// script answers commands by their first word; "" hangs. It keeps what it was told.
type script struct {
	addr     string
	answers  map[string]string
	slow     time.Duration // before the answer to the final dot
	mu       sync.Mutex
	received []string
}

func newScript(t *testing.T, answers map[string]string) *script {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &script{addr: l.Addr().String(), answers: map[string]string{
		"GREETING": "220 hi", "EHLO": "250-hi\r\n250 AUTH PLAIN LOGIN", "AUTH": "235 ok", "MAIL": "250 ok", "RCPT": "250 ok",
		"DATA": "354 go", ".": "250 kept", "NOOP": "250 ok", "QUIT": "221 bye", "*": "501 ok",
	}}
	maps.Copy(s.answers, answers)
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() { s.serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		conns.Wait()
	})
	return s
}

func (s *script) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	r := bufio.NewReader(c)
	say := func(key string) bool {
		if s.answers[key] == "" {
			_, _ = r.ReadString(0) // until the client has gone
			return false
		}
		_, err := fmt.Fprintf(c, "%s\r\n", s.answers[key])
		return err == nil
	}
	if !say("GREETING") {
		return
	}
	data := false
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		s.mu.Lock()
		s.received = append(s.received, line)
		s.mu.Unlock()
		word, _, _ := strings.Cut(line, " ")
		switch {
		case data && line != ".":
			continue
		case data:
			data = false
			time.Sleep(s.slow) // the server's work
		case word == "DATA":
			data = strings.HasPrefix(s.answers["DATA"], "354")
		}
		if !say(strings.ToUpper(word)) {
			return
		}
	}
}

func (s *script) told() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.received, "\n")
}

func (s *script) config(t *testing.T) Config {
	host, port, _ := net.SplitHostPort(s.addr)
	c := Config{
		Server: remote.Server{Host: host, Security: remote.None, ConnectionTimeout: 400 * time.Millisecond, AuthenticationTimeout: 400 * time.Millisecond},
		Auth:   remote.Auth{Type: remote.AuthBasic, Username: "u", Password: "p", AllowInsecure: true},
	}
	if _, err := fmt.Sscan(port, &c.Server.Port); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestVerify(t *testing.T) {
	cases := map[string]struct {
		answers map[string]string
		change  func(*Config)
		reason  string
	}{
		"ready":               {nil, nil, ""},
		"login only":          {map[string]string{"EHLO": "250-hi\r\n250 AUTH LOGIN", "AUTH": "334 VXNlcm5hbWU6", "DQ==": "334 UGFzc3dvcmQ6", "CA==": "235 ok"}, nil, ""},
		"no greeting":         {map[string]string{"GREETING": ""}, nil, remote.ReasonTimedOut},
		"busy":                {map[string]string{"GREETING": "421 later"}, nil, remote.ReasonConnectionFailed},
		"silent EHLO":         {map[string]string{"EHLO": ""}, nil, remote.ReasonTimedOut},
		"silent AUTH":         {map[string]string{"AUTH": ""}, nil, remote.ReasonTimedOut},
		"refused":             {map[string]string{"AUTH": "535 u may not"}, nil, remote.ReasonAuthenticationFailed},
		"temporary":           {map[string]string{"AUTH": "454 later"}, nil, remote.ReasonConnectionFailed},
		"encryption required": {map[string]string{"AUTH": "538 encrypt"}, nil, remote.ReasonEncryptionRequired},
		"no sign-in offered":  {map[string]string{"EHLO": "250 hi"}, nil, remote.ReasonAuthenticationFailed},
		"other mechanisms":    {map[string]string{"EHLO": "250-hi\r\n250 AUTH GSSAPI"}, nil, remote.ReasonAuthenticationFailed},
		"no STARTTLS":         {nil, func(c *Config) { c.Server.Security = remote.StartTLS }, remote.ReasonEncryptionRequired},
		"clear text":          {nil, func(c *Config) { c.Auth.AllowInsecure = false }, remote.ReasonEncryptionRequired},
		"NOOP refused":        {map[string]string{"NOOP": "421 no"}, nil, remote.ReasonConnectionFailed},
		"relay":               {map[string]string{"EHLO": "250 hi"}, func(c *Config) { c.Auth = remote.Auth{Type: remote.AuthNone} }, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			s := newScript(t, c.answers)
			cfg := s.config(t)
			if c.change != nil {
				c.change(&cfg)
			}
			err := Verify(t.Context(), cfg)
			if c.reason == "" {
				g.Expect(err).NotTo(HaveOccurred())
			} else {
				g.Expect(err).To(HaveOccurred())
				g.Expect(remote.ReasonOf(err)).To(Equal(c.reason), "%v", err)
				g.Expect(err.Error()).NotTo(ContainSubstring("may not"), "no server text")
			}
			g.Expect(s.told()).NotTo(ContainSubstring("MAIL"), "nothing is sent")
			if c.reason == remote.ReasonEncryptionRequired && name != "encryption required" {
				g.Expect(s.told()).NotTo(ContainSubstring("AUTH"), "no password travels")
			}
		})
	}
}

func TestSend(t *testing.T) {
	const raw = "Subject: x\r\n\r\n.dot\r\n..\r\nend\r\n"
	cases := map[string]struct {
		answers   map[string]string
		permanent bool
		says      string
	}{
		"kept":              {nil, false, ""},
		"sender refused":    {map[string]string{"MAIL": "553 no"}, true, "553 to MAIL"},
		"recipient refused": {map[string]string{"RCPT": "550 no"}, true, "550 to RCPT"},
		"greylisted":        {map[string]string{"RCPT": "450 later"}, false, "450 to RCPT"},
		"content refused":   {map[string]string{".": "554 spam"}, true, "554 to DATA"},
		"disk full":         {map[string]string{".": "452 later"}, false, "452 to DATA"},
		"sign-in refused":   {map[string]string{"AUTH": "535 no"}, false, "refused the username"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			s := newScript(t, c.answers)
			err := Send(t.Context(), s.config(t), "support@example.test", []string{"a@b.test", "c@b.test"}, []byte(raw))
			g.Expect(Permanent(err)).To(Equal(c.permanent), "%v", err)
			if c.says != "" {
				g.Expect(err).To(MatchError(ContainSubstring(c.says)))
				return
			}
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(s.told()).To(ContainSubstring("MAIL FROM:<support@example.test>\nRCPT TO:<a@b.test>\nRCPT TO:<c@b.test>\nDATA\nSubject: x\n\n..dot\n...\nend\n.\nQUIT"))
		})
	}
	// An address cannot carry a command.
	s := newScript(t, nil)
	g := NewWithT(t)
	g.Expect(Send(t.Context(), s.config(t), "support@example.test", []string{"a@b.test>\r\nRCPT TO:<x@y.test"}, []byte(raw))).NotTo(Succeed())
	g.Expect(s.told()).NotTo(ContainSubstring("x@y.test"))
}

// A transfer that has begun is brought to its end: a reply that the server took must not be sent again.
func TestStopWithinTransfer(t *testing.T) {
	g := NewWithT(t)
	s := newScript(t, nil)
	s.slow = 300 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	sent := make(chan error, 1)
	go func() { sent <- Send(ctx, s.config(t), "support@example.test", []string{"a@b.test"}, []byte("x\r\n")) }()
	g.Eventually(s.told).Should(ContainSubstring("DATA"))
	cancel()
	g.Eventually(sent, 5*time.Second).Should(Receive(BeNil()))
	g.Expect(s.told()).To(ContainSubstring("\n."))
}
