package e2e

import (
	"fmt"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// deliver appends mails to a mailbox byte for byte, which no mail server in between mends or refuses.
func deliver(name string, raws ...string) {
	GinkgoHelper()
	c := mailClient(name)
	defer func() { _ = c.Close() }()
	// The answers are read together: a round trip per mail is what takes time.
	var pending []*imapclient.AppendCommand
	for _, raw := range raws {
		cmd := c.Append("INBOX", int64(len(raw)), nil)
		_, err := cmd.Write([]byte(raw))
		Expect(err).NotTo(HaveOccurred())
		Expect(cmd.Close()).To(Succeed())
		pending = append(pending, cmd)
	}
	for _, cmd := range pending {
		_, err := cmd.Wait()
		Expect(err).NotTo(HaveOccurred())
	}
}

// unseen counts the mails of a mailbox that nobody has taken yet.
func unseen(name string) int {
	GinkgoHelper()
	c := mailClient(name)
	defer func() { _ = c.Close() }()
	data, err := c.Status("INBOX", &imap.StatusOptions{NumUnseen: true}).Wait()
	Expect(err).NotTo(HaveOccurred())
	return int(*data.NumUnseen)
}

func mailClient(name string) *imapclient.Client {
	GinkgoHelper()
	c, err := imapclient.DialInsecure(stack.Dovecot.IMAPAddr, nil)
	Expect(err).NotTo(HaveOccurred())
	Expect(c.Login(stack.Dovecot.Address(name), stack.Dovecot.Password(name)).Wait()).To(Succeed())
	return c
}

// letter is a small mail of a customer; headers are added to it, each "Name: value".
func letter(id, text string, headers ...string) string {
	raw := "From: Casey <casey@example.test>\r\nTo: <anyone@example.test>\r\nSubject: " + id + "\r\nMessage-ID: <" + strings.ReplaceAll(id, " ", ".") + "@customers.test>\r\n" +
		"Date: " + time.Now().Format(time.RFC1123Z) + "\r\n"
	for _, h := range headers {
		raw += h + "\r\n"
	}
	return raw + "\r\n" + text + "\r\n"
}

// letters numbers mails from first on.
func letters(prefix string, first, count int) []string {
	raws := make([]string, 0, count)
	for n := first; n < first+count; n++ {
		raws = append(raws, letter(fmt.Sprintf("%s-%04d", prefix, n), "Mail number "+fmt.Sprint(n)))
	}
	return raws
}
