package desk

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// Forwarding is where the agent's direct calls go.
type Forwarding struct {
	Active bool       `json:"active"`
	Number string     `json:"number,omitempty" example:"+390299990000"`
	Since  *time.Time `json:"since,omitempty"`
}

func forwardingOf(f store.Forward) Forwarding {
	return Forwarding{Active: f.Number != "", Number: f.Number, Since: timeOrNil(f.Since)}
}

type forwardingOutput struct{ Body Forwarding }

type forwardingInput struct {
	Body struct {
		Number string `json:"number" pattern:"^\\+?[0-9*#]{2,20}$" example:"+390299990000" doc:"As the agent would dial it"`
	}
}

func (s *server) registerForwarding(api huma.API) {
	get := operation("getForwarding", http.MethodGet, "/v1/me/forwarding", "The own call forwarding")
	get.Errors = []int{http.StatusUnauthorized, http.StatusServiceUnavailable}
	huma.Register(api, get, s.getForwarding)

	put := operation("setForwarding", http.MethodPut, "/v1/me/forwarding", "Forward direct calls")
	put.Description = "Unconditionally, signed in or not; calls of queues are never forwarded. The agent's other clients get the event `forwarding`."
	put.Errors = []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusServiceUnavailable}
	huma.Register(api, put, s.setForwarding)

	end := operation("endForwarding", http.MethodDelete, "/v1/me/forwarding", "End call forwarding")
	end.DefaultStatus = http.StatusNoContent
	end.Errors = []int{http.StatusUnauthorized, http.StatusServiceUnavailable}
	huma.Register(api, end, s.endForwarding)
}

func (s *server) getForwarding(ctx context.Context, _ *noBody) (*forwardingOutput, error) {
	f, err := s.Store.GetForward(ctx, callerOf(ctx).Key)
	if err != nil {
		return nil, s.fail(ctx, "reading forwarding", err)
	}
	return &forwardingOutput{Body: forwardingOf(f)}, nil
}

func (s *server) setForwarding(ctx context.Context, in *forwardingInput) (*forwardingOutput, error) {
	c := callerOf(ctx)
	profile, err := parseProfile(c.Profile)
	if err == nil {
		err = profile.MayForwardTo(c.Extension, in.Body.Number)
	}
	if err == nil {
		err = s.Store.SetForward(ctx, c.Key, in.Body.Number)
	}
	if err != nil {
		return nil, s.fail(ctx, "setting forwarding", err)
	}
	return s.getForwarding(ctx, nil)
}

func (s *server) endForwarding(ctx context.Context, _ *noBody) (*noBody, error) {
	if err := s.Store.SetForward(ctx, callerOf(ctx).Key, ""); err != nil {
		return nil, s.fail(ctx, "ending forwarding", err)
	}
	return nil, nil
}

// MayForwardTo decides whether calls of the agent at extension may be forwarded to number; the error, a *Problem, says why not. It holds
// when the number is set, and must be asked again when it is used: settings change.
//
// A forward dials what the agent may dial, but for every caller and unseen, which is how toll fraud is done. So it goes neither to the
// center's forbidden prefixes, whatever service prefix comes first, nor to feature codes, nor to the extension itself.
func (p ClientProfile) MayForwardTo(extension, number string) error {
	if !p.mayForward() {
		return problem(CodeForwardingDenied, "this agent may not forward calls")
	}
	if strings.ContainsAny(number[:min(1, len(number))], "*#") {
		return problem(CodeNumberForbidden, "a feature code is not a number to forward to")
	}
	for _, dialled := range p.withoutServicePrefix(normalNumber(number)) {
		if dialled == normalNumber(extension) {
			return problem(CodeNumberForbidden, "this is the agent's own extension")
		}
		for _, forbidden := range p.ForbiddenPrefixes {
			if prefix := normalNumber(forbidden); prefix != "" && strings.HasPrefix(dialled, prefix) {
				return problem(CodeNumberForbidden, "the center forbids numbers that begin with "+forbidden)
			}
		}
	}
	return nil
}

// withoutServicePrefix lists what a number may mean: as it is, and without each service prefix that it begins with.
func (p ClientProfile) withoutServicePrefix(number string) []string {
	meanings := []string{number}
	for _, prefix := range p.ServicePrefixes {
		if rest, ok := strings.CutPrefix(number, normalNumber(prefix)); ok && rest != number {
			meanings = append(meanings, rest)
		}
	}
	return meanings
}

// normalNumber keeps the digits of a number or prefix, with the international + as 00.
func normalNumber(number string) string {
	number = strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r == '+' {
			return r
		}
		return -1
	}, number)
	// No country code begins with 0: such a number is not international, but some switches drop the + and dial it.
	if rest, ok := strings.CutPrefix(number, "+"); ok && !strings.HasPrefix(rest, "0") {
		number = "00" + rest
	}
	return strings.ReplaceAll(number, "+", "")
}
