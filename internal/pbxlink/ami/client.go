package ami

import (
	"bufio"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// eventBuffer is how many events may wait for the reader of Events; beyond it
// they are dropped and Lost says so.
const eventBuffer = 8192

// Error is a response that says Error.
type Error struct {
	// Action is the action that failed.
	Action string
	// Message is Asterisk's explanation.
	Message string
}

func (e *Error) Error() string { return fmt.Sprintf("ami: %s: %s", e.Action, e.Message) }

// ErrClosed is the error of every call on a connection that has ended, wrapped
// around its cause.
var ErrClosed = errors.New("ami: connection closed")

// Client is one connection. It does not reconnect: a new connection is a new
// view of the PBX, which its user has to read afresh anyway.
type Client struct {
	conn   net.Conn
	events chan Message
	lost   atomic.Bool
	nextID atomic.Uint64

	writeMu sync.Mutex

	mu      sync.Mutex
	waiting map[string]*call
	err     error
	closing chan struct{}
	done    chan struct{}
}

// call is one action whose replies are awaited until gone is closed.
type call struct {
	replies chan Message
	gone    chan struct{}
}

// Dial connects, signs in by MD5 challenge and subscribes to events.
func Dial(ctx context.Context, addr, user, secret string) (*Client, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("ami: %w", err)
	}
	c, err := newClient(ctx, conn)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	if err := c.login(ctx, user, secret); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func newClient(ctx context.Context, conn net.Conn) (*Client, error) {
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(10 * time.Second)
	}
	if err := conn.SetReadDeadline(deadline); err != nil {
		return nil, fmt.Errorf("ami: %w", err)
	}
	r := bufio.NewReaderSize(conn, 64<<10)
	banner, err := readLine(r)
	if err != nil {
		return nil, fmt.Errorf("ami: greeting: %w", err)
	}
	if !strings.HasPrefix(banner, "Asterisk Call Manager/") {
		return nil, fmt.Errorf("ami: %q is no Asterisk Manager greeting", banner)
	}
	if err := conn.SetReadDeadline(time.Time{}); err != nil {
		return nil, fmt.Errorf("ami: %w", err)
	}
	c := &Client{
		conn: conn, events: make(chan Message, eventBuffer),
		waiting: map[string]*call{}, closing: make(chan struct{}), done: make(chan struct{}),
	}
	go c.read(r)
	return c, nil
}

func (c *Client) login(ctx context.Context, user, secret string) error {
	challenge, err := c.Action(ctx, "Challenge", Header{"AuthType", "MD5"})
	if err != nil {
		return err
	}
	sum := md5.Sum([]byte(challenge.Get("Challenge") + secret))
	_, err = c.Action(ctx, "Login",
		Header{"AuthType", "MD5"}, Header{"Username", user}, Header{"Key", hex.EncodeToString(sum[:])})
	return err
}

// Close ends the connection and waits for its reader.
func (c *Client) Close() {
	c.fail(nil)
	<-c.done
}

// Done is closed when the connection has ended.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err is why the connection ended; nil while it lasts.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Events delivers events that are not part of a list. It is closed with the
// connection.
func (c *Client) Events() <-chan Message { return c.events }

// Lost tells, once each time, whether events were dropped because nobody read
// them in time; then the state they would have told must be read afresh.
func (c *Client) Lost() bool { return c.lost.Swap(false) }

// Action sends one action and returns its response, an *Error when it failed.
func (c *Client) Action(ctx context.Context, name string, headers ...Header) (Message, error) {
	id, replies, err := c.send(name, headers)
	if err != nil {
		return nil, err
	}
	defer c.forget(id)
	return c.response(ctx, name, replies)
}

// List sends an action that answers with events and returns those, without the
// one that ends the list.
func (c *Client) List(ctx context.Context, name string, headers ...Header) ([]Message, error) {
	id, replies, err := c.send(name, headers)
	if err != nil {
		return nil, err
	}
	defer c.forget(id)
	first, err := c.response(ctx, name, replies)
	if err != nil {
		return nil, err
	}
	if !strings.EqualFold(first.Get("EventList"), "start") {
		// Several actions say "there are none" as a success without a list.
		return nil, nil
	}
	var list []Message
	for {
		m, err := c.next(ctx, name, replies)
		if err != nil {
			return nil, err
		}
		if strings.EqualFold(m.Get("EventList"), "Complete") {
			return list, nil
		}
		if strings.EqualFold(m.Get("EventList"), "Cancelled") {
			return nil, &Error{Action: name, Message: "list cancelled"}
		}
		list = append(list, m)
	}
}

// Command runs a CLI command and returns its output.
func (c *Client) Command(ctx context.Context, command string) (string, error) {
	m, err := c.Action(ctx, "Command", Header{"Command", command})
	if err != nil {
		return "", err
	}
	return strings.Join(m.All("Output"), "\n"), nil
}

func (c *Client) response(ctx context.Context, name string, replies <-chan Message) (Message, error) {
	m, err := c.next(ctx, name, replies)
	if err != nil {
		return nil, err
	}
	if strings.EqualFold(m.Get("Response"), "Error") {
		return nil, &Error{Action: name, Message: m.Get("Message")}
	}
	return m, nil
}

func (c *Client) next(ctx context.Context, name string, replies <-chan Message) (Message, error) {
	select {
	case m := <-replies:
		return m, nil
	case <-c.done:
		return nil, c.Err()
	case <-ctx.Done():
		return nil, fmt.Errorf("ami: %s: %w", name, ctx.Err())
	}
}

// send registers for the replies before it writes, so that none is missed.
func (c *Client) send(name string, headers []Header) (string, <-chan Message, error) {
	id := strconv.FormatUint(c.nextID.Add(1), 10)
	waiter := &call{replies: make(chan Message), gone: make(chan struct{})}
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return "", nil, c.err
	}
	c.waiting[id] = waiter
	c.mu.Unlock()

	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	_ = c.conn.SetWriteDeadline(time.Now().Add(10 * time.Second))
	err := writeAction(c.conn, append([]Header{{"Action", name}, {"ActionID", id}}, headers...))
	if err != nil {
		c.forget(id)
		return "", nil, err
	}
	return id, waiter.replies, nil
}

func (c *Client) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if waiter, ok := c.waiting[id]; ok {
		delete(c.waiting, id)
		close(waiter.gone)
	}
}

func (c *Client) read(r *bufio.Reader) {
	defer close(c.done)
	defer close(c.events)
	for {
		m, err := readMessage(r)
		if err != nil {
			c.fail(err)
			return
		}
		c.deliver(m)
	}
}

func (c *Client) deliver(m Message) {
	if id := m.Get("ActionID"); id != "" {
		c.mu.Lock()
		waiter, ok := c.waiting[id]
		c.mu.Unlock()
		if ok {
			select {
			case waiter.replies <- m:
			case <-waiter.gone:
			case <-c.closing:
			}
			return
		}
	}
	if m.Event() == "" {
		return
	}
	select {
	case c.events <- m:
	default:
		c.lost.Store(true)
	}
}

// fail records the first cause and unblocks everybody.
func (c *Client) fail(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err = ErrClosed
	if cause != nil {
		c.err = fmt.Errorf("%w: %w", ErrClosed, cause)
	}
	close(c.closing)
	_ = c.conn.Close()
}
