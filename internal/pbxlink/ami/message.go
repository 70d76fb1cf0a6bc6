// Package ami is a client of the Asterisk Manager Interface (version 11, as
// in Asterisk 22): actions with their responses, lists, and events.
package ami

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

const (
	// maxLine and maxMessage bound what one message may take, in bytes. The
	// longest messages are command output and the variables of a channel.
	maxLine    = 64 << 10
	maxMessage = 4 << 20
)

// Header is one line of an action or a message.
type Header struct {
	// Name is compared without regard to case.
	Name string
	// Value holds no line break.
	Value string
}

// Message is one response or event.
type Message []Header

// Get is the first value of the named header, empty when there is none.
func (m Message) Get(name string) string {
	for _, h := range m {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

// All are all values of the named header, in order.
func (m Message) All(name string) []string {
	var values []string
	for _, h := range m {
		if strings.EqualFold(h.Name, name) {
			values = append(values, h.Value)
		}
	}
	return values
}

// Event is the event's name, empty for a response.
func (m Message) Event() string { return m.Get("Event") }

// errTooLong ends a connection whose peer does not speak the protocol.
var errTooLong = errors.New("ami: message too long")

// readMessage reads up to the blank line that ends a message. Asterisk passes on
// what callers and phones call themselves in whatever encoding, and cuts names at
// a byte; everything behind us is UTF-8.
func readMessage(r *bufio.Reader) (Message, error) {
	var m Message
	total := 0
	for {
		line, err := readLine(r)
		if err != nil {
			if errors.Is(err, io.EOF) && len(m) > 0 {
				return nil, io.ErrUnexpectedEOF
			}
			return nil, err
		}
		if total += len(line); total > maxMessage {
			return nil, errTooLong
		}
		if line == "" {
			if len(m) == 0 {
				continue
			}
			return m, nil
		}
		name, value, found := strings.Cut(strings.ToValidUTF8(line, "\uFFFD"), ":")
		if !found {
			// Output of old commands has lines of its own form.
			name, value = "Output", line
		}
		m = append(m, Header{Name: strings.TrimSpace(name), Value: strings.TrimPrefix(value, " ")})
	}
}

func readLine(r *bufio.Reader) (string, error) {
	var b strings.Builder
	for {
		part, err := r.ReadSlice('\n')
		if b.Len()+len(part) > maxLine {
			return "", errTooLong
		}
		b.Write(part)
		if err == nil {
			return strings.TrimRight(b.String(), "\r\n"), nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return "", err
		}
	}
}

// writeAction writes an action, refusing what would become a header or an
// action of its own.
func writeAction(w io.Writer, headers []Header) error {
	var b strings.Builder
	for _, h := range headers {
		if h.Name == "" || strings.ContainsAny(h.Name, ":\r\n\x00 ") {
			return fmt.Errorf("ami: %q is no header name", h.Name)
		}
		if strings.ContainsAny(h.Value, "\r\n\x00") {
			return fmt.Errorf("ami: the value of %s contains a line break", h.Name)
		}
		b.WriteString(h.Name + ": " + h.Value + "\r\n")
	}
	b.WriteString("\r\n")
	_, err := io.WriteString(w, b.String())
	return err
}
