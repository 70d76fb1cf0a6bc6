package message

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

func crlf(s string) []byte { return []byte(strings.ReplaceAll(s, "\n", "\r\n")) }

func TestParse(t *testing.T) {
	cases := map[string]struct {
		raw  string
		want store.Message
		name string
	}{
		"plain": {
			raw: "From: Carla <carla@customers.test>\nTo: support@example.test, Bob <bob@example.test>\nCc: x@example.test\nSubject: Hello\n" +
				"Message-ID: <a@b>\nDate: Sat, 21 Nov 2026 09:00:00 +0100\n\nfirst\nsecond\n",
			want: store.Message{
				From: "carla@customers.test", To: []string{"support@example.test", "bob@example.test"}, Cc: []string{"x@example.test"},
				Subject: "Hello", MessageID: "a@b", Date: time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC), Text: "first\nsecond\n",
			},
			name: "Carla",
		},
		"encoded words and folding": {
			raw:  "From: =?iso-8859-1?q?J=FCrgen_M=FCller?= <j@customers.test>\nSubject: =?utf-8?B?w6TDtg==?=\n =?utf-8?q?_und_mehr?=\n\nx",
			want: store.Message{From: "j@customers.test", Subject: "äö und mehr", Text: "x"},
			name: "Jürgen Müller",
		},
		"alternative": {
			raw: "From: a@b.test\nContent-Type: multipart/alternative; boundary=q\n\npreamble\n--q\nContent-Type: text/plain; charset=iso-8859-15\nContent-Transfer-Encoding: quoted-printable\n\n" +
				"10 =A4\n--q\nContent-Type: text/html; charset=utf-8\n\n<p onclick=\"x()\">10 <b>€</b><script>alert(1)</script><img src=\"http://spy.test/p.gif\"></p>\n--q--\n",
			want: store.Message{From: "a@b.test", Text: "10 €", HTML: "<p>10 <b>€</b></p>"},
		},
		"html only": {
			raw:  "From: a@b.test\nContent-Type: text/html\n\n<html><head><title>no</title><style>p{}</style></head><body><p>One &amp; <i>two</i></p><p>three<br>four</p></body></html>",
			want: store.Message{From: "a@b.test", Text: "One & two\nthree\nfour", HTML: "<p>One &amp; <i>two</i></p><p>three<br>four</p>"},
		},
		"attachments": {
			raw: "From: a@b.test\nContent-Type: multipart/mixed; boundary=q\n\n--q\n\nsee below\n--q\nContent-Type: application/pdf; name=\"=?utf-8?q?b=C3=A4r.pdf?=\"\nContent-Transfer-Encoding: base64\n\nAAECAw==\n" +
				"--q\nContent-Type: text/plain\nContent-Disposition: attachment; filename=\"../../etc/passwd\"\n\nroot\n--q\nContent-Type: message/rfc822\n\nSubject: inner\n\nx\n--q--\n",
			want: store.Message{From: "a@b.test", Text: "see below", Attachments: []store.Attachment{
				{Name: "bär.pdf", ContentType: "application/pdf", Size: 4},
				{Name: "passwd", ContentType: "text/plain", Size: 4},
				{ContentType: "message/rfc822", Size: 19},
			}},
		},
		"no type, 8-bit": {
			raw:  "From: a@b.test\nSubject: caf\xe9\n\ncaf\xe9\x00!",
			want: store.Message{From: "a@b.test", Subject: "café", Text: "café!"},
		},
		"unknown charset": {
			raw:  "From: a@b.test\nContent-Type: text/plain; charset=x-martian\n\nabc",
			want: store.Message{From: "a@b.test", Text: "abc"},
		},
		"unknown encoding": {
			raw:  "From: a@b.test\nContent-Type: text/plain\nContent-Transfer-Encoding: x-uuencode\n\nabc",
			want: store.Message{From: "a@b.test", Text: "abc"},
		},
		"malformed header lines": {
			raw:  "no colon here\nFrom: a@b.test\n: empty name\nbad name: x\nSubject: ok\n\nbody",
			want: store.Message{From: "a@b.test", Subject: "ok", Text: "body"},
		},
		"no From": {
			raw:  "Reply-To: r@b.test\nReturn-Path: <bounce@b.test>\n\nx",
			want: store.Message{From: "r@b.test", Text: "x"},
		},
		"From is not an address": {
			raw:  "From: Me, myself & <i@b.test> (and I\n\nx",
			want: store.Message{From: "i@b.test", Text: "x"},
		},
		"boundary never appears": {
			raw:  "From: a@b.test\nContent-Type: multipart/mixed; boundary=q\n\njust text",
			want: store.Message{From: "a@b.test", Text: "just text"},
		},
		"boundary is missing": {
			raw:  "From: a@b.test\nContent-Type: multipart/mixed\n\njust text",
			want: store.Message{From: "a@b.test", Text: "just text"},
		},
		"empty and absurd": {
			raw:  "From:\nMessage-ID: <>\nDate: Thu, 01 Jan 9999 00:00:00 +0000\nIn-Reply-To: <>\n\n",
			want: store.Message{},
		},
		"header alone": {
			raw:  "From: a@b.test\nSubject: cut\nContent-Type: multipart/mixed; boundary=q\n\n",
			want: store.Message{From: "a@b.test", Subject: "cut"},
		},
		"date of the last hop": {
			raw:  "Received: from x by y;\n\tSat, 21 Nov 2026 10:00:00 +0000\nFrom: a@b.test\nDate: yesterday\n\nx",
			want: store.Message{From: "a@b.test", Date: time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC), Text: "x"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := Parse(crlf(c.raw), "support@example.test")
			if p.Quarantine != "" {
				t.Fatalf("quarantined: %s", p.Quarantine)
			}
			got := p.Message
			got.Direction, got.Detail = "", ""
			got.HTML, got.Text = strings.TrimSpace(got.HTML), strings.TrimSuffix(got.Text, "\r\n")
			if len(got.To) == 0 {
				got.To = nil
			}
			if len(got.Cc) == 0 {
				got.Cc = nil
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if p.CustomerName != c.name {
				t.Errorf("name %q, want %q", p.CustomerName, c.name)
			}
		})
	}
}

