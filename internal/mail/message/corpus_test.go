package message

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ringmaster-dev/ringmaster/internal/mail/corpus"
)

// Every mail of the corpus is read as it was meant.
func TestCorpus(t *testing.T) {
	mails, err := corpus.Load()
	if err != nil {
		t.Fatal(err)
	}
	if len(mails) < 200 {
		t.Errorf("only %d mails", len(mails))
	}
	names := map[string]bool{}
	for _, m := range mails {
		if names[m.Name] {
			t.Errorf("two mails are called %s", m.Name)
		}
		names[m.Name] = true
		t.Run(m.Name, func(t *testing.T) { checkMail(t, m) })
	}
}

func checkMail(t *testing.T, m corpus.Mail) {
	t.Helper()
	p := Parse(m.Raw, corpus.Address)
	got := corpus.Want{
		Subject: p.Message.Subject, From: p.Message.From, CustomerName: p.CustomerName, MessageID: p.Message.MessageID,
		Date: p.Message.Date, To: p.Message.To, Cc: p.Message.Cc, Keys: p.ThreadKeys, Automatic: p.Automatic,
		Quarantine: p.Quarantine, Detail: p.Message.Detail, Text: strings.TrimRight(p.Message.Text, " \t\r\n"),
		HTMLHas: m.Want.HTMLHas, HTMLLacks: m.Want.HTMLLacks, NoHTML: m.Want.NoHTML,
	}
	for n, a := range p.Message.Attachments {
		found := corpus.Attachment{Name: a.Name, ContentType: a.ContentType, Size: a.Size}
		_, content, err := Attachment(m.Raw, n)
		if err != nil || int64(len(content)) != a.Size {
			t.Errorf("attachment %d: %d bytes, %v", n, len(content), err)
		}
		if n < len(m.Want.Attachments) && m.Want.Attachments[n].Content != nil {
			found.Content = new(string(content))
		}
		got.Attachments = append(got.Attachments, found)
	}
	if diff := cmp.Diff(m.Want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff[:min(len(diff), 2000)])
	}
	html := p.Message.HTML
	for _, has := range m.Want.HTMLHas {
		if !strings.Contains(html, has) {
			t.Errorf("the HTML lacks %q: %.500s", has, html)
		}
	}
	for _, lacks := range m.Want.HTMLLacks {
		if strings.Contains(html, lacks) {
			t.Errorf("the HTML has %q: %.500s", lacks, html)
		}
	}
	if m.Want.NoHTML && html != "" {
		t.Errorf("there is HTML: %.500s", html)
	}
}
