package mail

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	. "github.com/onsi/gomega"

	mailmessage "github.com/ringmaster-dev/ringmaster/internal/mail/message"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// The name of a header is case-blind, its value exact; what is filtered stays unseen, and a changed
// filter looks again.
func TestHeaderFilters(t *testing.T) {
	r := newRig(t)
	r.put("support",
		letter("exact", "x", "x-scan: SAFE"),
		letter("case", "x", "X-Scan: safe"),
		letter("substring", "x", "X-Scan: UNSAFE"),
		letter("missing", "x"),
		letter("folded", "x", "X-Scan:\r\n SAFE"),
		letter("encoded", "x", "X-Scan: =?utf-8?q?SAFE?="),
		letter("repeated", "x", "X-Scan: no", "X-Scan: SAFE"),
	)
	cfg := r.cfg
	cfg.IMAP.HeaderFilters = []mailmessage.HeaderFilter{{Name: "X-SCAN", Value: "SAFE", HasValue: true}, {Name: "Subject"}}
	s, _ := r.run(fast(), cfg)
	r.awaitCount(4)
	r.awaitIMAP("support", ReasonReady)
	r.Eventually(func() int { u, _ := r.unseen("support"); return u }, 5*time.Second).Should(Equal(3))
	r.Expect(r.subjects()).To(ConsistOf("exact", "folded", "encoded", "repeated"))
	// The server does not even mention a mail without the header.
	r.Expect(gauge(t, s.metrics.filtered.WithLabelValues(namespace, "support"))).To(BeEquivalentTo(2))
	// A filtered mail is not taken up again with the next one.
	r.put("support", letter("next", "x", "X-Scan: SAFE"))
	r.awaitCount(5)
	r.Expect(gauge(t, s.metrics.filtered.WithLabelValues(namespace, "support"))).To(BeEquivalentTo(2))

	cfg.IMAP.HeaderFilters = nil
	s.Apply(cfg)
	r.awaitCount(8)
	r.Eventually(func() int { u, _ := r.unseen("support"); return u }, 5*time.Second).Should(BeZero())
}

// A filtered mail can be kept instead, the one without the header, too: it is not routed, and not looked at again.
func TestFilteredIntoQuarantine(t *testing.T) {
	r := newRig(t)
	r.put("support", letter("clean", "x", "X-Scan: SAFE"), letter("case", "x", "X-Scan: safe"), letter("missing", "x"))
	cfg := r.cfg
	cfg.IMAP.HeaderFilters = []mailmessage.HeaderFilter{{Name: "X-Scan", Value: "SAFE", HasValue: true}}
	s, _ := r.run(fast(), cfg)
	r.Eventually(func() int64 { return r.status("support").Ingested }, 10*time.Second).Should(BeEquivalentTo(1))
	r.awaitIMAP("support", ReasonReady)
	cfg.IMAP.FilteredAction = Quarantine // what was ignored is kept now
	s.Apply(cfg)
	r.Eventually(func() int { u, _ := r.unseen("support"); return u }, 10*time.Second).Should(BeZero())
	r.Expect(r.status("support").Quarantined).To(BeEquivalentTo(2))
	var queued []string
	for _, i := range r.interactions() {
		if i.State == store.StateQueued {
			queued = append(queued, i.Subject)
		}
	}
	r.Expect(queued).To(ConsistOf("clean"))
}

func (r *rig) subjects() []string {
	var list []string
	for _, i := range r.interactions() {
		list = append(list, i.Subject)
	}
	return list
}

