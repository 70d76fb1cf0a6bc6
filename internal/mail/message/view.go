package message

import (
	"golang.org/x/net/html"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// View is a raw mail as sanitised HTML: the plain text where it has none. With remote the pictures that it shows from elsewhere
// are kept, which tell the sender that, when and where it is read.
func View(raw []byte, remote bool) (source string, err error) {
	defer func() {
		if r := recover(); r != nil {
			source, err = "", store.ErrNotFound
		}
	}()
	h, body := ReadHeader(raw)
	var m store.Message
	w := walker{message: &m, want: -1}
	w.walk(h, body)
	if source = w.html(); source == "" {
		return cutHTML("<pre>"+html.EscapeString(cut(w.text(), maxText)), maxHTML-len("</pre>")) + "</pre>", nil
	}
	if remote {
		return cutHTML(picturesToo().Sanitize(source), maxHTML), nil
	}
	return sanitise(source), nil
}