func TestQuarantine(t *testing.T) {
	for name, raw := range map[string]string{"empty": "", "blank": "\r\n\r\nbody", "words": "not a mail at all", "binary": "\x00\x01\xff\xfe"} {
		if p := Parse([]byte(raw), ""); p.Quarantine == "" {
			t.Errorf("%s: not quarantined: %+v", name, p.Message)
		}
	}
}

// Limits hold whatever is sent.
func TestLimits(t *testing.T) {
	var parts strings.Builder
	parts.WriteString("From: a@b.test\nContent-Type: multipart/mixed; boundary=q\n\n")
	for i := range 500 {
		fmt.Fprintf(&parts, "--q\nContent-Type: application/x-%d; name=f\n\nx\n", i)
	}
	p := Parse(crlf(parts.String()), "")
	if n := len(p.Message.Attachments); n > maxParts || n < maxParts-2 || p.Message.Detail == "" {
		t.Errorf("%d attachments, detail %q", n, p.Message.Detail)
	}
	var deep strings.Builder
	deep.WriteString("From: a@b.test\nContent-Type: multipart/mixed; boundary=b0\n\n")
	for i := range 300 {
		fmt.Fprintf(&deep, "--b%d\nContent-Type: multipart/mixed; boundary=b%d\n\n", i, i+1)
	}
	if p = Parse(crlf(deep.String()), ""); p.Message.Detail == "" {
		t.Error("depth is not limited")
	}
	long := strings.Repeat("ä", maxText)
	if p = Parse(crlf("From: a@b.test\nContent-Type: text/plain; charset=utf-8\n\n"+long), ""); len(p.Message.Text) > maxText || !utf8.ValidString(p.Message.Text) {
		t.Errorf("text of %d bytes", len(p.Message.Text))
	}
	html := "From: a@b.test\nContent-Type: text/html; charset=utf-8\n\n" + strings.Repeat(`<a href="https://x.test/?a=1&b=2">&lt;&quot;</a>`, 40000)
	if p = Parse(crlf(html), ""); len(p.Message.HTML) > maxHTML || len(p.Message.Text) > maxText {
		t.Errorf("HTML of %d, text of %d bytes", len(p.Message.HTML), len(p.Message.Text))
	}
}