// Stored soon after the server's notice, over one connection that idles.
func TestIdleIsQuick(t *testing.T) {
	r := newRig(t)
	r.run(fast(), r.cfg)
	r.awaitIMAP("support", ReasonReady)
	c := r.client("support")
	defer func() { _ = c.Close() }()
	var took []time.Duration
	for n := range 15 {
		raw := letter(fmt.Sprintf("quick %d", n), "x")
		r.Expect(r.append(c, "INBOX", raw)).To(Succeed())
		begin := time.Now()
		r.Eventually(r.count, 10*time.Second, time.Millisecond).Should(Equal(n + 1))
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	t.Logf("from APPEND's answer to stored: median %s, worst %s", took[len(took)/2], took[len(took)-1])
	// Dovecot itself waits up to half a second before it notifies.
	r.Expect(took[len(took)/2]).To(BeNumerically("<", 2*time.Second))
}

func TestPolling(t *testing.T) {
	r := newRig(t)
	r.cfg.IMAP.Delivery, r.cfg.IMAP.PollInterval = Poll, 200*time.Millisecond
	r.run(fast(), r.cfg)
	r.awaitIMAP("support", ReasonReady)
	for n := range 3 {
		r.put("support", letter(fmt.Sprintf("polled %d", n), "x"))
		r.awaitCount(n + 1)
	}
}

// What was there before the account was connected is not imported.
func TestFromNow(t *testing.T) {
	r := newRig(t)
	r.put("support", letter("old", "x"), letter("older", "x"))
	r.cfg.IMAP.InitialSync = FromNow
	_, stop := r.run(fast(), r.cfg)
	r.awaitIMAP("support", ReasonReady)
	r.Expect(r.count()).To(BeZero())
	stop()
	r.put("support", letter("while stopped", "x"))
	r.run(fast(), r.cfg)
	r.awaitCount(1)
	r.Expect(r.subjects()).To(ConsistOf("while stopped"))
	unseen, _ := r.unseen("support")
	r.Expect(unseen).To(Equal(2), "old mails are left as they are")
}

// A mailbox made anew numbers its mails from one; nothing is missed and nothing is doubled.
func TestUIDValidityChanges(t *testing.T) {
	for _, initial := range []InitialSync{All, FromNow} {
		t.Run(string(initial), func(t *testing.T) {
			r := newRig(t)
			r.cfg.IMAP.InitialSync = initial
			r.cfg.IMAP.Mailbox = "Cases"
			c := r.client("support")
			defer func() { _ = c.Close() }()
			r.Expect(c.Create("Cases", nil).Wait()).To(Succeed())
			_, stop := r.run(fast(), r.cfg)
			r.awaitIMAP("support", ReasonReady)
			kept := letter("kept", "x")
			r.Expect(r.append(c, "Cases", kept, letter("gone", "x"))).To(Succeed())
			r.awaitCount(2)
			stop()
			r.Expect(c.Delete("Cases").Wait()).To(Succeed())
			r.Expect(c.Create("Cases", nil).Wait()).To(Succeed())
			r.Expect(r.append(c, "Cases", kept, letter("new", "x"))).To(Succeed())
			r.run(fast(), r.cfg)
			r.awaitCount(3)
			r.Consistently(r.count, 300*time.Millisecond).Should(Equal(3))
			r.Expect(r.subjects()).To(ConsistOf("kept", "gone", "new"))
		})
	}
}

// Identity is the content; an empty Message-ID identifies nothing.
func TestIdentity(t *testing.T) {
	r := newRig(t)
	nameless := func(body string) string {
		return "From: a@customers.test\r\nMessage-ID: <>\r\nSubject: no id\r\n\r\n" + body + "\r\n"
	}
	same := letter("same", "x")
	r.put("support", nameless("one"), nameless("two"), same, same)
	c := r.client("support")
	defer func() { _ = c.Close() }()
	_, err := c.Select("INBOX", nil).Wait()
	r.Expect(err).NotTo(HaveOccurred())
	_, err = c.Copy(imap.SeqSetNum(3), "INBOX").Wait()
	r.Expect(err).NotTo(HaveOccurred())
	r.run(fast(), r.cfg)
	r.awaitCount(3)
	r.Eventually(func() int { u, _ := r.unseen("support"); return u }, 5*time.Second).Should(BeZero(), "copies are flagged too")
	r.Expect(r.count()).To(Equal(3))
}

// A crash between commit and flag: the mail is flagged later and not fetched again.
func TestStoredButUnseen(t *testing.T) {
	r := newRig(t)
	r.put("support", letter("one", "x"))
	_, stop := r.run(fast(), r.cfg)
	r.awaitCount(1)
	r.Eventually(func() int { u, _ := r.unseen("support"); return u }, 5*time.Second).Should(BeZero())
	stop()
	c := r.client("support")
	defer func() { _ = c.Close() }()
	_, err := c.Select("INBOX", nil).Wait()
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(c.Store(imap.SeqSetNum(1), &imap.StoreFlags{Op: imap.StoreFlagsDel, Silent: true, Flags: []imap.Flag{imap.FlagSeen}}, nil).Close()).To(Succeed())
	r.run(fast(), r.cfg)
	r.Eventually(func() int { u, _ := r.unseen("support"); return u }, 10*time.Second).Should(BeZero())
	r.Expect(r.count()).To(Equal(1))
	r.Expect(r.interactions()[0].MessageCount).To(Equal(1))
}

// Hostile and broken mail is kept with a reason, and the mails behind it are processed.
func TestHostileMail(t *testing.T) {
	r := newRig(t)
	recipients := make([]string, 10000)
	for i := range recipients {
		recipients[i] = fmt.Sprintf("r%d@customers.test", i)
	}
	nested := letter("nested", "", `Content-Type: multipart/mixed; boundary="b0"`)
	for i := range 200 {
		nested += fmt.Sprintf("--b%d\r\nContent-Type: multipart/mixed; boundary=\"b%d\"\r\n\r\n", i, i+1)
	}
	r.put("support",
		"no header at all, just words",
		letter("broken MIME", "--x\r\nContent-Type text/plain\r\n\r\nhalf a part", `Content-Type: multipart/mixed; boundary="y"`),
		letter("many", "x", "Cc: "+strings.Join(recipients, ",\r\n ")),
		nested,
		letter("bad charset", "caf\xe9", "Content-Type: text/plain; charset=x-unheard-of"),
		"Subject: no sender\r\n\r\nx\r\n",
		letter("nul\x01", "a\x01b\xffc"),
		letter("last", "fine"),
	)
	r.run(fast(), r.cfg)
	r.awaitCount(8)
	states := map[string]store.Message{}
	for _, i := range r.interactions() {
		states[i.Subject] = r.messages(i)[0]
	}
	r.Expect(states[""].State).To(Or(Equal(store.MessageQuarantined), Equal(store.MessageStored)))
	r.Expect(states["last"].Text).To(Equal("fine\n"))
	r.Expect(states["many"].Cc).To(HaveLen(1000))
	r.Expect(states["bad charset"].Text).To(ContainSubstring("caf"))
	r.Expect(states["broken MIME"].Detail + states["broken MIME"].Text).NotTo(BeEmpty())
	r.Expect(r.status("support").Quarantined).To(BeEquivalentTo(1))
	unseen, _ := r.unseen("support")
	r.Expect(unseen).To(BeZero())
}

// Size is bounded by the account's limit, and memory by the process's budget.
func TestBigMail(t *testing.T) {
	r := newRig(t)
	attachment := make([]byte, 30<<20)
	for i := range attachment {
		attachment[i] = byte(rand.Uint32())
	}
	big := withAttachment("thirty megabytes", attachment)
	tooBig := withAttachment("too big", attachment[:3<<20])
	r.put("support", big, letter("small", "x"))
	o := fast()
	o.MemoryBudget = 8 << 20 // less than the mail: it goes alone
	s, stop := r.run(o, r.cfg)
	r.awaitCount(2)
	i := r.find("thirty megabytes")
	m := r.messages(i)[0]
	r.Expect(m.Text).To(Equal("see the attachment"))
	r.Expect(m.Attachments).To(Equal([]store.Attachment{{Name: "data.bin", ContentType: "application/octet-stream", Size: 30 << 20}}))
	raw, err := r.store.RawMessage(t.Context(), namespace, m.ID)
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(bytes.Equal(raw, []byte(big))).To(BeTrue(), "raw bytes as the server gave them")
	_, content, err := mailmessage.Attachment(raw, 0)
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(bytes.Equal(content, attachment)).To(BeTrue())

	limited := r.cfg
	limited.IMAP.MaxMessageSize = 1 << 20
	s.Apply(limited)
	r.put("support", tooBig, letter("after it", "x"))
	r.awaitCount(4)
	m = r.messages(r.find("too big"))[0]
	r.Expect(m.State).To(Equal(store.MessageHeadersOnly))
	r.Expect(m.Detail).To(ContainSubstring("limit"))
	r.Eventually(func() int { u, _ := r.unseen("support"); return u }, 5*time.Second).Should(BeZero())
	stop()
	r.Expect(s.budget.TryAcquire(o.MemoryBudget)).To(BeTrue(), "the whole budget came back")
}

func withAttachment(subject string, content []byte) string {
	encoded := base64.StdEncoding.EncodeToString(content)
	var b strings.Builder
	b.WriteString(letter(subject, "--b\r\nContent-Type: text/plain\r\n\r\nsee the attachment\r\n--b\r\n"+
		"Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=data.bin\r\nContent-Transfer-Encoding: base64\r\n",
		"MIME-Version: 1.0", "Content-Type: multipart/mixed; boundary=b"))
	for len(encoded) > 76 {
		b.WriteString(encoded[:76] + "\r\n")
		encoded = encoded[76:]
	}
	b.WriteString(encoded + "\r\n--b--\r\n")
	return b.String()
}

func (r *rig) find(subject string) store.Interaction {
	r.t.Helper()
	for _, i := range r.interactions() {
		if i.Subject == subject {
			return i
		}
	}
	r.t.Fatalf("no interaction %q among %q", subject, r.subjects())
	return store.Interaction{}
}

// Mail that a mail program delivers straight into the Maildir, with LF line ends and all, is the same mail.
func TestMaildirDelivery(t *testing.T) {
	r := newRig(t)
	r.put("support", letter("first", "x"))
	r.run(fast(), r.cfg)
	r.awaitCount(1)
	dir := filepath.Join(r.dovecot.Maildir("support"), "new")
	info, err := os.Stat(dir)
	r.Expect(err).NotTo(HaveOccurred())
	file := filepath.Join(r.dovecot.Maildir("support"), "tmp", "1.test")
	r.Expect(os.WriteFile(file, []byte(strings.ReplaceAll(letter("by file", "x"), "\r\n", "\n")), 0o600)).To(Succeed())
	r.Expect(chownLike(file, info)).To(Succeed())
	r.Expect(os.Rename(file, filepath.Join(dir, "1.test"))).To(Succeed())
	r.awaitCount(2)
}
