package message

import (
	"bytes"
	"errors"
	"image"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

func picture(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewRGBA(image.Rect(0, 0, 4, 4))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// laidOut builds a reply and returns it, its text and its HTML as the customer's program reads them.
func laidOut(t *testing.T, r Reply) (m store.Message, raw []byte, text, html string) {
	t.Helper()
	m, raw, err := BuildReply(r)
	if err != nil {
		t.Fatal(err)
	}
	h, body := ReadHeader(raw)
	var read store.Message
	w := walker{message: &read, want: -1}
	w.read(h, body)
	for _, b := range w.blocks {
		if b.html {
			html = b.text
		} else {
			text = b.text
		}
	}
	if diff := cmp.Diff(m.Attachments, read.Attachments); diff != "" {
		t.Errorf("attachments (-stored +sent):\n%s", diff)
	}
	return m, raw, text, html
}

func TestReplyLayout(t *testing.T) {
	r := replyTo("From: a@b.test\n\n")
	r.Text = "Dear <b>you</b>,\n  1 & 2 {{ agent.name }}\n"
	r.Variables = map[string]string{"agent.name": "<Alice>", "customer.name": `x" onclick="y`}
	r.Files = []File{{Name: "a.txt", ContentType: "text/plain", Content: []byte("file")}}
	r.Layout = &Layout{Source: `<html><head><title>no</title><style>p{}</style></head><body><table bgcolor="#eee" width="100%"><tr><td style="padding: 4px; position: fixed; color: #333">` +
		`<img src="{{ logo }}" alt="us"></td></tr></table><script>bad()</script><a href="{{ evil }}" title="{{ customer.name }}">x</a>` +
		`<a href="https://example.test/{{ interaction.id }}">y</a><p onclick="z()">{{ content }}</p>{{ agent.name }}</body></html>`,
		FontFamily: "'Open Sans', Arial", FontSize: 14, Logo: picture(t)}
	r.Variables["evil"], r.Variables["interaction.id"] = "javascript:alert(1)", "7"
	m, raw, text, html := laidOut(t, r)
	if text != strings.TrimSuffix(r.Text, "\n") && text != r.Text {
		t.Errorf("text %q", text)
	}
	for _, want := range []string{
		"Dear &lt;b&gt;you&lt;/b&gt;,<br>\n\u00a0 1 &amp; 2 {{ agent.name }}<br>", "&lt;Alice&gt;", `<img src="cid:logo@ringmaster" alt="us">`, `bgcolor="#eee"`,
		`style="padding: 4px; color: #333"`, `href="https://example.test/7"`, `<div style="font-family: &#39;Open Sans&#39;, Arial; font-size: 14px">`,
	} {
		if !strings.Contains(html, want) {
			t.Errorf("no %q in\n%s", want, html)
		}
	}
	for _, bad := range []string{"script", "onclick", "bad()", "title", "p{}"} {
		if strings.Contains(html, bad) {
			t.Errorf("%q in\n%s", bad, html)
		}
	}
	if len(m.Attachments) != 2 || m.Attachments[0].Name != "logo.png" || m.Attachments[1].Name != "a.txt" {
		t.Errorf("attachments %+v", m.Attachments)
	}
	if _, content, err := Attachment(raw, 1); err != nil || string(content) != "file" {
		t.Errorf("the file is %q, %v", content, err)
	}
	for _, want := range []string{"multipart/mixed", "multipart/related", "multipart/alternative", "Content-Id: <logo@ringmaster>"} {
		if !bytes.Contains(raw, []byte(want)) {
			t.Errorf("no %s", want)
		}
	}
	if !strings.Contains(m.HTML, "Dear &lt;b&gt;") || m.Text != r.Text {
		t.Errorf("stored %q, %q", m.Text, m.HTML)
	}
}

func TestReplyLayoutParts(t *testing.T) {
	logo := picture(t)
	cases := map[string]struct {
		change func(*Reply)
		html   bool
		logo   bool
	}{
		"no layout":            {change: func(r *Reply) { r.Layout = nil }},
		"a forward":            {change: func(r *Reply) { r.Forward = []string{"c@d.test"} }},
		"built in":             {change: func(r *Reply) { r.Layout.Source = "" }, html: true, logo: true},
		"a logo nobody places": {change: func(*Reply) {}, html: true, logo: true},
		"no logo":              {change: func(r *Reply) { r.Layout.Logo = nil }, html: true},
		"no room for the logo": {change: func(r *Reply) { r.Files = []File{{Name: "f", Content: make([]byte, MaxFiles)}} }, html: true},
		"too large a text":     {change: func(r *Reply) { r.Text = strings.Repeat("<", maxHTML/2) }},
		"an answer many times": {change: func(r *Reply) {
			r.Layout.Source, r.Text = strings.Repeat("{{ content }}", 9), strings.Repeat("x", maxHTML/8)
		}},
		"a variable in a comment": {change: func(r *Reply) { r.Layout.Source = "<!-- {{ x }} -->{{ content }}" }, html: true, logo: true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := replyTo("From: a@b.test\n\n")
			r.Layout = &Layout{Source: "<p>{{ content }}</p>", Logo: logo}
			c.change(&r)
			m, _, text, html := laidOut(t, r)
			if text == "" || (html != "") != c.html || (m.HTML != "") != c.html || strings.Contains(html, `<img src="cid:logo@ringmaster"`) != c.logo {
				t.Errorf("text of %d bytes, HTML %.200q", len(text), html)
			}
			if has := len(m.Attachments) > 0 && m.Attachments[0].Name == "logo.png"; has != c.logo {
				t.Errorf("attachments %+v", m.Attachments)
			}
		})
	}
}

func TestLayoutCheck(t *testing.T) {
	for source, want := range map[string]string{
		"":                             "",
		"<p>{{ content }}</p>":         "",
		"<p>hello</p>":                 ErrNoContent.Error(),
		"<style>{{ content }}</style>": ErrNoContent.Error(),
		"<!-- {{ content }} -->":       ErrNoContent.Error(),
		`<a href="https://b.test/{{ content }}">a</a>`: ErrNoContent.Error(),
		"{{ content": "line 1, column 1: {{ without }}",
	} {
		got := ""
		if err := (Layout{Source: source}).Check(); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", source, got, want)
		}
	}
}

func TestLogoType(t *testing.T) {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewRGBA(image.Rect(0, 0, 4, 4)), nil); err != nil {
		t.Fatal(err)
	}
	for want, content := range map[string][]byte{"image/png": picture(t), "image/jpeg": b.Bytes()} {
		if kind, err := LogoType(content); err != nil || kind != want {
			t.Errorf("%s, %v: want %s", kind, err, want)
		}
	}
	for content, want := range map[string]error{
		"": ErrNoPicture, "<html><svg/></html>": ErrNoPicture, "svg": ErrNoPicture, "<svg/>": ErrDrawing,
		"\ufeff<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<!-- drawn -->\n<!DOCTYPE svg>\n<svg xmlns=\"http://www.w3.org/2000/svg\"></svg>": ErrDrawing,
		"<svg:svg xmlns:svg='http://www.w3.org/2000/svg'/>": ErrDrawing, "GIF89a\x01\x00\x01\x00\x00\x00\x00;": ErrNoPicture,
	} {
		if _, err := LogoType([]byte(content)); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", content, err, want)
		}
	}
}
