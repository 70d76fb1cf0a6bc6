package phone

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
)

// Call is one established call.
type Call struct {
	phone  *Phone
	media  *media
	dialog dialog
	id     string
	target sip.Uri
	done   <-chan struct{}
	remote string
	once   sync.Once
	// direction is what our SDP says, sendRecv or sendOnly.
	direction atomic.Value
}

// dialog is what both kinds of dialog of sipgo can do.
type dialog interface {
	Bye(context.Context) error
	Close() error
	Do(context.Context, *sip.Request) (*sip.Response, error)
	WriteRequest(*sip.Request) error
	Context() context.Context
}

// Remote is the SIP user of the other party, as its From or our target names it.
func (c *Call) Remote() string { return c.remote }

// Done is closed when either side has hung up.
func (c *Call) Done() <-chan struct{} { return c.done }

// Audio is the number of RTP packets (20 ms each) sent and received so far.
func (c *Call) Audio() (sent, received int) {
	return int(c.media.sent.Load()), int(c.media.received.Load())
}

// SetTone changes the frequency of what the phone says, in Hz; 0 is silence.
func (c *Call) SetTone(hz float64) { c.media.setTone(hz) }

// Level is the amplitude (0 to 32767) of the tone of hz in the last half
// second of audio received; a phone sends its own with 8000. It is 0 when
// nothing came lately.
func (c *Call) Level(hz float64) float64 { return c.media.ear.level(hz) }

// Audible is how much of the audio received so far was not silence.
func (c *Call) Audible() time.Duration { return c.media.ear.heard() }

// Codec is "ulaw" or "alaw", whichever the two sides agreed on for our audio.
func (c *Call) Codec() string {
	for name, payload := range payloadOf {
		if payload == c.media.payload {
			return name
		}
	}
	return ""
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
			err = c.dialog.Bye(ctx)
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
	m, err := newMedia(p.opts)
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
	return p.established(m, sess, sess.InviteRequest.CallID().Value(), remoteTarget(sess.InviteResponse.Contact(), sess.InviteRequest.Recipient), target), nil
}

// remoteTarget is where requests inside a dialog go (RFC 3261, 12.1.2).
func remoteTarget(contact *sip.ContactHeader, otherwise sip.Uri) sip.Uri {
	if contact == nil {
		return otherwise
	}
	return contact.Address
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
	req.SetBody(m.sdp(sendRecv))
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
func (p *Phone) established(m *media, d dialog, id string, target sip.Uri, remote string) *Call {
	done := d.Context().Done()
	c := &Call{phone: p, media: m, dialog: d, id: id, target: target, done: done, remote: remote}
	c.direction.Store(sendRecv)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx.Err() != nil {
		// The phone is being closed, and waits for no more than it knows of.
		m.close()
		_ = d.Close()
		return c
	}
	p.calls[c] = struct{}{}
	p.last = c
	m.start()
	p.wg.Go(func() {
		select {
		case <-done:
		case <-p.ctx.Done():
		}
		m.close()
		_ = d.Close()
		p.mu.Lock()
		delete(p.calls, c)
		p.mu.Unlock()
	})
	return c
}