func TestNothingRemote(t *testing.T) {
	source := `<div style="background:url(http://spy.test/a)"><img src=http://spy.test/b><iframe src="//spy.test/c"></iframe>` +
		`<table background="http://spy.test/d"><tr><td>kept</td></tr></table><link rel=stylesheet href=http://spy.test/e>` +
		`<video poster="http://spy.test/f"></video><a href="javascript:x()">j</a><a href="https://shop.test/">shop</a><svg><image href="http://spy.test/g"/></svg></div>`
	got := sanitise(source)
	for _, bad := range []string{"spy.test", "javascript", "style", "<img", "iframe"} {
		if strings.Contains(got, bad) {
			t.Errorf("%q in %s", bad, got)
		}
	}
	for _, good := range []string{"kept", `href="https://shop.test/"`, "noreferrer", "nofollow"} {
		if !strings.Contains(got, good) {
			t.Errorf("%q not in %s", good, got)
		}
	}
}

func TestThreadKeys(t *testing.T) {
	const id = "0190a8a0-1111-7000-8000-000000000001"
	own := NewMessageID(id, "example.test")
	cases := map[string]struct {
		headers string
		want    []string
	}{
		"nothing":                {"Subject: Re: x", nil},
		"empty ids":              {"In-Reply-To: <>\nReferences:  \n <>", nil},
		"in reply to":            {"In-Reply-To: <a@b>", []string{"a@b"}},
		"references from end":    {"References: <1@b> <2@b>\n <3@b>\nIn-Reply-To: <3@b>", []string{"3@b", "2@b", "1@b"}},
		"own token first":        {"In-Reply-To: <x@y>\nReferences: <" + own + "> <x@y>", []string{id, "x@y", own}},
		"without brackets":       {"In-Reply-To: a@b", []string{"a@b"}},
		"comment is not an id":   {"In-Reply-To: your message of Friday", nil},
		"a word like our tokens": {"In-Reply-To: <0190a8a0-1111.x@y>", []string{"0190a8a0-1111.x@y"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := Parse(crlf("From: a@b.test\n"+c.headers+"\n\nx"), "")
			if diff := cmp.Diff(c.want, p.ThreadKeys); diff != "" {
				t.Error(diff)
			}
		})
	}
	p := Parse(crlf("From: a@b.test\nReferences: "+strings.Repeat("<"+strings.Repeat("r", 900)+"@b> <x@y>", 3000)+"\n\n"), "")
	if len(p.ThreadKeys) > maxIDs {
		t.Errorf("%d keys", len(p.ThreadKeys))
	}
}

// RFC 3834 and its relatives.
func TestAutomatic(t *testing.T) {
	cases := map[string]string{
		"Subject: a person's":                 "",
		"Auto-Submitted: no":                  "",
		"Auto-Submitted: No (really)":         "",
		"Auto-Submitted: auto-replied":        "Auto-Submitted",
		"Auto-Submitted: auto-generated; x=y": "Auto-Submitted",
		"Return-Path: <>":                     "NullReturnPath",
		"Return-Path: <a@b.test>":             "",
		"Content-Type: multipart/report; report-type=delivery-status; boundary=x": "DeliveryReport",
		"List-Id: News <news.b.test>":   "MailingList",
		"Precedence: BULK":              "Precedence",
		"Precedence: list":              "Precedence",
		"Precedence: first-class":       "",
		"X-Auto-Response-Suppress: All": "",
		"X-Autoreply: yes":              "Autoresponder",
	}
	for header, want := range cases {
		if got := Parse(crlf("From: a@b.test\n"+header+"\n\nx"), "support@example.test").Automatic; got != want {
			t.Errorf("%s: %q, want %q", header, got, want)
		}
	}
	if got := Parse(crlf("From: Support <SUPPORT@example.test>\n\nx"), "support@example.test").Automatic; got != "OwnAddress" {
		t.Errorf("own address: %q", got)
	}
	if got := Parse(crlf("From: MAILER-DAEMON@b.test\n\nx"), "support@example.test").Automatic; got != "DeliveryReport" {
		t.Errorf("mailer daemon: %q", got)
	}
}

