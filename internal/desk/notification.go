package desk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// Notification is how a client draws attention to an offer.
type Notification struct {
	Sound string `json:"sound"`
	Shake string `json:"shake"`
}

// notification of an event: what its account says when it is an offer, nil otherwise.
func (s *server) notification(ctx context.Context, event store.Event) (*Notification, error) {
	if event.Kind != store.EventOffered {
		return nil, nil
	}
	var offer struct {
		Account string `json:"account"`
	}
	if err := json.Unmarshal(event.Data, &offer); err != nil {
		return nil, fmt.Errorf("reading an offer: %w", err)
	}
	account, err := s.Store.GetAccount(ctx, store.Key{Namespace: event.Namespace, Name: offer.Account})
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil // it was deleted after the offer
	}
	if err != nil {
		return nil, fmt.Errorf("reading an account: %w", err)
	}
	state := func(off bool) string {
		if off {
			return "Disabled"
		}
		return "Enabled"
	}
	return &Notification{Sound: state(account.Desk.Silent), Shake: state(account.Desk.Still)}, nil
}
