package phone

import (
	"context"
	"fmt"

	"github.com/emiago/sipgo/sip"
)

// Hold tells the other side by a re-INVITE (RFC 3264, 8.4) that we do not
// listen, or that we do again. The PBX plays music to the party on hold.
func (c *Call) Hold(ctx context.Context, on bool) error {
	direction := sendRecv
	if on {
		direction = sendOnly
	}
	res, err := c.reinvite(ctx, direction)
	if err != nil {
		return fmt.Errorf("phone %s: hold: %w", c.phone.opts.User, err)
	}
	if !res.IsSuccess() {
		return &StatusError{Method: "INVITE", Code: res.StatusCode, Reason: res.Reason}
	}
	c.direction.Store(direction)
	return nil
}

func (c *Call) reinvite(ctx context.Context, direction string) (*sip.Response, error) {
	var authorization sip.Header
	for n := 0; ; n++ {
		req := sip.NewRequest(sip.INVITE, c.target)
		req.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
		if authorization != nil {
			req.AppendHeader(authorization)
		}
		req.SetBody(c.media.sdp(direction))
		res, err := c.dialog.Do(ctx, req)
		if err != nil {
			return nil, err
		}
		if res.IsSuccess() {
			return res, c.dialog.WriteRequest(sip.NewRequest(sip.ACK, c.target))
		}
		if res.StatusCode != sip.StatusUnauthorized || n > 0 {
			return res, nil
		}
		chal, err := challenge(res)
		if err != nil {
			return nil, err
		}
		if authorization, err = c.phone.authorization(chal, req); err != nil {
			return nil, err
		}
	}
}
