package desk

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/ringmaster-dev/ringmaster/internal/store"
	"github.com/ringmaster-dev/ringmaster/internal/template"
)

// Notification is how a client draws attention to an offer.
type Notification struct {
	Sound string `json:"sound"`
	Shake string `json:"shake"`
	Text  string `json:"text,omitempty"`
}

// defaultNotification is the text of accounts that have no template.
const defaultNotification = "{{ account.name }}: {{ mail.subject }} ({{ sender }})"

// notification of an event for the caller: what its account says when it is an offer, nil otherwise.
func (s *server) notification(ctx context.Context, c caller, event store.Event) (*Notification, error) {
	if event.Kind != store.EventOffered {
		return nil, nil
	}
	var offer struct {
		Account string `json:"account"`
		Queue   string `json:"queue"`
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
	n := &Notification{Sound: state(account.Desk.Silent), Shake: state(account.Desk.Still)}
	n.Text, err = s.notificationText(ctx, c, event, account, offer.Queue)
	return n, err
}

// notificationText is empty for an interaction that is gone.
func (s *server) notificationText(ctx context.Context, c caller, event store.Event, account store.Account, queue string) (string, error) {
	i, err := s.Store.GetInteraction(ctx, event.Namespace, event.Subject)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("reading an interaction: %w", err)
	}
	q, err := s.Store.GetQueue(ctx, store.Key{Namespace: event.Namespace, Name: queue})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return "", fmt.Errorf("reading a queue: %w", err)
	}
	text, err := template.Parse(cmp.Or(account.Desk.Notification, defaultNotification))
	if err != nil {
		return "", fmt.Errorf("reading the template of a notification: %w", err)
	}
	seen := masked(c, interactionOf(i))
	return text.Text(map[string]string{
		"account.address": account.Address, "account.key": account.Label, "account.name": account.DisplayName,
		"customer.address": seen.Customer.Address, "customer.name": seen.Customer.Name, "sender": cmp.Or(seen.Customer.Name, seen.Customer.Address),
		"interaction.id": i.ID, "mail.subject": seen.Subject, "queue.name": cmp.Or(q.DisplayName, queue),
	}), nil
}
