package message

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

func autoReply() store.AutoReply {
	return store.AutoReply{
		Account:     store.Account{Key: store.Key{Namespace: "n", Name: "support"}, DisplayName: "Support \"24/7\"", Address: "support@example.test"},
		Interaction: store.Interaction{ID: "01890a5d-ac96-774b-bcce-b302099a8057", Customer: "carla@example.net", Name: "Carla\r\nBcc: x@example.net"},
		Original:    []byte("Message-ID: <m1@example.net>\r\nReply-To: list@example.net\r\n\r\n"),
		Subject:     "Closed\r\nBcc: y@example.net", Text: "Dear Carla,\nGrüße", HTML: "<p>Dear <b>Carla</b><script>x</script></p>",
		At: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC),
	}
}

func TestAutoReply(t *testing.T) {
	m, raw, err := Flows{}.AutoReply(autoReply())
	if err != nil {
		t.Fatal(err)
	}
	h, _ := ReadHeader(raw)
	got := map[string]string{}
	for _, name := range []string{"To", "Bcc", "Subject", "Auto-Submitted", "X-Auto-Response-Suppress", "In-Reply-To", "References"} {
		got[name] = h.Get(name)
	}
	want := map[string]string{"To": `"CarlaBcc: x@example.net" <carla@example.net>`, "Bcc": "", "Subject": "Closed  Bcc: y@example.net", "Auto-Submitted": "auto-replied",
		"X-Auto-Response-Suppress": "All", "In-Reply-To": "<m1@example.net>", "References": "<m1@example.net>"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
	p := Parse(raw, "other@example.test")
	if p.Automatic == "" || strings.TrimSpace(strings.ReplaceAll(p.Message.Text, "\r\n", "\n")) != "Dear Carla,\nGrüße" || !strings.Contains(p.Message.HTML, "<b>Carla</b>") {
		t.Errorf("read as %q: %q, %q", p.Automatic, p.Message.Text, p.Message.HTML)
	}
	if !strings.HasPrefix(m.MessageID, "01890a5d-ac96-774b-bcce-b302099a8057.") || strings.Contains(m.HTML, "script") || m.Agent != "" || m.To[0] != "carla@example.net" {
		t.Errorf("row %+v", m)
	}
	for name, change := range map[string]struct {
		change func(*store.AutoReply)
		want   error
	}{
		"sender":    {func(r *store.AutoReply) { r.Account.Address = "nobody" }, ErrBadSender},
		"recipient": {func(r *store.AutoReply) { r.Interaction.Customer = "a@b.example, c@d.example" }, ErrBadAddress},
	} {
		r := autoReply()
		change.change(&r)
		if _, _, err := (Flows{}).AutoReply(r); !errors.Is(err, change.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHeaderOfFlows(t *testing.T) {
	got := Flows{}.Header([]byte("Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nX-Tag: a\r\nx-TAG: b\r\n\r\nX-Body: no\r\n"))
	if diff := cmp.Diff(map[string]string{"subject": "Grüße", "x-tag": "a, b"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
