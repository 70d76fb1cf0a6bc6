// Package imaptest is an IMAP server for tests of what no real server does on purpose: answers in an odd
// order, half a literal, silence. Its default answers are those of a plain server over a fixed mailbox; a
// test replaces the ones it is about.
package imaptest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Mail in the mailbox. Its sequence number is its place in the list.
type Mail struct {
	UID  uint32
	Raw  string
	Seen bool
}

// Server is a scripted server.
type Server struct {
	Addr string

	mu       sync.Mutex
	mails    []Mail
	commands []string
	handlers map[string]Handler
	greeting string
	conns    map[net.Conn]bool
	idlers   map[*Conn]bool
	dials    int
}

// Handler answers one command in the default's place; false leaves it to the default.
type Handler func(c *Conn, args string) bool

// Conn is one client, as a Handler sees it.
type Conn struct {
	net.Conn
	Server *Server
	// Tag of the command being answered.
	Tag string
	r   *bufio.Reader
}

// New starts a server with the mails.
func New(t testing.TB, mails ...Mail) *Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{
		Addr: l.Addr().String(), mails: mails, handlers: map[string]Handler{}, conns: map[net.Conn]bool{}, idlers: map[*Conn]bool{},
		greeting: "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR IDLE] ready\r\n",
	}
	var clients sync.WaitGroup
	clients.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns[c] = true
			s.dials++
			s.mu.Unlock()
			clients.Go(func() { s.serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		s.Hangup()
		clients.Wait()
	})
	return s
}

// Greeting replaces the greeting; "" greets with silence.
func (s *Server) Greeting(line string) { s.mu.Lock(); defer s.mu.Unlock(); s.greeting = line }

// Handle sets the answer to a command, such as "UID FETCH".
func (s *Server) Handle(command string, h Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handlers[command] = h
}

// Commands received so far, tags and literals aside.
func (s *Server) Commands() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.commands)
}

// Dials counts connections.
func (s *Server) Dials() int { s.mu.Lock(); defer s.mu.Unlock(); return s.dials }

// Open counts connections that are open now.
func (s *Server) Open() int { s.mu.Lock(); defer s.mu.Unlock(); return len(s.conns) }

// Mails in the mailbox now.
func (s *Server) Mails() []Mail { s.mu.Lock(); defer s.mu.Unlock(); return slices.Clone(s.mails) }

// Hangup closes every connection.
func (s *Server) Hangup() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_ = c.Close()
	}
}

// Say writes lines as they are; CRLF is added.
func (c *Conn) Say(format string, args ...any) {
	_, _ = fmt.Fprintf(c.Conn, format+"\r\n", args...)
}

// OK ends the command.
func (c *Conn) OK() { c.Say("%s OK done", c.Tag) }

// Hang waits until the client has gone.
func (c *Conn) Hang() { _, _ = io.Copy(io.Discard, c.r) }

func (s *Server) serve(nc net.Conn) {
	defer func() {
		_ = nc.Close()
		s.mu.Lock()
		delete(s.conns, nc)
		s.mu.Unlock()
	}()
	c := &Conn{Conn: nc, Server: s, r: bufio.NewReader(nc)}
	s.mu.Lock()
	greeting := s.greeting
	s.mu.Unlock()
	if greeting == "" {
		c.Hang()
		return
	}
	_, _ = io.WriteString(nc, greeting)
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return
		}
		tag, rest, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		name, args, _ := strings.Cut(rest, " ")
		if name == "UID" {
			sub, more, _ := strings.Cut(args, " ")
			name, args = "UID "+sub, more
		}
		c.Tag = tag
		s.mu.Lock()
		s.commands = append(s.commands, rest)
		h := s.handlers[name]
		s.mu.Unlock()
		if h != nil && h(c, args) {
			continue
		}
		if !c.answer(name, args) {
			return
		}
	}
}

