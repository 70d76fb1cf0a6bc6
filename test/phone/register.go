package phone

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"
)

// userAgent is what the phone calls itself.
const userAgent = "ringmaster-phone"

// maxChallenges bounds the answers to one request: the first challenge and
// those that follow because a nonce went stale under us (RFC 7616, 3.3).
const maxChallenges = 4

// refreshTimeout is how long one attempt to register again may take: a server
// that is away answers nothing.
const refreshTimeout = 2 * time.Second

// Register registers the phone and returns a *StatusError when the PBX refuses.
func (p *Phone) Register(ctx context.Context) error {
	p.kept.Store(true)
	if p.opts.Refresh > 0 {
		p.refresh.Do(func() { p.wg.Go(p.keepRegistered) })
	}
	return p.register(ctx, p.opts.Expires)
}

// Unregister removes the phone's registration and ends Options.Refresh until
// the next Register.
func (p *Phone) Unregister(ctx context.Context) error {
	p.kept.Store(false)
	return p.register(ctx, 0)
}

// keepRegistered registers every Options.Refresh until the phone is closed.
func (p *Phone) keepRegistered() {
	next := p.opts.Refresh
	for {
		select {
		case <-p.ctx.Done():
			return
		case <-time.After(next):
		}
		next = p.opts.Refresh
		if !p.kept.Load() {
			continue
		}
		ctx, cancel := context.WithTimeout(p.ctx, refreshTimeout)
		if err := p.register(ctx, p.opts.Expires); err != nil {
			p.log.Debug("refresh", "error", err)
			next = min(next, time.Second)
		}
		cancel()
	}
}

// RegisterStatus registers and returns the final SIP status; the error is only
// for a registration that got no final answer at all.
func (p *Phone) RegisterStatus(ctx context.Context) (int, error) {
	err := p.Register(ctx)
	var status *StatusError
	switch {
	case err == nil:
		return sip.StatusOK, nil
	case errors.As(err, &status):
		return status.Code, nil
	default:
		return 0, err
	}
}

func (p *Phone) register(ctx context.Context, expires time.Duration) error {
	res, err := p.do(ctx, func() *sip.Request { return p.registerRequest(expires) })
	if err != nil {
		return fmt.Errorf("phone %s: register: %w", p.opts.User, err)
	}
	if !res.IsSuccess() {
		return &StatusError{Method: "REGISTER", Code: res.StatusCode, Reason: res.Reason}
	}
	return nil
}

func (p *Phone) registerRequest(expires time.Duration) *sip.Request {
	req := sip.NewRequest(sip.REGISTER, sip.Uri{Scheme: "sip", Host: p.host, Port: p.port})
	aor := sip.Uri{Scheme: "sip", User: p.opts.User, Host: p.host}
	from := &sip.FromHeader{DisplayName: p.opts.DisplayName, Address: aor, Params: sip.NewParams()}
	from.Params.Add("tag", sip.GenerateTagN(16))
	contact := p.contact()
	callID := sip.CallIDHeader(p.callID)
	req.AppendHeader(from)
	req.AppendHeader(&sip.ToHeader{Address: aor})
	req.AppendHeader(&callID)
	req.AppendHeader(&sip.CSeqHeader{SeqNo: p.cseq.Add(1), MethodName: sip.REGISTER})
	req.AppendHeader(&contact)
	req.AppendHeader(sip.NewHeader("User-Agent", userAgent))
	if expires >= 0 {
		req.AppendHeader(sip.NewHeader("Expires", strconv.Itoa(int(expires/time.Second))))
	}
	req.SetTransport(strings.ToUpper(p.opts.Transport))
	return req
}

// do sends the request and answers its challenges. A second challenge is
// answered only when the server calls the nonce stale, as a real phone does;
// otherwise the password is wrong and asking again would only lock it out.
func (p *Phone) do(ctx context.Context, build func() *sip.Request) (*sip.Response, error) {
	var authorization sip.Header
	for n := 0; ; n++ {
		req := build()
		if authorization != nil {
			req.AppendHeader(authorization)
		}
		res, err := p.client.Do(ctx, req, sipgo.ClientRequestBuild)
		if err != nil {
			return nil, err
		}
		if res.StatusCode != sip.StatusUnauthorized || n == maxChallenges {
			return res, nil
		}
		chal, err := challenge(res)
		if err != nil {
			return nil, err
		}
		if n > 0 && !chal.Stale {
			return res, nil
		}
		if authorization, err = p.authorization(chal, req); err != nil {
			return nil, err
		}
	}
}

func (p *Phone) authorization(chal *digest.Challenge, req *sip.Request) (sip.Header, error) {
	cred, err := digest.Digest(chal, digest.Options{
		Method: string(req.Method), URI: req.Recipient.Addr(),
		Username: p.opts.AuthUser, Password: p.opts.Password,
	})
	if err != nil {
		return nil, fmt.Errorf("digest: %w", err)
	}
	return sip.NewHeader("Authorization", cred.String()), nil
}

func challenge(res *sip.Response) (*digest.Challenge, error) {
	h := res.GetHeader("WWW-Authenticate")
	if h == nil {
		return nil, errors.New("401 without WWW-Authenticate")
	}
	chal, err := digest.ParseChallenge(h.Value())
	if err != nil {
		return nil, fmt.Errorf("challenge: %w", err)
	}
	chal.Algorithm = strings.ToUpper(chal.Algorithm)
	return chal, nil
}
