package mail

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// parcel is a mail that was claimed: a reply of an agent, or a system mail.
type parcel struct {
	// what it is, for logs.
	what string
	// from is the return path; empty where nobody wants to hear of a failure (RFC 5321 section 4.5.5).
	from     string
	to       []string
	raw      []byte
	attempts int
	// finish records what became of it.
	finish func(ctx context.Context, state store.MessageState, detail string, retryAfter time.Duration) error
}

// claim takes the next mail to send; customers wait for replies, so these go first. store.ErrNotFound when there is none.
func (o *outbox) claim(ctx context.Context) (parcel, error) {
	st, key := o.account.s.store, o.account.cfg.Account
	m, raw, err := st.ClaimOutbound(ctx, o.lease, key, claimStale)
	if err == nil {
		what, from := "reply", o.account.cfg.Address
		if m.Agent == "" { // nobody wrote it: an automatic answer, which must not be answered by a report (RFC 3834 section 3.3)
			what, from = "automatic answer", ""
		}
		return parcel{
			what: what, from: from, to: slices.Concat(m.To, m.Cc, m.Bcc), raw: raw, attempts: m.Attempts,
			finish: func(ctx context.Context, state store.MessageState, detail string, retryAfter time.Duration) error {
				return st.FinishOutbound(ctx, o.lease, m.ID, state, detail, retryAfter)
			},
		}, nil
	}
	if !errors.Is(err, store.ErrNotFound) {
		return parcel{}, err
	}
	s, err := st.ClaimSystemMail(ctx, o.lease, key, claimStale)
	if err != nil {
		return parcel{}, err
	}
	return parcel{
		what: "system mail", from: o.account.cfg.Address, to: []string{s.Recipient}, raw: s.Raw, attempts: s.Attempts,
		finish: func(ctx context.Context, state store.MessageState, detail string, retryAfter time.Duration) error {
			return st.FinishSystemMail(ctx, o.lease, s.ID, state, detail, retryAfter)
		},
	}, nil
}
