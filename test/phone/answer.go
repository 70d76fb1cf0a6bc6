package phone

import (
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
)

// Incoming is a call that made the phone ring, as its INVITE told it.
type Incoming struct {
	// At is when it came.
	At time.Time
	// Name and Number are the caller's as From shows them.
	Name, Number string
	// Target is the Request-URI.
	Target string
	// CallInfo and AlertInfo are the values of those headers; empty when there
	// is none.
	CallInfo, AlertInfo string
	// Source is the address it came from.
	Source string
	// Offer is the SDP.
	Offer string
}

func incoming(req *sip.Request) Incoming {
	value := func(name string) string {
		if h := req.GetHeader(name); h != nil {
			return h.Value()
		}
		return ""
	}
	return Incoming{
		At: time.Now(), Name: strings.Trim(req.From().DisplayName, `"`), Number: req.From().Address.User,
		Target: req.Recipient.String(), CallInfo: value("Call-Info"), AlertInfo: value("Alert-Info"),
		Source: req.Source(), Offer: string(req.Body()),
	}
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
	srv.OnOptions(func(req *sip.Request, tx sip.ServerTransaction) {
		p.options.Add(1)
		ok(req, tx)
	})
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

// refusals are the answers of the modes that do not ring.
var refusals = map[AnswerMode]StatusError{
	Busy:        {Code: sip.StatusBusyHere, Reason: "Busy Here"},
	Unavailable: {Code: sip.StatusTemporarilyUnavailable, Reason: "Temporarily Unavailable"},
}

func (p *Phone) onInvite(req *sip.Request, tx sip.ServerTransaction) {
	if to := req.To(); to != nil && to.Params.Has("tag") {
		p.onReinvite(req, tx)
		return
	}
	sess, err := p.in.ReadInvite(req, tx)
	if err != nil {
		p.log.Debug("invite", "error", err)
		return
	}
	mode := AnswerMode(p.mode.Load())
	if refused, ok := refusals[mode]; ok {
		_ = sess.Respond(refused.Code, refused.Reason, nil)
		_ = sess.Close()
		return
	}
	if err := p.ring(req, sess, mode); err != nil {
		p.log.Debug("incoming call", "error", err)
		_ = sess.Close()
	}
}

// onReinvite answers a re-INVITE inside a call: nothing of ours changes.
func (p *Phone) onReinvite(req *sip.Request, tx sip.ServerTransaction) {
	p.mu.Lock()
	var found *Call
	for c := range p.calls {
		if c.id == req.CallID().Value() {
			found = c
		}
	}
	p.mu.Unlock()
	if found == nil {
		_ = tx.Respond(sip.NewResponseFromRequest(req, sip.StatusCallTransactionDoesNotExists, "No such call", nil))
		return
	}
	res := sip.NewSDPResponseFromRequest(req, found.media.sdp(found.direction.Load().(string)))
	contact := p.contact()
	res.AppendHeader(&contact)
	_ = tx.Respond(res)
}

func (p *Phone) ring(req *sip.Request, sess *sipgo.DialogServerSession, mode AnswerMode) error {
	if err := sess.Respond(sip.StatusRinging, "Ringing", nil); err != nil {
		return err
	}
	p.mu.Lock()
	p.incoming = append(p.incoming, incoming(req))
	now := p.answer
	p.mu.Unlock()
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
	case <-now:
	}
	stopped()
	m, err := newMedia(p.opts)
	if err != nil {
		return err
	}
	err = m.connect(req.Body())
	if err == nil {
		err = sess.RespondSDP(m.sdp(sendRecv))
	}
	if err != nil {
		m.close()
		return err
	}
	p.established(m, sess, req.CallID().Value(), remoteTarget(req.Contact(), req.From().Address), req.From().Address.User)
	return nil
}
