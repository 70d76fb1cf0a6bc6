package ami

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestReadMessage(t *testing.T) {
	for name, tc := range map[string]struct {
		in   string
		want Message
		err  error
	}{
		"event":       {"Event: X\r\nA: b: c\r\nB:\r\n\r\n", Message{{"Event", "X"}, {"A", "b: c"}, {"B", ""}}, nil},
		"blank first": {"\r\n\r\nEvent: X\r\n\r\n", Message{{"Event", "X"}}, nil},
		"no colon":    {"Response: Success\r\nplain text\r\n\r\n", Message{{"Response", "Success"}, {"Output", "plain text"}}, nil},
		"bare LF":     {"Event: X\n\n", Message{{"Event", "X"}}, nil},
		"not UTF-8":   {"Event: X\r\nCallerIDName: Jos\xe9 \xf0\x9f\r\n\r\n", Message{{"Event", "X"}, {"CallerIDName", "Jos\uFFFD \uFFFD"}}, nil},
		"cut":         {"Event: X\r\n", nil, io.ErrUnexpectedEOF},
		"nothing":     {"", nil, io.EOF},
		"long line":   {strings.Repeat("a", maxLine+10) + "\r\n\r\n", nil, errTooLong},
		"long":        {strings.Repeat("A: "+strings.Repeat("b", 1000)+"\r\n", maxMessage/1000+1) + "\r\n", nil, errTooLong},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := readMessage(bufio.NewReader(strings.NewReader(tc.in)))
			if !errors.Is(err, tc.err) {
				t.Fatalf("got error %v, want %v", err, tc.err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzReadMessage proves that the parser neither panics nor grows without
// bound, and that an action that is written reads back as itself.
func FuzzReadMessage(f *testing.F) {
	for _, s := range []string{"Event: X\r\nA: b\r\n\r\n", "\n\n", ":\r\n\r\n", "a\r\rb: \x00\r\n\r\n", "A: b\nAction: Command\n\n"} {
		f.Add([]byte(s), "Name", "value")
	}
	f.Fuzz(func(t *testing.T, in []byte, name, value string) {
		r := bufio.NewReader(bytes.NewReader(in))
		for {
			m, err := readMessage(r)
			if err != nil {
				break
			}
			if len(m) == 0 {
				t.Fatal("an empty message")
			}
		}
		var b bytes.Buffer
		if writeAction(&b, []Header{{"Action", "Ping"}, {name, value}}) != nil {
			if b.Len() != 0 {
				t.Fatal("a refused action was written in part")
			}
			return
		}
		out := bufio.NewReader(&b)
		m, err := readMessage(out)
		if err != nil || len(m) != 2 {
			t.Fatalf("%q: %q became %v, %v", name, value, m, err)
		}
		if _, err := readMessage(out); !errors.Is(err, io.EOF) {
			t.Fatalf("%q: %q started a second action", name, value)
		}
	})
}

// dial returns a client of a manager interface that answers as script says.
func dial(t *testing.T, script func(r *bufio.Reader, w net.Conn)) *Client {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprint(conn, "Asterisk Call Manager/11.0.0\r\n")
		r := bufio.NewReader(conn)
		for _, answer := range []string{"Response: Success\r\nChallenge: 123\r\n", "Response: Success\r\n"} {
			m, err := readMessage(r)
			if err != nil {
				return
			}
			fmt.Fprintf(conn, "%sActionID: %s\r\n\r\n", answer, m.Get("ActionID"))
		}
		script(r, conn)
		_, _ = io.Copy(io.Discard, r)
	}()
	c, err := Dial(t.Context(), l.Addr().String(), "u", "p")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		_ = l.Close()
		<-done
	})
	return c
}

func TestListAmongEvents(t *testing.T) {
	c := dial(t, func(r *bufio.Reader, w net.Conn) {
		m, _ := readMessage(r)
		id := m.Get("ActionID")
		fmt.Fprintf(w, "Event: Other\r\n\r\nResponse: Success\r\nActionID: %s\r\nEventList: start\r\n\r\n", id)
		fmt.Fprintf(w, "Event: Item\r\nActionID: %s\r\nName: a\r\n\r\nEvent: Other\r\n\r\n", id)
		fmt.Fprintf(w, "Event: Item\r\nActionID: %s\r\nName: b\r\n\r\n", id)
		fmt.Fprintf(w, "Event: Done\r\nActionID: %s\r\nEventList: Complete\r\n\r\n", id)
	})
	list, err := c.List(t.Context(), "Things")
	if err != nil || len(list) != 2 || list[0].Get("Name") != "a" || list[1].Get("name") != "b" {
		t.Errorf("got %v, %v", list, err)
	}
	for range 2 {
		if m := <-c.Events(); m.Event() != "Other" {
			t.Errorf("got event %v", m)
		}
	}
}

func TestErrorsAndAbandonedActions(t *testing.T) {
	c := dial(t, func(r *bufio.Reader, w net.Conn) {
		first, _ := readMessage(r)
		second, _ := readMessage(r)
		// The first answer comes when nobody waits for it any more.
		for _, m := range []Message{first, second} {
			fmt.Fprintf(w, "Response: Error\r\nActionID: %s\r\nMessage: no\r\n\r\n", m.Get("ActionID"))
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := c.Action(ctx, "Slow"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want a timeout", err)
	}
	_, err := c.Action(t.Context(), "Bad")
	var failed *Error
	if !errors.As(err, &failed) || failed.Action != "Bad" || failed.Message != "no" {
		t.Errorf("got %v", err)
	}
	if _, err := c.Action(t.Context(), "X", Header{"A", "b\r\nAction: Command"}); err == nil {
		t.Error("a line break in a value was sent")
	}
}

func TestConnectionLost(t *testing.T) {
	c := dial(t, func(r *bufio.Reader, w net.Conn) {
		_, _ = readMessage(r)
		_ = w.Close()
	})
	if _, err := c.Action(t.Context(), "X"); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
	<-c.Done()
	if _, err := c.Action(t.Context(), "X"); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
}

func TestEventsOverflow(t *testing.T) {
	c := dial(t, func(r *bufio.Reader, w net.Conn) {
		b := bufio.NewWriter(w)
		for range eventBuffer + 10 {
			fmt.Fprint(b, "Event: Flood\r\n\r\n")
		}
		_ = b.Flush()
		m, _ := readMessage(r)
		fmt.Fprintf(w, "Response: Success\r\nActionID: %s\r\n\r\n", m.Get("ActionID"))
	})
	if _, err := c.Action(t.Context(), "Ping"); err != nil {
		t.Fatal(err)
	}
	if !c.Lost() || c.Lost() {
		t.Error("lost events are not told exactly once")
	}
}

func TestNotAManagerInterface(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		if conn, err := l.Accept(); err == nil {
			fmt.Fprint(conn, "220 smtp\r\n")
			_ = conn.Close()
		}
	}()
	if _, err := Dial(t.Context(), l.Addr().String(), "u", "p"); err == nil {
		t.Error("an SMTP server was taken for Asterisk")
	}
}
