package mail

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// proxy passes TCP on and cuts each connection after as many bytes from the server as limit says.
type proxy struct {
	listener net.Listener
	target   string
	limit    func(connection int) int64
	count    atomic.Int64
	running  sync.WaitGroup

	mu     sync.Mutex
	closed bool
	open   map[net.Conn]bool
}

func newProxy(t testing.TB, target string, limit func(int) int64) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: listener, target: target, limit: limit, open: map[net.Conn]bool{}}
	p.running.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

func (p *proxy) port() int { return p.listener.Addr().(*net.TCPAddr).Port }

func (p *proxy) connections() int64 { return p.count.Load() }

func (p *proxy) close() {
	_ = p.listener.Close()
	p.mu.Lock()
	p.closed = true
	for c := range p.open {
		_ = c.Close()
	}
	p.mu.Unlock()
	p.running.Wait()
}

// keep remembers a connection to close; false when the proxy is closed already.
func (p *proxy) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		p.open[c] = true
	}
	return !p.closed
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		n := int(p.count.Add(1))
		p.running.Go(func() { p.pass(client, p.limit(n)) })
	}
}

func (p *proxy) pass(client net.Conn, limit int64) {
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		_ = client.Close()
		return
	}
	cut := func() {
		_ = client.Close()
		_ = server.Close()
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.open, client)
		delete(p.open, server)
	}
	defer cut()
	if !p.keep(client, server) {
		return
	}
	p.running.Go(func() {
		_, _ = io.Copy(server, client) // ends when either side is closed
		_ = server.Close()
	})
	_, _ = io.CopyN(client, server, limit)
}
