package e2e

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = Describe("Hostile mail", func() {
	const namespace = "hostile"

	It("is taken or quarantined with a reason, and the next mail is processed", func(ctx SpecContext) {
		newCenter(ctx, namespace, "{}")
		apply(ctx, namespace, signIn("hugo"), mailQueue("mail", "1h"), mailbox("hostile", "HOST", "mail"))
		awaitReady(ctx, namespace, "agent/hugo", "emailaccount/hostile")
		d := atDesk(ctx, namespace, "hugo")

		mails := []struct{ subject, raw string }{
			{"broken MIME", letter("broken MIME", "--x\r\nContent-Type text/plain\r\n\r\nhalf a part", "MIME-Version: 1.0", `Content-Type: multipart/mixed; boundary="never"`)},
			{"thirty megabytes", bigLetter("thirty megabytes", 30<<20)},
			{"no id", strings.Replace(letter("no id", "the first"), "<no.id@customers.test>", "<>", 1)},
			{"no id", strings.Replace(letter("no id", "the second, of somebody else"), "<no.id@customers.test>", "<>", 1)},
			{"ten thousand recipients", letter("ten thousand recipients", "x", "Cc: "+recipients(10_000))},
			{"", "no header at all, just words\r\n"},
			{"a bad charset", letter("a bad charset", "caf\xe9", "Content-Type: text/plain; charset=x-unheard-of")},
		}
		want := map[string]int{}
		for n, m := range mails {
			deliver("hostile", m.raw)
			next := fmt.Sprintf("after %d", n)
			deliver("hostile", letter(next, "fine"))
			offer(ctx, d, next)
			want[m.subject]++
			want[next]++
		}
		got := map[string]int{}
		list, err := d.Interactions(ctx, "mine=true&limit=100&state=Offered")
		Expect(err).NotTo(HaveOccurred())
		for _, i := range list {
			got[i.Subject]++
			detail, err := d.Interaction(ctx, i.ID)
			Expect(err).NotTo(HaveOccurred())
			Expect(detail.Messages).To(HaveLen(1))
			m := detail.Messages[0]
			Expect(string(m.State)+m.Detail).To(Or(HavePrefix("Stored"), And(HavePrefix("Quarantined"), Not(Equal("Quarantined")))), "%s", i.Subject)
			if i.Subject == "thirty megabytes" {
				Expect(m.Attachments).To(HaveLen(1))
				Expect(m.Attachments[0].Size).To(BeEquivalentTo(30 << 20))
			}
		}
		Expect(got).To(Equal(want))
		Eventually(unseen).WithArguments("hostile").Should(BeZero())
		Eventually(rows(ctx, namespace, "emailaccounts", "hostile")).Should(shows("READY", "True", "MAILS", fmt.Sprint(2*len(mails))))
	}, SpecTimeout(patience*2))
})

func recipients(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("r%d@customers.test", i)
	}
	return strings.Join(all, ",\r\n ")
}

// bigLetter has an attachment of size random bytes.
func bigLetter(subject string, size int) string {
	content := make([]byte, size)
	_, _ = rand.Read(content)
	encoded := base64.StdEncoding.EncodeToString(content)
	var b strings.Builder
	for len(encoded) > 76 {
		b.WriteString(encoded[:76] + "\r\n")
		encoded = encoded[76:]
	}
	return letter(subject, "--b\r\nContent-Type: text/plain\r\n\r\nsee the attachment\r\n--b\r\n"+
		"Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=data.bin\r\nContent-Transfer-Encoding: base64\r\n\r\n"+
		b.String()+encoded+"\r\n--b--", "MIME-Version: 1.0", "Content-Type: multipart/mixed; boundary=b")
}
