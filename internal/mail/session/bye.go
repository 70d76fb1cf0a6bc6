package session

import (
	"bytes"
	"sync"
	"sync/atomic"
)

// byeWatch sees everything that passes on the connection and, while IDLE runs, looks for an untagged
// BYE: go-imap reads it and says nothing. It keeps nothing else.
type byeWatch struct {
	on   atomic.Bool
	seen chan struct{}

	mu   sync.Mutex
	line []byte // the beginning of the present line
	said bool
}

const byeLine = "* BYE"

func (w *byeWatch) watch(on bool) {
	w.mu.Lock()
	w.line = w.line[:0]
	w.mu.Unlock()
	w.on.Store(on)
}

// Write implements io.Writer; both directions come here, and a client never sends a line like it.
func (w *byeWatch) Write(p []byte) (int, error) {
	if !w.on.Load() {
		return len(p), nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, b := range p {
		switch {
		case b == '\n':
			w.line = w.line[:0]
		case len(w.line) < len(byeLine):
			w.line = append(w.line, b)
			if !w.said && bytes.EqualFold(w.line, []byte(byeLine)) {
				w.said = true
				close(w.seen)
			}
		}
	}
	return len(p), nil
}
