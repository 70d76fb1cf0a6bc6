package message

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	"image"
	_ "image/jpeg" // logos
	_ "image/png"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/microcosm-cc/bluemonday"
	gomail "github.com/wneessen/go-mail"

	"github.com/ringmaster-dev/ringmaster/internal/template"
)

// Layout is what the HTML of an answer looks like.
type Layout struct {
	// Source is HTML with variables: content is the answer, logo the URL of the picture; the others are in Reply.Variables. Empty: the
	// answer below the logo.
	Source string
	// FontFamily is a CSS list of fonts, FontSize in CSS pixels; empty and 0: what the reader's program has.
	FontFamily string
	FontSize   int
	// Logo is a PNG or JPEG, nil for none; see LogoType.
	Logo []byte
}

// Errors of Layout.Check and LogoType.
var (
	ErrNoContent = errors.New("the variable content is not where its value could be read")
	ErrNoPicture = errors.New("neither a PNG nor a JPEG")
	ErrDrawing   = errors.New("an SVG, which mail programs do not show: export it as a PNG")
)

const (
	contentVariable = "content"
	logoVariable    = "logo"
	logoID          = "logo@ringmaster"
	plainLayout     = "<div>{{ content }}</div>"
)

// Check reports whether an answer can be read in the layout: *template.SyntaxError, ErrNoContent.
func (l Layout) Check() error {
	const mark = "the-answer-itself"
	filled, err := l.fill(mark, nil, false)
	if err != nil {
		return err
	}
	if !strings.Contains(textOf(filled), mark) {
		return ErrNoContent
	}
	return nil
}

// LogoType returns the media type of a logo by its content. Errors: ErrNoPicture, ErrDrawing.
func LogoType(logo []byte) (string, error) {
	_, format, err := image.DecodeConfig(bytes.NewReader(logo))
	switch {
	case err == nil && (format == "png" || format == "jpeg"):
		return "image/" + format, nil
	case isDrawing(logo):
		return "", ErrDrawing
	}
	return "", ErrNoPicture
}

// isDrawing reports whether content is an SVG, by its first element.
func isDrawing(content []byte) bool {
	d := xml.NewDecoder(bytes.NewReader(content))
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	for {
		token, err := d.RawToken()
		if err != nil {
			return false
		}
		if first, ok := token.(xml.StartElement); ok {
			return first.Name.Local == "svg"
		}
	}
}

// layoutPolicy keeps what mails are made up of and drops what runs, loads frames or style sheets, or hides: a value may have come out in a place where it
// is more than text, and what customers get in a company's name shows itself.
var layoutPolicy = sync.OnceValue(func() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.AllowElements("p", "div", "span", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "code", "b", "strong", "i", "em", "u", "s", "small",
		"sub", "sup", "font", "center", "address")
	p.AllowNoAttrs().OnElements("span", "font")
	p.AllowLists()
	p.AllowTables()
	p.AllowStandardURLs()
	p.AllowURLSchemes("http", "https", "mailto", "tel", "cid")
	p.AllowAttrs("dir", "lang").Globally()
	p.AllowAttrs("href").OnElements("a")
	p.AllowAttrs("src").Matching(regexp.MustCompile(`^(https://|cid:` + regexp.QuoteMeta(logoID) + `$)`)).OnElements("img")
	p.AllowAttrs("alt").OnElements("img")
	p.AllowAttrs("width", "height").Matching(bluemonday.NumberOrPercent).OnElements("img", "table", "td", "th")
	p.AllowAttrs("cellpadding", "cellspacing", "border").Matching(bluemonday.Integer).OnElements("table", "img")
	p.AllowAttrs("align", "valign").Matching(bluemonday.SpaceSeparatedTokens).OnElements("table", "tr", "td", "th", "p", "div", "img")
	p.AllowAttrs("bgcolor", "color").Matching(regexp.MustCompile(`^#?[A-Za-z0-9]+$`)).OnElements("table", "tr", "td", "th", "font")
	p.AllowStyles("background-color", "border", "border-bottom", "border-collapse", "border-left", "border-radius", "border-right", "border-spacing", "border-top",
		"color", "font-family", "font-size", "font-style", "font-weight", "height", "letter-spacing", "line-height", "list-style-type",
		"margin", "margin-bottom", "margin-left", "margin-right", "margin-top", "max-width",
		"padding", "padding-bottom", "padding-left", "padding-right", "padding-top",
		"text-align", "text-decoration", "vertical-align", "width").Globally()
	return p
})

