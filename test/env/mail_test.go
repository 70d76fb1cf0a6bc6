package env_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/smtp"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/onsi/gomega"

	"github.com/ringmaster-dev/ringmaster/test/env"
)

func TestMailIsDeliveredFromEveryPort(t *testing.T) {
	dovecot := env.Dovecot(t)
	server := env.SMTP(t, dovecot)
	inbox := login(t, dovecot, "support")
	for i, port := range []struct {
		name string
		send func(mail []byte) error
	}{
		{"without sign-in", func(mail []byte) error {
			return smtp.SendMail(server.Addr, nil, "customer@elsewhere.example", []string{"support@example.test"}, mail)
		}},
		{"submission with STARTTLS", func(mail []byte) error {
			return submit(dialSMTP(t, server.SubmissionAddr), server, dovecot.Password("alice"), mail)
		}},
		{"submission over TLS", func(mail []byte) error {
			return submit(dialSMTPS(t, server), server, dovecot.Password("alice"), mail)
		}},
	} {
		t.Run(port.name, func(t *testing.T) {
			if err := port.send([]byte("Subject: " + port.name + "\r\n\r\nHello\r\n")); err != nil {
				t.Fatal(err)
			}
			expectMails(t, inbox, uint32(i+1))
		})
	}
}

func TestSMTPRefusesWhatItMust(t *testing.T) {
	dovecot := env.Dovecot(t)
	server := env.SMTP(t, dovecot)
	mail := []byte("Subject: no\r\n\r\nno\r\n")
	if err := smtp.SendMail(server.Addr, nil, "a@example.test", []string{"b@elsewhere.example"}, mail); !refused(err, "Relay access denied") {
		t.Errorf("mail to a foreign domain: %v", err)
	}
	if err := submit(dialSMTP(t, server.SubmissionAddr), server, "", mail); !refused(err, "Client host rejected") {
		t.Errorf("submission without sign-in: %v", err)
	}
	if err := submit(dialSMTP(t, server.SubmissionAddr), server, "wrong", mail); !refused(err, "authentication failed") {
		t.Errorf("submission with a wrong password: %v", err)
	}
}

func TestLargeMailArrivesWhole(t *testing.T) {
	dovecot := env.Dovecot(t)
	server := env.SMTP(t, dovecot)
	var mail bytes.Buffer
	mail.WriteString("Subject: large\r\n")
	for i := range 10000 {
		fmt.Fprintf(&mail, "Cc: recipient-%d@example.test\r\n", i)
	}
	mail.WriteString("\r\n")
	line := strings.Repeat("x", 76) + "\r\n"
	for mail.Len() < 60<<20 {
		mail.WriteString(line)
	}
	if err := smtp.SendMail(server.Addr, nil, "a@example.test", []string{"support@example.test"}, mail.Bytes()); err != nil {
		t.Fatal(err)
	}
	inbox := login(t, dovecot, "support")
	expectMails(t, inbox, 1)
	messages, err := inbox.Fetch(imap.SeqSetNum(1), &imap.FetchOptions{RFC822Size: true}).Collect()
	if err != nil {
		t.Fatal(err)
	}
	// Delivery adds its own header fields.
	if got, sent := messages[0].RFC822Size, int64(mail.Len()); got < sent || got > sent+2000 {
		t.Errorf("stored %d bytes, sent %d", got, sent)
	}
}

func TestDovecotRefusesAWrongPasswordAndSurvivesARestart(t *testing.T) {
	dovecot := env.Dovecot(t)
	c := dialIMAPS(t, dovecot)
	if err := c.Login("alice@example.test", "wrong").Wait(); err == nil {
		t.Error("a wrong password signs in")
	}
	for _, end := range []func() error{dovecot.Stop, dovecot.Kill9} {
		if err := end(); err != nil {
			t.Fatal(err)
		}
		if conn, err := net.DialTimeout("tcp", dovecot.IMAPAddr, time.Second); err == nil {
			conn.Close()
			t.Fatal("the server still accepts connections after its end")
		}
		if err := dovecot.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		login(t, dovecot, "alice")
	}
}

func login(t *testing.T, s *env.DovecotServer, name string) *imapclient.Client {
	t.Helper()
	c := dialIMAPS(t, s)
	if err := c.Login(s.Address(name), s.Password(name)).Wait(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Select("INBOX", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	return c
}

func dialIMAPS(t *testing.T, s *env.DovecotServer) *imapclient.Client {
	t.Helper()
	c, err := imapclient.DialTLS(s.IMAPSAddr, &imapclient.Options{TLSConfig: s.CA.ClientTLS()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func expectMails(t *testing.T, c *imapclient.Client, want uint32) {
	t.Helper()
	gomega.NewWithT(t).Eventually(func(g gomega.Gomega) {
		box, err := c.Select("INBOX", nil).Wait()
		g.Expect(err).NotTo(gomega.HaveOccurred())
		g.Expect(box.NumMessages).To(gomega.Equal(want))
	}).WithTimeout(20 * time.Second).WithPolling(50 * time.Millisecond).Should(gomega.Succeed())
}

func dialSMTP(t *testing.T, addr string) *smtp.Client {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c, err := smtp.NewClient(conn, "localhost")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func dialSMTPS(t *testing.T, s *env.SMTPServer) *smtp.Client {
	t.Helper()
	conn, err := tls.Dial("tcp", s.SMTPSAddr, s.CA.ClientTLS())
	if err != nil {
		t.Fatal(err)
	}
	c, err := smtp.NewClient(conn, "localhost")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// submit signs in as alice, unless password is empty, and sends a mail to
// support.
func submit(c *smtp.Client, s *env.SMTPServer, password string, mail []byte) error {
	defer c.Close()
	if ok, _ := c.Extension("STARTTLS"); ok {
		if err := c.StartTLS(s.CA.ClientTLS()); err != nil {
			return err
		}
	}
	if password != "" {
		if err := c.Auth(smtp.PlainAuth("", "alice@example.test", password, "localhost")); err != nil {
			return err
		}
	}
	if err := c.Mail("alice@example.test"); err != nil {
		return err
	}
	if err := c.Rcpt("support@example.test"); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	_, err = w.Write(mail)
	return errors.Join(err, w.Close(), c.Quit())
}

func refused(err error, why string) bool {
	return err != nil && strings.Contains(err.Error(), why)
}
