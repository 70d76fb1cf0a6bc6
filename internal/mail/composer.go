package mail

import (
	"context"
	"errors"
	"net/mail"
	"slices"
	"time"

	mailmessage "github.com/ringmaster-dev/ringmaster/internal/mail/message"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// RawMessages gives the stored bytes of a message.
type RawMessages interface {
	RawMessage(ctx context.Context, namespace, messageID string) ([]byte, error)
}

// Composer makes agents' replies; it stores and sends nothing.
type Composer struct{ Raw RawMessages }

// Compose answers the last inbound message of the thread (oldest first) in the account's name. The result
// goes to Outbox.AddReply. Errors: message.ErrNoRecipient, ErrTextTooLong and ErrBadAddress are the caller's.
func (c Composer) Compose(ctx context.Context, account store.Account, i store.Interaction, thread []store.Message, agent, text string, cc []string) (store.Message, []byte, error) {
	reply := mailmessage.Reply{
		Account: account.Key, From: mail.Address{Name: account.DisplayName, Address: account.Address},
		Agent: agent, InteractionID: i.ID, To: mail.Address{Name: i.Name, Address: i.Customer}, Cc: cc,
		Subject: i.Subject, Text: text, At: time.Now(),
	}
	for _, m := range slices.Backward(thread) {
		if m.Direction != store.Inbound {
			continue
		}
		raw, err := c.Raw.RawMessage(ctx, i.Namespace, m.ID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return store.Message{}, nil, err
		}
		reply.Original = raw
		break
	}
	return mailmessage.BuildReply(reply)
}
