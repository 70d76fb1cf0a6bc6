package mail

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ringmaster-dev/ringmaster/internal/mail/session"
	"github.com/ringmaster-dev/ringmaster/internal/operatorapi/wire"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// Audit compares an account's mailbox on its server with the store, over a connection of its own that changes nothing. ErrNotFound of the
// store: this process runs no such account, or it has no mailbox. It looks at the server first: what arrives in between is not called missing.
func (s *Supervisor) Audit(ctx context.Context, key store.Key) (wire.Audit, error) {
	s.mu.Lock()
	var account *account
	if e := s.accounts[key]; e != nil && !e.removed {
		account = e.account
	}
	s.mu.Unlock()
	if account == nil || account.cfg.IMAP.Host == "" {
		return wire.Audit{}, fmt.Errorf("mail account %s: %w", key, store.ErrNotFound)
	}
	w := &worker{account: account}
	c, err := w.dial(ctx)
	if err != nil {
		return wire.Audit{}, err
	}
	defer c.Close()
	mailbox := account.cfg.IMAP.Mailbox
	selected, err := c.Select(ctx, mailbox)
	if err != nil {
		return wire.Audit{}, err
	}
	look := audit{epoch: selected}
	if look.all, err = c.AllUIDs(ctx); err != nil {
		return wire.Audit{}, err
	}
	if look.unseen, err = c.SearchUnseen(ctx, 0, nil); err != nil {
		return wire.Audit{}, err
	}
	if err := look.recall(ctx, s.store, account.cfg); err != nil {
		return wire.Audit{}, err
	}
	out := wire.Audit{Mailbox: mailbox, UIDValidity: selected.UIDValidity, Mails: make([]wire.AuditedMail, 0, len(look.all))}
	for _, uid := range look.all {
		out.Mails = append(out.Mails, look.verdict(uid))
	}
	return out, nil
}

// audit is what the server has, and what the store knows of it.
type audit struct {
	epoch            session.Mailbox
	all, unseen      []uint32
	known            *store.MailboxState // nil before the first connection
	stored, filtered map[uint32]store.MailLocation
}

func (a *audit) recall(ctx context.Context, st Store, cfg Config) error {
	state, err := st.GetMailbox(ctx, cfg.Account, cfg.IMAP.Mailbox)
	if err == nil {
		a.known = &state
	} else if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if a.stored, err = st.MailLocations(ctx, cfg.Account, cfg.IMAP.Mailbox, a.epoch.UIDValidity); err != nil {
		return err
	}
	if key := cfg.filterKey(); key != "" {
		a.filtered, err = st.MailLocations(ctx, cfg.Account, key, a.epoch.UIDValidity)
	}
	return err
}

func (a *audit) verdict(uid uint32) wire.AuditedMail {
	out := wire.AuditedMail{UID: uid, Verdict: wire.MailIngested}
	if at, ok := a.stored[uid]; ok {
		out.InteractionID, out.Why = at.InteractionID, at.Detail
		switch at.State {
		case store.MessageQuarantined:
			out.Verdict = wire.MailQuarantined
		case "":
			out.Verdict, out.Why = wire.MailFiltered, "a header filter did not accept it"
		default: // ingested, whole or cut
		}
		return out
	}
	if _, ok := a.filtered[uid]; ok {
		out.Verdict, out.Why = wire.MailFiltered, "a header filter did not accept it"
		return out
	}
	out.Verdict = wire.MailMissing
	_, unseen := slices.BinarySearch(a.unseen, uid)
	switch {
	case a.known == nil:
		out.Why = "the mailbox was never opened"
	case a.known.UIDValidity != a.epoch.UIDValidity:
		out.Why = "the server renumbered the mailbox; it is looked through again at the next connection"
	case uid < a.known.FloorUID:
		out.Why = "it was there before the account was connected, and initialSync is FromNow"
	case !unseen && (a.known.WatermarkUID == 0 || uid < a.known.WatermarkUID):
		out.Why = "it was flagged as seen before it was fetched"
	default:
		out.Why = "not fetched yet"
	}
	return out
}
