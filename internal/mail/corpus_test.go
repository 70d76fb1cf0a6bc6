package mail

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	. "github.com/onsi/gomega"

	"github.com/ringmaster-dev/ringmaster/internal/mail/corpus"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// stored is what the store has of a mail of the corpus.
type stored struct {
	State       store.MessageState
	Unread      bool
	Subject     string
	From        string
	Name        string
	MessageID   string
	Date        time.Time
	To, Cc      []string
	Detail      string
	Text        string
	Attachments []store.Attachment
}

// The corpus from a mail server's disk into the store: each mail is an interaction of its own, with what is to be read from it.
func TestCorpusIsStored(t *testing.T) {
	r := newRig(t)
	mails, err := corpus.Load()
	r.Expect(err).NotTo(HaveOccurred())
	r.lay("support", mails)
	_, stop := r.run(fast(), r.cfg)
	r.awaitCount(len(mails))
	r.Eventually(func() int { u, _ := r.unseen("support"); return u }, 10*time.Second, 20*time.Millisecond).Should(BeZero())
	stop()
	got := map[string]stored{}
	for _, i := range r.interactions() {
		messages := r.messages(i)
		r.Expect(messages).To(HaveLen(1), i.Subject)
		m := messages[0]
		raw, err := r.store.RawMessage(t.Context(), namespace, m.ID)
		r.Expect(err).NotTo(HaveOccurred())
		got[fingerprint(raw)] = stored{
			State: m.State, Unread: i.State == store.StateUnread, Subject: m.Subject, From: m.From, Name: i.Name, MessageID: m.MessageID,
			Date: m.Date.UTC(), To: m.To, Cc: m.Cc, Detail: m.Detail, Text: strings.TrimRight(m.Text, " \t\r\n"), Attachments: m.Attachments,
		}
	}
	for _, m := range mails {
		want := wanted(m.Want)
		if bytes.IndexByte(m.Raw, 0) >= 0 {
			// IMAP cannot carry NUL: Dovecot sends 0x80 in its place, the euro sign of Windows-1252.
			want.Text = "one€two€"
		}
		if diff := cmp.Diff(want, got[fingerprint(m.Raw)], cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: %.1000s", m.Name, diff)
		}
	}
}

// fingerprint of a mail beside what a mail server may change in it: line ends, and NUL.
func fingerprint(raw []byte) string {
	return string(bytes.ReplaceAll(bytes.ReplaceAll(raw, []byte("\r"), nil), []byte{0}, []byte{0x80}))
}

func wanted(w corpus.Want) stored {
	s := stored{
		State: store.MessageStored, Unread: w.Automatic != "", Subject: w.Subject, From: w.From, Name: w.CustomerName, MessageID: w.MessageID,
		Date: w.Date, To: w.To, Cc: w.Cc, Detail: w.Detail, Text: w.Text,
	}
	if w.Quarantine != "" {
		s.State, s.Detail = store.MessageQuarantined, w.Quarantine
	}
	for _, a := range w.Attachments {
		s.Attachments = append(s.Attachments, store.Attachment{Name: a.Name, ContentType: a.ContentType, Size: a.Size})
	}
	return s
}

// lay writes mails into the Maildir byte for byte, as a delivery agent would: APPEND refuses some of them.
func (r *rig) lay(name string, mails []corpus.Mail) {
	r.t.Helper()
	c := r.client(name)
	defer func() { _ = c.Close() }()
	_, err := c.Select("INBOX", &imap.SelectOptions{ReadOnly: true}).Wait() // makes the mailbox
	r.Expect(err).NotTo(HaveOccurred())
	dir := filepath.Join(r.dovecot.Maildir(name), "new")
	info, err := os.Stat(dir)
	r.Expect(err).NotTo(HaveOccurred())
	for i, m := range mails {
		file := filepath.Join(dir, fmt.Sprintf("%d.corpus", i))
		r.Expect(os.WriteFile(file, m.Raw, 0o600)).To(Succeed())
		r.Expect(chownLike(file, info)).To(Succeed())
	}
}
