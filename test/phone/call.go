package phone

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
)

// Call is one established call.
type Call struct {
	phone  *Phone
	media  *media
	bye    func(context.Context) error
	done   <-chan struct{}
	remote string
	once   sync.Once
}

// Remote is the SIP user of the other party, as its From or our target names it.
func (c *Call) Remote() string { return c.remote }

// Done is closed when either side has hung up.
func (c *Call) Done() <-chan struct{} { return c.done }

// Audio is the number of RTP packets (20 ms each) sent and received so far.
func (c *Call) Audio() (sent, received int) {
	return int(c.media.sent.Load()), int(c.media.received.Load())
}

// SendDigits plays DTMF digits (RFC 4733 events), 100 ms each with as much
// silence between them. Valid are 0-9, * and #.
func (c *Call) SendDigits(ctx context.Context, digits string) error {
	for _, d := range digits {
		n := strings.IndexRune("0123456789*#", d)
		if n < 0 {
			return fmt.Errorf("phone: %q is not a DTMF digit", d)
		}
		select {
		case c.media.digits <- byte(n):
		case <-c.done:
			return errors.New("phone: the call has ended")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Hangup ends the call. Ending an ended call does nothing.
func (c *Call) Hangup(ctx context.Context) error {
	var err error
	c.once.Do(func() {
		select {
		case <-c.done:
		default:
			err = c.bye(ctx)
		}
	})
	if err != nil {
		return fmt.Errorf("phone %s: hang up: %w", c.phone.opts.User, err)
	}
	return nil
}

// Call dials target (an extension or a full SIP user) and returns when it is
// answered. A refusal is a *StatusError (404 unknown, 486 busy, 480
// unavailable); a cancelled context cancels the call.
func (p *Phone) Call(ctx context.Context, target string) (*Call, error) {
	m, err := newMedia(p.opts.Local)
	if err != nil {
		return nil, err
	}
	sess, err := p.invite(ctx, target, m)
	if err != nil {
		m.close()
		return nil, err
	}
	if err := m.connect(sess.InviteResponse.Body()); err != nil {
		m.close()
		return nil, errors.Join(err, sess.Bye(ctx))
	}
	return p.established(m, sess.Bye, sess.Context().Done(), target, sess.Close), nil
}

func (p *Phone) invite(ctx context.Context, target string, m *media) (*sipgo.DialogClientSession, error) {
	req := sip.NewRequest(sip.INVITE, sip.Uri{Scheme: "sip", User: target, Host: p.host, Port: p.port})
	from := &sip.FromHeader{
		DisplayName: p.opts.DisplayName, Params: sip.NewParams(),
		Address: sip.Uri{Scheme: "sip", User: p.opts.User, Host: p.host},
	}
	from.Params.Add("tag", sip.GenerateTagN(16))
	req.AppendHeader(from)
	req.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
	req.SetTransport(strings.ToUpper(p.opts.Transport))
	req.SetBody(m.sdp())
	sess, err := p.out.WriteInvite(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("phone %s: call %s: %w", p.opts.User, target, err)
	}
	err = sess.WaitAnswer(ctx, sipgo.AnswerOptions{Username: p.opts.AuthUser, Password: p.opts.Password})
	if err == nil {
		err = sess.Ack(ctx)
	}
	if err == nil {
		return sess, nil
	}
	_ = sess.Close()
	if refused, ok := errors.AsType[*sipgo.ErrDialogResponse](err); ok {
		return nil, &StatusError{Method: "INVITE", Code: refused.Res.StatusCode, Reason: refused.Res.Reason}
	}
	return nil, fmt.Errorf("phone %s: call %s: %w", p.opts.User, target, err)
}

// established starts the audio and keeps the call on the books until it ends.
func (p *Phone) established(m *media, bye func(context.Context) error, done <-chan struct{}, remote string, release func() error) *Call {
	c := &Call{phone: p, media: m, bye: bye, done: done, remote: remote}
	p.mu.Lock()
	p.calls[c] = struct{}{}
	p.last = c
	p.mu.Unlock()
	m.start()
	p.wg.Go(func() {
		select {
		case <-done:
		case <-p.ctx.Done():
		}
		m.close()
		_ = release()
		p.mu.Lock()
		delete(p.calls, c)
		p.mu.Unlock()
	})
	return c
}

func (p *Phone) handle(srv *sipgo.Server) {
	ok := func(req *sip.Request, tx sip.ServerTransaction) {
		_ = tx.Respond(sip.NewResponseFromRequest(req, sip.StatusOK, "OK", nil))
	}
	srv.OnInvite(p.onInvite)
	srv.OnAck(func(req *sip.Request, tx sip.ServerTransaction) { _ = p.in.ReadAck(req, tx) })
	srv.OnBye(func(req *sip.Request, tx sip.ServerTransaction) {
		if p.in.ReadBye(req, tx) == nil || p.out.ReadBye(req, tx) == nil {
			return
		}
		_ = tx.Respond(sip.NewResponseFromRequest(req, sip.StatusCallTransactionDoesNotExists, "No such call", nil))
	})
	srv.OnOptions(ok)
	srv.OnInfo(ok)
	srv.OnUpdate(ok)
	srv.OnNotify(func(req *sip.Request, tx sip.ServerTransaction) {
		if n, found := newMessages(string(req.Body())); found {
			p.waiting.Store(int64(n))
		}
		ok(req, tx)
	})
}

// newMessages reads the "Voice-Message: new/old" line of RFC 3842, 5.2.
func newMessages(body string) (int, bool) {
	for line := range strings.Lines(body) {
		name, value, _ := strings.Cut(line, ":")
		if !strings.EqualFold(strings.TrimSpace(name), "Voice-Message") {
			continue
		}
		count, _, _ := strings.Cut(strings.TrimSpace(value), "/")
		n, err := strconv.Atoi(count)
		return n, err == nil
	}
	return 0, false
}

func (p *Phone) onInvite(req *sip.Request, tx sip.ServerTransaction) {
	if to := req.To(); to != nil && to.Params.Has("tag") {
		// A re-INVITE inside a call: nothing of ours changes.
		if c := p.LastCall(); c != nil {
			_ = tx.Respond(sip.NewSDPResponseFromRequest(req, c.media.sdp()))
		}
		return
	}
	sess, err := p.in.ReadInvite(req, tx)
	if err != nil {
		p.log.Debug("invite", "error", err)
		return
	}
	mode := AnswerMode(p.mode.Load())
	if mode == Busy {
		_ = sess.Respond(sip.StatusBusyHere, "Busy Here", nil)
		_ = sess.Close()
		return
	}
	if err := p.ring(req, sess, mode); err != nil {
		p.log.Debug("incoming call", "error", err)
		_ = sess.Close()
	}
}

func (p *Phone) ring(req *sip.Request, sess *sipgo.DialogServerSession, mode AnswerMode) error {
	if err := sess.Respond(sip.StatusRinging, "Ringing", nil); err != nil {
		return err
	}
	p.rings.Add(1)
	p.ringing.Add(1)
	stopped := sync.OnceFunc(func() { p.ringing.Add(-1) })
	defer stopped()

	var answer <-chan time.Time
	if mode == Answer {
		answer = time.After(p.opts.AnswerAfter)
	}
	select {
	case <-sess.Context().Done():
		return errors.New("the caller gave up")
	case <-p.ctx.Done():
		return p.ctx.Err()
	case <-answer:
	}
	stopped()
	m, err := newMedia(p.opts.Local)
	if err != nil {
		return err
	}
	err = m.connect(req.Body())
	if err == nil {
		err = sess.RespondSDP(m.sdp())
	}
	if err != nil {
		m.close()
		return err
	}
	p.established(m, sess.Bye, sess.Context().Done(), req.From().Address.User, sess.Close)
	return nil
}
