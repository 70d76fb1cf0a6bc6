package message

import (
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

const interaction = "0190a8a0-1111-7000-8000-000000000001"

func replyTo(original string) Reply {
	return Reply{
		Account: store.Key{Namespace: "center", Name: "support"}, From: mail.Address{Name: "Support", Address: "support@example.test"},
		Agent: "alice", InteractionID: interaction, Original: crlf(original), Text: "Hello\nworld", At: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC),
	}
}

// build composes a reply and reads it back as the customer's program does.
func build(t *testing.T, r Reply) (store.Message, *mail.Message) {
	t.Helper()
	m, raw, err := BuildReply(r)
	if err != nil {
		t.Fatal(err)
	}
	read, err := mail.ReadMessage(strings.NewReader(string(raw)))
	if err != nil {
		t.Fatal(err)
	}
	return m, read
}

func TestReplyRecipient(t *testing.T) {
	cases := map[string]struct{ original, want string }{
		"from":               {"From: a@b.test\n\n", "a@b.test"},
		"reply-to":           {"From: a@b.test\nReply-To: r@b.test\n\n", "r@b.test"},
		"form of our own":    {"From: support@example.test\nReply-To: r@b.test\n\n", "r@b.test"},
		"reply-to ourselves": {"From: a@b.test\nReply-To: Support@Example.test\n\n", "a@b.test"},
		"nothing":            {"Subject: x\n\n", "fallback@b.test"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := replyTo(c.original)
			r.To = mail.Address{Address: "fallback@b.test"}
			m, read := build(t, r)
			if diff := cmp.Diff([]string{c.want}, m.To); diff != "" {
				t.Error(diff)
			}
			if to, err := read.Header.AddressList("To"); err != nil || len(to) != 1 || to[0].Address != c.want {
				t.Errorf("To: %v, %v", to, err)
			}
		})
	}
	if _, _, err := BuildReply(replyTo("Subject: x\n\n")); !errors.Is(err, ErrNoRecipient) {
		t.Errorf("no recipient: %v", err)
	}
	long := replyTo("From: a@b.test\n\n")
	long.Text = strings.Repeat("x", MaxReplyText+1)
	if _, _, err := BuildReply(long); !errors.Is(err, ErrTextTooLong) {
		t.Errorf("long text: %v", err)
	}
	bad := replyTo("From: a@b.test\n\n")
	bad.Cc = []string{"not an address\r\nBcc: x@y.test"}
	if _, _, err := BuildReply(bad); !errors.Is(err, ErrBadAddress) {
		t.Errorf("bad Cc: %v", err)
	}
}

// RFC 5322 section 3.6.4.
func TestReplyThreading(t *testing.T) {
	cases := map[string]struct{ headers, parent, references string }{
		"first":                {"Message-ID: <1@b>", "<1@b>", "<1@b>"},
		"chain":                {"Message-ID: <3@b>\nReferences: <1@b>\n <2@b>", "<3@b>", "<1@b> <2@b> <3@b>"},
		"only in-reply-to":     {"Message-ID: <3@b>\nIn-Reply-To: <2@b>", "<3@b>", "<2@b> <3@b>"},
		"several parents":      {"Message-ID: <3@b>\nIn-Reply-To: <1@b> <2@b>", "<3@b>", "<3@b>"},
		"no id":                {"Message-ID: <>\nReferences: <1@b>", "", ""},
		"id that is not ASCII": {"Message-ID: <\xc3\xa4@b>", "", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, read := build(t, replyTo("From: a@b.test\n"+c.headers+"\n\n"))
			if got := read.Header.Get("In-Reply-To"); got != c.parent {
				t.Errorf("In-Reply-To %q, want %q", got, c.parent)
			}
			if got := strings.Join(strings.Fields(read.Header.Get("References")), " "); got != c.references {
				t.Errorf("References %q, want %q", got, c.references)
			}
		})
	}
	var many strings.Builder
	for i := range 100 {
		fmt.Fprintf(&many, " <%d@b>\n", i)
	}
	_, read := build(t, replyTo("From: a@b.test\nMessage-ID: <x@b>\nReferences:"+many.String()+"\n\n"))
	ids := strings.Fields(read.Header.Get("References"))
	if len(ids) != maxReferences+1 || ids[0] != "<0@b>" || ids[1] != "<81@b>" || ids[maxReferences] != "<x@b>" {
		t.Errorf("%d references: %q", len(ids), ids)
	}
}