// answer is what a plain server says.
func (c *Conn) answer(name, args string) bool {
	switch name {
	case "CAPABILITY":
		c.Say("* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR IDLE")
	case "SELECT":
		c.Say("* %d EXISTS", len(c.Server.Mails()))
		c.Say("* OK [UIDVALIDITY 7] valid")
		c.Say("* OK [UIDNEXT 100] next")
	case "UID SEARCH":
		c.Search(args)
		return true
	case "UID FETCH":
		c.Fetch(args)
		return true
	case "UID STORE":
		c.store(args)
	case "IDLE":
		c.idle(true)
		defer c.idle(false)
		if line, err := c.r.ReadString('\n'); err != nil || !strings.HasPrefix(line, "DONE") {
			return false
		}
	case "LOGOUT":
		c.Say("* BYE")
		c.OK()
		return false
	}
	c.OK()
	return true
}

func (c *Conn) idle(yes bool) {
	c.Server.mu.Lock()
	defer c.Server.mu.Unlock()
	if yes {
		c.Server.idlers[c] = true
		c.Say("+ idling")
	} else {
		delete(c.Server.idlers, c)
	}
}

// Deliver adds a mail and tells the clients that idle.
func (s *Server) Deliver(m Mail) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mails = append(s.mails, m)
	for c := range s.idlers {
		c.Say("* %d EXISTS", len(s.mails))
	}
}

// Idlers counts the clients that idle.
func (s *Server) Idlers() int { s.mu.Lock(); defer s.mu.Unlock(); return len(s.idlers) }

// Search answers a search for unseen mails, or for those from a UID on: UID 7:*.
func (c *Conn) Search(args string) {
	list := []string{"* SEARCH"}
	text, ranged := strings.CutPrefix(args, "UID ")
	from, _ := strconv.Atoi(strings.TrimSuffix(text, ":*"))
	mails := c.Server.Mails()
	for i, m := range mails {
		if ranged && (int(m.UID) >= from || i == len(mails)-1) || !ranged && !m.Seen {
			list = append(list, strconv.Itoa(int(m.UID)))
		}
	}
	c.Say("%s", strings.Join(list, " "))
	c.OK()
}

// Fetch answers UID FETCH for sizes, headers or bodies.
func (c *Conn) Fetch(args string) {
	set, items, _ := strings.Cut(args, " ")
	for i, m := range c.Server.Mails() {
		if !contains(set, m.UID) {
			continue
		}
		header, _, _ := strings.Cut(m.Raw, "\r\n\r\n")
		header += "\r\n\r\n"
		switch {
		case strings.Contains(items, "BODY.PEEK[]"):
			c.Say("* %d FETCH (UID %d BODY[] {%d}\r\n%s)", i+1, m.UID, len(m.Raw), m.Raw)
		case strings.Contains(items, "BODY.PEEK[HEADER]"):
			c.Say("* %d FETCH (UID %d BODY[HEADER] {%d}\r\n%s)", i+1, m.UID, len(header), header)
		case strings.Contains(items, "HEADER.FIELDS"):
			_, list, _ := strings.Cut(items, "HEADER.FIELDS ")
			list, _, _ = strings.Cut(list, "]")
			c.Say("* %d FETCH (UID %d RFC822.SIZE %d BODY[HEADER.FIELDS %s] {%d}\r\n%s)", i+1, m.UID, len(m.Raw), list, len(header), header)
		default:
			c.Say("* %d FETCH (UID %d RFC822.SIZE %d)", i+1, m.UID, len(m.Raw))
		}
	}
	c.OK()
}

func (c *Conn) store(args string) {
	set, _, _ := strings.Cut(args, " ")
	c.Server.mu.Lock()
	defer c.Server.mu.Unlock()
	for i := range c.Server.mails {
		if contains(set, c.Server.mails[i].UID) {
			c.Server.mails[i].Seen = true
		}
	}
}

// contains reads a UID set such as 1:3,7.
func contains(set string, uid uint32) bool {
	for part := range strings.SplitSeq(set, ",") {
		from, to, ranged := strings.Cut(part, ":")
		lo, _ := strconv.Atoi(from)
		hi := lo
		if ranged {
			hi, _ = strconv.Atoi(to)
		}
		if int(uid) >= lo && int(uid) <= hi {
			return true
		}
	}
	return false
}
