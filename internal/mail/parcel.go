package mail

import (
	"context"
	"errors"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// parcel is a mail that was claimed: a reply of an agent, or a system mail.
type parcel struct {
	// what it is, for logs.
	what     string
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
		return parcel{
			what: "reply", to: append(append([]string(nil), m.To...), m.Cc...), raw: raw, attempts: m.Attempts,
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
		what: "system mail", to: []string{s.Recipient}, raw: s.Raw, attempts: s.Attempts,
		finish: func(ctx context.Context, state store.MessageState, detail string, retryAfter time.Duration) error {
			return st.FinishSystemMail(ctx, o.lease, s.ID, state, detail, retryAfter)
		},
	}, nil
}
