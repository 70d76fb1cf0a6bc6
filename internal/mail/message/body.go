package message

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/html"
	htmlcharset "golang.org/x/net/html/charset"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// walker collects what is read and what is attached.
type walker struct {
	message *store.Message
	blocks  []block
	parts   int
	groups  int
	// returned are the Message-IDs of the mails that a report is about.
	returned []string
	// want is the number of the attachment whose bytes are asked for, -1 for none.
	want    int
	content []byte
}

// block is one part that is read.
type block struct {
	html bool
	text string
	// alternative numbers the multipart/alternative it is in, 0 for none: its other parts say the same.
	alternative int
}

// place is where in the structure a part is.
type place struct {
	depth, alternative int
	// fallback is the type of a part that names none, see RFC 2046 section 5.1.5.
	fallback string
	report   bool
}

func (w *walker) read(h Header, body []byte) {
	w.walk(h, body)
	w.message.Text = cut(w.text(), maxText)
	if source := w.html(); source != "" {
		w.message.HTML = sanitise(source)
	}
}

// walk collects the parts.
func (w *walker) walk(h Header, body []byte) {
	w.entity(h, body, place{fallback: "text/plain"})
	if len(w.blocks) == 0 && len(w.message.Attachments) == 0 && len(body) > 0 {
		// Nothing came out of the structure it claims to have: show what there is.
		w.blocks = append(w.blocks, block{text: clean(body, "")})
	}
}

func (w *walker) entity(h Header, body []byte, at place) {
	w.parts++
	if w.parts > 2*maxParts || at.depth > maxDepth || len(w.message.Attachments)+len(w.blocks) >= maxParts {
		w.message.Detail = fmt.Sprintf("more than %d parts or %d levels: the rest is only in the raw mail", maxParts, maxDepth)
		return
	}
	media := parseMedia(h.raw("Content-Type"), h.charset)
	if !strings.Contains(media.value, "/") {
		media.value = at.fallback
	}
	if kind, isMultipart := strings.CutPrefix(media.value, "multipart/"); isMultipart {
		w.multipart(kind, media.params["boundary"], body, at)
		return
	}
	disposition := parseMedia(h.raw("Content-Disposition"), h.charset)
	encoding := h.raw("Content-Transfer-Encoding")
	name := attachmentName(disposition.params["filename"], media.params["filename"], media.params["name"])
	content := transferDecode(body, encoding)
	if at.report {
		w.report(media.value, content)
	}
	if disposition.value == "attachment" || name != "" || media.value != "text/plain" && media.value != "text/html" {
		w.attach(name, media.value, content)
		return
	}
	if media.value == "text/plain" {
		var files []uuFile
		content, files = cutUUEncoded(content)
		for _, f := range files {
			w.attach(attachmentName(f.name), "application/octet-stream", f.content)
		}
	}
	w.show(media, content, at.alternative)
}

func (w *walker) show(media mediaType, content []byte, alternative int) {
	b := block{html: media.value == "text/html", alternative: alternative}
	charset := media.params["charset"]
	if b.html {
		content = content[:min(len(content), maxHTML)]
		if encodingOf(strings.ToLower(charset)) == nil {
			// By <meta>; what it answers when there is none, guess knows better.
			if _, declared, _ := htmlcharset.DetermineEncoding(content, "text/html"); declared != "windows-1252" {
				charset = declared
			}
		}
	} else {
		content = content[:min(len(content), 4*maxText)]
	}
	b.text = clean(content, charset)
	if !b.html && strings.EqualFold(media.params["format"], "flowed") {
		b.text = unflow(b.text, strings.EqualFold(media.params["delsp"], "yes"))
	}
	w.blocks = append(w.blocks, b)
}

// report finds the mails that came back.
func (w *walker) report(mediaType string, content []byte) {
	switch mediaType {
	case "message/rfc822", "message/global", "message/rfc822-headers", "message/global-headers", "text/rfc822-headers":
		h, _ := ReadHeader(content)
		w.returned = append(w.returned, h.ids("Message-ID")...)
	case "message/disposition-notification":
		h, _ := ReadHeader(content)
		w.returned = append(w.returned, h.ids("Original-Message-ID")...)
	}
}

