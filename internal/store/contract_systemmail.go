package store

import (
	"context"
	"time"
)

// SystemMailRetention is how long system mails are kept, whatever became of them; one that could not be sent for so long says
// nothing of use any more. Their dedupe keys end with them.
const SystemMailRetention = 7 * 24 * time.Hour

// SystemMail is a mail that Ringmaster itself writes to a person. It belongs to no interaction.
type SystemMail struct {
	ID        string // UUIDv7
	Namespace string
	// Account is the EmailAccount that sends it.
	Account string
	// Recipient is a plain address.
	Recipient string
	// DedupeKey names in the namespace what the mail is about: adding the same again adds nothing.
	DedupeKey string
	// Raw is the mail as RFC 5322 has it; empty once it was sent or has failed.
	Raw []byte
	// State is MessagePending, MessageSending, MessageSent or MessageFailed; Detail says why it is not sent, without personal data.
	State     MessageState
	Detail    string
	Attempts  int
	CreatedAt time.Time
}

// VoicemailNews is an agent whose unread messages are not as many as at the last look.
type VoicemailNews struct {
	Agent Key
	// Unread messages now, over all PBXes, and Seen at the last look.
	Unread, Seen int
	// Looks counts the looks recorded; 0 before the first.
	Looks int64
}

// SystemMails is the outbox of Ringmaster's own mails, sent by the accounts like replies, and what remembers whom a notice of
// new voicemail is due to.
type SystemMails interface {
	// AddSystemMail stores a mail (state Pending) and emits EventSystemMail. A DedupeKey that the namespace has already returns
	// that mail and adds nothing.
	AddSystemMail(ctx context.Context, m SystemMail) (SystemMail, error)
	// GetSystemMail by its id.
	GetSystemMail(ctx context.Context, namespace, id string) (SystemMail, error)
	// ClaimSystemMail is ClaimOutbound for system mails. The lease is only looked at when there are mails.
	ClaimSystemMail(ctx context.Context, l Lease, account Key, staleAfter time.Duration) (SystemMail, error)
	// FinishSystemMail is FinishOutbound for system mails.
	FinishSystemMail(ctx context.Context, l Lease, id string, state MessageState, detail string, retryAfter time.Duration) error
	// PruneSystemMails deletes mails older than age.
	PruneSystemMails(ctx context.Context, age time.Duration) error

	// NewVoicemail lists up to limit agents (1..1000) whose count changed since the last look, by namespace and name.
	NewVoicemail(ctx context.Context, limit int) ([]VoicemailNews, error)
	// SeeVoicemail records that news was looked at: NewVoicemail lists the agent again when its count is not news.Unread any more. It
	// does nothing when another look was recorded since.
	SeeVoicemail(ctx context.Context, news VoicemailNews) error
}
