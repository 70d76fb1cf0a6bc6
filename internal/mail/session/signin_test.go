package session

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/ringmaster-dev/ringmaster/internal/mail/imaptest"
	"github.com/ringmaster-dev/ringmaster/internal/mail/remote"
)

// Trap 12: after a refused sign-in the connection is closed, and the error shows neither password nor server text.
func TestRefusedSignIn(t *testing.T) {
	for code, reason := range map[string]string{
		"":                        remote.ReasonAuthenticationFailed,
		"[AUTHENTICATIONFAILED] ": remote.ReasonAuthenticationFailed,
		"[UNAVAILABLE] ":          remote.ReasonConnectionFailed,
		"[PRIVACYREQUIRED] ":      remote.ReasonEncryptionRequired,
	} {
		t.Run(code, func(t *testing.T) {
			g := NewWithT(t)
			server := imaptest.New(t)
			server.Handle("AUTHENTICATE", func(c *imaptest.Conn, _ string) bool {
				c.Say("%s NO %su may not sign in with p", c.Tag, code)
				return true
			})
			_, err := Dial(t.Context(), config(t, server.Addr))
			g.Expect(remote.ReasonOf(err)).To(Equal(reason), "%v", err)
			g.Expect(err.Error()).NotTo(ContainSubstring("may not"))
			g.Eventually(server.Open).Should(BeZero())
		})
	}
}

func TestEncryptionIsNotLeftOut(t *testing.T) {
	g := NewWithT(t)
	server := imaptest.New(t)
	cfg := config(t, server.Addr)
	cfg.Auth.AllowInsecure = false
	_, err := Dial(t.Context(), cfg)
	g.Expect(remote.ReasonOf(err)).To(Equal(remote.ReasonEncryptionRequired))
	g.Expect(server.Dials()).To(BeZero(), "not even dialled")

	server.Handle("STARTTLS", func(c *imaptest.Conn, _ string) bool {
		c.Say("%s BAD unknown command", c.Tag)
		return true
	})
	cfg.Server.Security = remote.StartTLS
	_, err = Dial(t.Context(), cfg)
	g.Expect(remote.ReasonOf(err)).To(Equal(remote.ReasonEncryptionRequired), "%v", err)
	g.Expect(server.Commands()).NotTo(ContainElement(HavePrefix("AUTHENTICATE")))
	g.Expect(server.Commands()).NotTo(ContainElement(HavePrefix("LOGIN")))

	server.Greeting("* PREAUTH [CAPABILITY IMAP4rev1] in already\r\n")
	_, err = Dial(t.Context(), cfg)
	g.Expect(remote.ReasonOf(err)).To(Equal(remote.ReasonEncryptionRequired), "%v", err)

	server.Greeting("* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] hi\r\n")
	_, err = Dial(t.Context(), config(t, server.Addr))
	g.Expect(remote.ReasonOf(err)).To(Equal(remote.ReasonEncryptionRequired), "%v", err)
}

func TestWithoutSignIn(t *testing.T) {
	g := NewWithT(t)
	server := imaptest.New(t)
	cfg := config(t, server.Addr)
	cfg.Auth = remote.Auth{Type: remote.AuthNone}
	_, err := Dial(t.Context(), cfg)
	g.Expect(remote.ReasonOf(err)).To(Equal(remote.ReasonAuthenticationFailed), "%v", err)

	server.Greeting("* PREAUTH [CAPABILITY IMAP4rev1] in already\r\n")
	s, err := Dial(t.Context(), cfg)
	g.Expect(err).NotTo(HaveOccurred())
	s.Close()
	server.Greeting("* OK [CAPABILITY IMAP4rev1 AUTH=ANONYMOUS SASL-IR] guests welcome\r\n")
	s, err = Dial(t.Context(), cfg)
	g.Expect(err).NotTo(HaveOccurred())
	s.Close()
}