// fill is the layout with its values, sanitised: what is inside the body. It is empty where the values are too large.
func (l Layout) fill(text string, variables map[string]string, logo bool) (string, error) {
	source := l.Source
	if source == "" {
		source = plainLayout
	}
	t, err := template.Parse(source)
	if err != nil {
		return "", err
	}
	values := maps.Clone(variables)
	if values == nil {
		values = map[string]string{}
	}
	values[contentVariable], values[logoVariable] = "", ""
	for name, value := range values {
		values[name] = html.EscapeString(cleanText(value))
	}
	values[contentVariable] = lines(text)
	above := ""
	if logo {
		values[logoVariable] = "cid:" + logoID
		if !slices.Contains(t.Variables(), logoVariable) {
			above = `<p><img src="cid:` + logoID + `" alt=""></p>`
		}
	}
	size := 0
	filled := t.Render(func(path string) string {
		if size += len(values[path]); size > maxHTML {
			return "" // a layout may have the answer many times
		}
		return values[path]
	})
	if size > maxHTML {
		return "", nil
	}
	return layoutPolicy().Sanitize(above + filled), nil
}

// lines is plain text as HTML that keeps its lines and its indentation.
func lines(text string) string {
	text = html.EscapeString(strings.ReplaceAll(cleanText(text), "\t", "    "))
	return strings.ReplaceAll(strings.ReplaceAll(text, "  ", "&nbsp; "), "\n", "<br>\n")
}

// style of everything in the layout.
func (l Layout) style() string {
	var rules []string
	if l.FontFamily != "" {
		rules = append(rules, "font-family: "+l.FontFamily)
	}
	if l.FontSize > 0 {
		rules = append(rules, fmt.Sprintf("font-size: %dpx", l.FontSize))
	}
	return html.EscapeString(strings.Join(rules, "; "))
}

// designed is the HTML of an answer.
type designed struct {
	// inside the body; empty: the answer is text alone.
	inside string
	logo   *File
}

// design puts the answer into its layout, with the logo where that fits beside the files. An answer that would become too large so stays text.
func (r Reply) design() (designed, error) {
	if r.Layout == nil || len(r.Forward) > 0 {
		return designed{}, nil
	}
	total := len(r.Layout.Logo)
	for _, f := range r.Files {
		total += len(f.Content)
	}
	var d designed
	if len(r.Layout.Logo) > 0 && total <= MaxFiles {
		kind, err := LogoType(r.Layout.Logo)
		if err != nil {
			return d, fmt.Errorf("the logo: %w", err)
		}
		d.logo = &File{Name: "logo." + strings.TrimPrefix(kind, "image/"), ContentType: kind, Content: r.Layout.Logo}
	}
	var err error
	if d.inside, err = r.Layout.fill(r.Text, r.Variables, d.logo != nil); err != nil {
		return d, fmt.Errorf("the layout: %w", err)
	}
	if d.inside == "" || len(d.inside) > maxHTML {
		return designed{}, nil
	}
	return d, nil
}

// attach adds it to the text.
func (d designed) attach(msg *gomail.Msg, l *Layout) error {
	if d.inside == "" {
		return nil
	}
	page := "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"></head><body><div style=\"" + l.style() + "\">\n" + d.inside + "\n</div></body></html>\n"
	msg.AddAlternativeString(gomail.TypeTextHTML, strings.ReplaceAll(strings.ReplaceAll(page, "\r\n", "\n"), "\n", "\r\n"))
	if d.logo == nil {
		return nil
	}
	err := msg.EmbedReader(d.logo.Name, bytes.NewReader(d.logo.Content), gomail.WithFileContentID("<"+logoID+">"),
		gomail.WithFileContentType(gomail.ContentType(d.logo.ContentType)))
	if err != nil {
		return fmt.Errorf("the logo: %w", err)
	}
	return nil
}
