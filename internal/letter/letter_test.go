package letter

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/mail/message"
)

// A value is text in every part of a mail, never markup, another line of the header or another variable.
func TestHostileValues(t *testing.T) {
	center := &v1alpha1.ContactCenter{ObjectMeta: metav1.ObjectMeta{Namespace: "acme"}}
	m := &v1alpha1.MessageTemplate{Spec: v1alpha1.MessageTemplateSpec{
		Subject: "{{ center.name }}: {{ user.name }}",
		Body:    v1alpha1.MessageBody{Text: "{{ user.name }}", HTML: `<a title="{{ user.alias }}" href="{{ link.url }}">{{ user.name }}</a>`},
	}}
	p := Person{Name: "Eve\r\nBcc: all@example.test\r\n<b>{{ link.url }}\x1b", Alias: `" onclick="x`}
	link := NewLink("https://desk.example.test/p", "T", time.Date(2026, 1, 2, 15, 4, 0, 0, time.UTC))
	if link.Expires != "2 January 2026 15:04 UTC" {
		t.Errorf("expires %q", link.Expires)
	}
	var n message.Notice
	if err := Fill(&n, m, center, p, link); err != nil {
		t.Fatal(err)
	}
	for what, is := range map[string][2]string{
		"subject": {n.Subject, "acme: Eve Bcc: all@example.test <b>{{ link.url }}"},
		"text":    {n.Text, "Eve\r\nBcc: all@example.test\r\n<b>{{ link.url }}"},
		"HTML":    {n.HTML, "<a title=\"&#34; onclick=&#34;x\" href=\"https://desk.example.test/p#token=T\">Eve\r\nBcc: all@example.test\r\n&lt;b&gt;{{ link.url }}</a>"},
	} {
		if is[0] != is[1] {
			t.Errorf("%s: %q, want %q", what, is[0], is[1])
		}
	}
	m.Spec.Body.Text = "{{"
	if err := Fill(&n, m, center, p, link); err == nil || !strings.Contains(err.Error(), "{{ without }}") {
		t.Errorf("a text that is no template: %v", err)
	}
}