func TestHeaderFilter(t *testing.T) {
	h, _ := ReadHeader(crlf("X-Virus:  Clean \nX-Virus: =?utf-8?q?gepr=C3=BCft?=\nX-Long: one\n two\nX-Empty:\n\nX-Body: no\n"))
	cases := []struct {
		filter HeaderFilter
		want   bool
	}{
		{HeaderFilter{Name: "x-virus"}, true},
		{HeaderFilter{Name: "X-Virus", Value: "Clean", HasValue: true}, true},
		{HeaderFilter{Name: "X-Virus", Value: "clean", HasValue: true}, false},
		{HeaderFilter{Name: "X-Virus", Value: "Clea", HasValue: true}, false},
		{HeaderFilter{Name: "X-VIRUS", Value: "geprüft", HasValue: true}, true},
		{HeaderFilter{Name: "X-Long", Value: "one two", HasValue: true}, true},
		{HeaderFilter{Name: "X-Empty"}, true},
		{HeaderFilter{Name: "X-Empty", HasValue: true}, true},
		{HeaderFilter{Name: "X-Virus", HasValue: true}, false},
		{HeaderFilter{Name: "X-Body"}, false},
		{HeaderFilter{Name: "X-Vir"}, false},
	}
	for _, c := range cases {
		if got := Accepts(h, []HeaderFilter{c.filter}); got != c.want {
			t.Errorf("%+v: %v", c.filter, got)
		}
	}
	if !Accepts(h, nil) || Accepts(h, []HeaderFilter{{Name: "X-Virus"}, {Name: "X-None"}}) {
		t.Error("all filters must accept")
	}
}

// FuzzParse: whatever comes, there is an answer, within the limits and fit for every database.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "From: a@b\r\n\r\nx", "Subject: =?utf-8?b?///?=\r\n\r\n", "\x00: \x00\r\n\r\n\x00",
		"Content-Type: multipart/mixed; boundary=q\r\n\r\n--q\r\n\r\n--q\r\nContent-Type: text/html\r\n\r\n<b>&amp\r\n--q--",
		"From: \"a\\\" <x@y>, ;:<>()\r\nContent-Transfer-Encoding: base64\r\n\r\n====", "A: b\r\n c\r\n\td\r\nDate: 1\r\n\r\n",
		"Content-Type: text/plain; charset=utf-7\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=zz=\r\n=",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		p := Parse(raw, "support@example.test")
		m := p.Message
		for _, s := range append(append(append([]string{p.CustomerName, m.From, m.Subject, m.Text, m.HTML, m.MessageID, m.Detail}, m.To...), m.Cc...), p.ThreadKeys...) {
			if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
				t.Fatalf("not fit to store: %q", s)
			}
		}
		if len(m.Text) > maxText || len(m.HTML) > maxHTML || len(m.Attachments) > maxParts || len(p.ThreadKeys) > maxIDs {
			t.Fatal("limits broken")
		}
		for _, k := range p.ThreadKeys {
			if k == "" {
				t.Fatal("empty thread key")
			}
		}
		for n, a := range m.Attachments {
			got, content, err := Attachment(raw, n)
			if err != nil || got != a || int64(len(content)) != a.Size {
				t.Fatalf("attachment %d: %+v is %+v, %v", n, a, got, err)
			}
		}
	})
}