func (w *walker) attach(name, mediaType string, content []byte) {
	if w.want == len(w.message.Attachments) {
		w.content = content
	}
	w.message.Attachments = append(w.message.Attachments, store.Attachment{
		Name: name, ContentType: cut(oneLine(mediaType), 255), Size: int64(len(content)),
	})
}

func (w *walker) multipart(kind, boundary string, body []byte, at place) {
	inner := place{depth: at.depth + 1, alternative: at.alternative, fallback: "text/plain", report: at.report || kind == "report"}
	switch kind {
	case "alternative":
		if inner.alternative == 0 {
			w.groups++
			inner.alternative = w.groups
		}
	case "digest":
		inner.fallback = "message/rfc822"
	}
	parts := splitMultipart(body, boundary)
	if len(parts) == 0 && len(bytes.TrimSpace(body)) > 0 {
		w.message.Detail = "the MIME structure is broken: the rest is only in the raw mail"
	}
	for _, part := range parts {
		h, content := ReadHeader(part)
		w.entity(h, content, inner)
	}
}

// splitMultipart cuts at the lines that are the boundary (RFC 2046 section 5.1.1). The last part may lack its end.
func splitMultipart(body []byte, boundary string) [][]byte {
	if boundary == "" {
		return nil
	}
	var parts [][]byte
	delimiter := []byte("--" + boundary)
	start := -1
	for at := 0; at < len(body) && len(parts) <= 2*maxParts; {
		end := len(body)
		if i := bytes.IndexByte(body[at:], '\n'); i >= 0 {
			end = at + i + 1
		}
		tail, is := bytes.CutPrefix(body[at:end], delimiter)
		tail, last := bytes.CutPrefix(tail, []byte("--"))
		if is && len(bytes.TrimSpace(tail)) == 0 {
			if start >= 0 {
				parts = append(parts, trimBreak(body[start:at]))
			}
			if start = end; last {
				return parts
			}
		}
		at = end
	}
	if start >= 0 && start < len(body) {
		parts = append(parts, body[start:])
	}
	return parts
}

// trimBreak removes the line break before a boundary, which belongs to it.
func trimBreak(b []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
}

// has reports whether the alternative that b is in is also there in the other form, with something in it.
func (w *walker) has(b block, asHTML bool) bool {
	return b.alternative != 0 && slices.ContainsFunc(w.blocks, func(o block) bool {
		return o.alternative == b.alternative && o.html == asHTML && strings.TrimSpace(o.text) != ""
	})
}

// text is all that is said, each thing once: as it was written in plain text, else what the HTML says.
func (w *walker) text() string {
	var out []string
	for _, b := range w.blocks {
		text := b.text
		if b.html {
			if w.has(b, false) {
				continue
			}
			text = textOf(text)
		}
		if strings.TrimSpace(text) != "" {
			out = append(out, text)
		}
	}
	return strings.Join(out, "\n")
}

// html is the mail as HTML, with the plain texts between it; "" when nothing of it is HTML.
func (w *walker) html() string {
	if !slices.ContainsFunc(w.blocks, func(b block) bool { return b.html && strings.TrimSpace(b.text) != "" }) {
		return ""
	}
	var out strings.Builder
	for _, b := range w.blocks {
		switch {
		case b.html:
			out.WriteString(b.text)
		case !w.has(b, true) && strings.TrimSpace(b.text) != "":
			out.WriteString("<pre>" + html.EscapeString(b.text) + "</pre>")
		}
	}
	return out.String()
}

// clean is text as valid UTF-8 with \n line ends and without NUL.
func clean(raw []byte, charset string) string {
	s := strings.ReplaceAll(toUTF8(raw, charset), "\r\n", "\n")
	return strings.ReplaceAll(s, "\x00", "")
}

// attachmentName is for display: no path, one line, decoded, and nothing that turns it around: "exe.fdp" must not read as a
// document.
func attachmentName(candidates ...string) string {
	for _, c := range candidates {
		c = decode(c, "")
		if i := strings.LastIndexAny(c, `/\`); i >= 0 {
			c = c[i+1:]
		}
		c = strings.Map(func(r rune) rune {
			if r >= '\u202A' && r <= '\u202E' || r >= '\u2066' && r <= '\u2069' {
				return -1
			}
			return r
		}, c)
		if c = strings.TrimSpace(c); c != "" {
			return cut(c, 255)
		}
	}
	return ""
}