func TestReplyContent(t *testing.T) {
	r := replyTo("From: =?utf-8?q?J=C3=BCrgen?= <a@b.test>\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\nMessage-ID: <1@b>\n\n")
	r.Text = "Grüße\r\n.\r\nFrom here\x00"
	r.Cc = []string{"c@b.test"}
	m, raw, err := BuildReply(r)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("Re: Grüße", m.Subject); diff != "" {
		t.Error(diff)
	}
	if m.State != store.MessagePending || m.Direction != store.Outbound || m.Agent != "alice" || m.InteractionID != interaction || !strings.HasPrefix(m.MessageID, interaction+".") {
		t.Errorf("%+v", m)
	}
	p := Parse(raw, "")
	want := store.Message{
		Direction: store.Inbound, From: "support@example.test", To: []string{"a@b.test"}, Cc: []string{"c@b.test"}, Subject: "Re: Grüße",
		MessageID: m.MessageID, Date: r.At, Text: "Grüße\n.\nFrom here",
	}
	p.Message.Text = strings.TrimRight(p.Message.Text, "\r\n")
	if diff := cmp.Diff(want, p.Message); diff != "" {
		t.Error(diff)
	}
	// Their answer finds its way back.
	back := Parse(crlf("From: a@b.test\nIn-Reply-To: <"+m.MessageID+">\n\n"), "")
	if diff := cmp.Diff([]string{interaction, m.MessageID}, back.ThreadKeys); diff != "" {
		t.Error(diff)
	}
	if again := replySubject("RE: x"); again != "RE: x" {
		t.Errorf("Re: twice: %q", again)
	}
}

// FuzzReply: no value of a stranger's mail or of the account adds a header or a recipient.
func FuzzReply(f *testing.F) {
	f.Add("a@b.test", "Hello\r\nBcc: x@y.test", "1@b>\r\nBcc: <x@y.test", "Sup\"port\\\r\nBcc: x@y.test", "text")
	f.Add("\"a\r\nb\"@b.test", "=?utf-8?q?=0D=0ABcc:_x?=", "<1@b> <2@b>", "", ".\r\nQUIT\r\n")
	f.Fuzz(func(t *testing.T, from, subject, id, display, text string) {
		r := replyTo("")
		r.Original = []byte("From: " + from + "\r\nSubject: " + subject + "\r\nMessage-ID: <" + id + ">\r\nReferences: <" + id + ">\r\n\r\n")
		r.To = mail.Address{Name: display, Address: "fallback@b.test"}
		r.Subject, r.From.Name, r.Text = subject, display, text
		m, raw, err := BuildReply(r)
		if err != nil {
			return
		}
		h, _ := ReadHeader(raw)
		allowed := map[string]int{
			"Date": 1, "MIME-Version": 1, "Message-ID": 1, "Subject": 1, "In-Reply-To": 1, "References": 1, "From": 1, "To": 1,
			"Content-Type": 1, "Content-Transfer-Encoding": 1,
		}
		for _, field := range h.fields {
			if allowed[field.name]--; allowed[field.name] < 0 {
				t.Fatalf("header %q in\n%s", field.name, raw)
			}
		}
		if ids := h.ids("Message-ID"); len(ids) != 1 || ids[0] != m.MessageID || len(h.addresses("To")) != 1 {
			t.Fatalf("identity of\n%s", raw)
		}
	})
}
