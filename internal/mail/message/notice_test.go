package message

import (
	"errors"
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

func notice() Notice {
	return Notice{
		From: mail.Address{Name: "Operations", Address: "ops@example.test"}, To: mail.Address{Name: "Jürgen Groß", Address: "juergen@example.test"},
		Subject: "Größe", Text: "Hello\nworld.\n", At: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC), ID: "voicemail/1/1",
	}
}

func TestNotice(t *testing.T) {
	n := notice()
	raw, err := BuildNotice(n)
	if err != nil {
		t.Fatal(err)
	}
	read, err := mail.ReadMessage(strings.NewReader(string(raw)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All", "Date": "Sat, 21 Nov 2026 09:00:00 +0000"},
		map[string]string{"Auto-Submitted": read.Header.Get("Auto-Submitted"), "X-Auto-Response-Suppress": read.Header.Get("X-Auto-Response-Suppress"), "Date": read.Header.Get("Date")}); diff != "" {
		t.Error(diff)
	}
	for name, want := range map[string]mail.Address{"From": n.From, "To": n.To} {
		list, err := read.Header.AddressList(name)
		if err != nil || len(list) != 1 || *list[0] != want {
			t.Errorf("%s: %v, %v", name, list, err)
		}
	}
	p := Parse(raw, "ops@example.test")
	if p.Automatic == "" {
		t.Error("a mailbox that receives it would route it to an agent")
	}
	want := store.Message{
		Direction: store.Inbound, From: "ops@example.test", To: []string{"juergen@example.test"}, Cc: []string{}, Subject: "Größe",
		MessageID: p.Message.MessageID, Date: n.At, Text: "Hello\nworld.",
	}
	p.Message.Text = strings.TrimRight(p.Message.Text, "\r\n")
	if diff := cmp.Diff(want, p.Message); diff != "" {
		t.Error(diff)
	}
	id := p.Message.MessageID
	if !strings.HasPrefix(id, "notice.") || !strings.HasSuffix(id, "@example.test") || !sendableID.MatchString(id) || ownID.MatchString(id) {
		t.Errorf("Message-ID %q", id)
	}
	for name, change := range map[string]func(*Notice){"ID": func(n *Notice) { n.ID = "voicemail/1/2" }, "At": func(n *Notice) { n.At = n.At.Add(time.Nanosecond) }} {
		other := notice()
		change(&other)
		raw, err := BuildNotice(other)
		if err != nil || strings.Contains(string(raw), id) {
			t.Errorf("another %s has the same Message-ID, %v", name, err)
		}
	}
}

func TestNoticeRefuses(t *testing.T) {
	for _, address := range []string{"", "nobody", "a b@example.test", "a@example.test>\r\nRCPT TO:<x@y.test", "a@example.test, b@example.test", "A <a@example.test>"} {
		n := notice()
		n.To.Address = address
		if _, err := BuildNotice(n); !errors.Is(err, ErrBadAddress) {
			t.Errorf("to %q: %v", address, err)
		}
		n = notice()
		n.From.Address = address
		if _, err := BuildNotice(n); !errors.Is(err, ErrBadSender) {
			t.Errorf("from %q: %v", address, err)
		}
	}
}

func TestVoicemailNotice(t *testing.T) {
	for _, c := range []struct {
		added, unread int
		subject, text string
	}{
		{1, 1, "New voice message (1 unread)", "Hello Alice Rossi,\n\nYou have a new voice message (1 unread). Dial *97 to hear it.\n"},
		{1, 3, "New voice message (3 unread)", "Hello Alice Rossi,\n\nYou have a new voice message (3 unread). Dial *97 to hear it.\n"},
		{2, 3, "2 new voice messages (3 unread)", "Hello Alice Rossi,\n\nYou have 2 new voice messages (3 unread). Dial *97 to hear them.\n"},
	} {
		subject, text := VoicemailNotice("Alice Rossi", c.added, c.unread)
		if diff := cmp.Diff([]string{c.subject, c.text}, []string{subject, text}); diff != "" {
			t.Error(diff)
		}
	}
}

// FuzzNotice: no value adds a header or a recipient.
func FuzzNotice(f *testing.F) {
	f.Add("ops@example.test", "Ops\r\nBcc: x@y.test", "a@b.test", "Al\"ice\\\r\nBcc: x@y.test", "Hello\r\nBcc: x@y.test", "text", "id@>\r\nBcc: x@y.test")
	f.Add("ops@b.test", "", "\"a\r\nb\"@b.test", "", "=?utf-8?q?=0D=0ABcc:_x?=", ".\r\nQUIT\r\n", "")
	f.Fuzz(func(t *testing.T, from, fromName, to, toName, subject, text, id string) {
		raw, err := BuildNotice(Notice{From: mail.Address{Name: fromName, Address: from}, To: mail.Address{Name: toName, Address: to},
			Subject: subject, Text: text, ID: id, At: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)})
		if err != nil {
			return
		}
		h, _ := ReadHeader(raw)
		allowed := map[string]int{
			"Date": 1, "MIME-Version": 1, "Message-ID": 1, "Subject": 1, "From": 1, "To": 1, "Auto-Submitted": 1, "X-Auto-Response-Suppress": 1,
			"Content-Type": 1, "Content-Transfer-Encoding": 1,
		}
		for _, field := range h.fields {
			if allowed[field.name]--; allowed[field.name] < 0 {
				t.Fatalf("header %q in\n%s", field.name, raw)
			}
		}
		if len(h.ids("Message-ID")) != 1 || len(h.addresses("To")) != 1 || len(h.addresses("From")) != 1 {
			t.Fatalf("identity of\n%s", raw)
		}
	})
}
