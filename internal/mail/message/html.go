package message

import (
	"regexp"
	"strings"
	"sync"

	"github.com/microcosm-cc/bluemonday"
	"golang.org/x/net/html"
)

// policy keeps the structure of a mail and drops scripts, styles and everything that would be loaded
// from elsewhere: pictures, frames and fonts tell the sender that and where a mail is read.
var policy = sync.OnceValue(newPolicy)

// picturesToo is policy and pictures from elsewhere, when somebody asked for them.
var picturesToo = sync.OnceValue(func() *bluemonday.Policy {
	p := newPolicy()
	p.AllowAttrs("src").Matching(webAddress).OnElements("img")
	p.AllowAttrs("alt").OnElements("img")
	p.AllowAttrs("width", "height").Matching(bluemonday.NumberOrPercent).OnElements("img")
	return p
})

var webAddress = regexp.MustCompile(`(?i)^https?://[\p{L}\p{N}[]`)

func newPolicy() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.AllowElements("p", "div", "span", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "code",
		"b", "strong", "i", "em", "u", "s", "small", "sub", "sup", "font", "center", "address", "abbr", "cite", "q")
	p.AllowLists()
	p.AllowTables()
	p.AllowAttrs("dir", "lang").Globally()
	p.AllowStandardURLs()
	p.AllowURLSchemes("http", "https", "mailto", "tel")
	p.AllowAttrs("href").OnElements("a")
	p.RequireNoFollowOnLinks(true)
	p.RequireNoReferrerOnLinks(true)
	p.AddTargetBlankToFullyQualifiedLinks(true)
	return p
}

func sanitise(source string) string {
	return cutHTML(policy().Sanitize(source), maxHTML)
}

// cutHTML shortens without leaving half a tag or half an entity at the end.
func cutHTML(s string, n int) string {
	if len(s) <= n {
		return s
	}
	s = cut(s, n)
	if open := strings.LastIndexByte(s, '<'); open > strings.LastIndexByte(s, '>') {
		s = s[:open]
	}
	if amp := strings.LastIndexByte(s, '&'); amp > strings.LastIndexByte(s, ';') {
		s = s[:amp]
	}
	return s
}

// textOf is what a mail without a plain part says: its HTML without tags, with the line breaks of blocks.
func textOf(source string) string {
	var b strings.Builder
	tokens := html.NewTokenizer(strings.NewReader(source))
	skip := ""
	for b.Len() < maxText {
		kind := tokens.Next()
		if kind == html.ErrorToken {
			break
		}
		raw, _ := tokens.TagName()
		name := string(raw)
		switch kind {
		case html.StartTagToken:
			if skip == "" && (name == "script" || name == "style" || name == "title") {
				skip = name
			}
			lineBreak(&b, name)
		case html.SelfClosingTagToken:
			lineBreak(&b, name)
		case html.EndTagToken:
			if name == skip {
				skip = ""
			}
			if name != "br" {
				lineBreak(&b, name)
			}
		case html.TextToken:
			if skip == "" {
				words(&b, string(tokens.Text()))
			}
		default: // comments and doctypes say nothing
		}
	}
	return strings.TrimSpace(strings.ReplaceAll(b.String(), " \n", "\n"))
}

func lineBreak(b *strings.Builder, tag string) {
	switch tag {
	case "br":
		b.WriteByte('\n')
	case "td", "th":
		space(b)
	case "p", "div", "tr", "li", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "table", "ul", "ol", "pre", "hr":
		if s := b.String(); s != "" && !strings.HasSuffix(s, "\n") {
			b.WriteByte('\n')
		}
	}
}

// words writes text with its white space collapsed, as a browser shows it.
func words(b *strings.Builder, text string) {
	text = html.UnescapeString(text)
	fields := strings.Fields(text)
	if strings.TrimLeft(text, " \t\r\n") != text {
		space(b)
	}
	if len(fields) == 0 {
		return
	}
	b.WriteString(strings.Join(fields, " "))
	if strings.TrimRight(text, " \t\r\n") != text {
		b.WriteByte(' ')
	}
}

// space separates words, unless something does already.
func space(b *strings.Builder) {
	if s := b.String(); s != "" && !strings.HasSuffix(s, "\n") && !strings.HasSuffix(s, " ") {
		b.WriteByte(' ')
	}
}
