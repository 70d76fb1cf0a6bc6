package mail

import (
	"context"
	"errors"
	"slices"

	"github.com/ringmaster-dev/ringmaster/internal/mail/session"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// watermarkStep is by how many UIDs the watermark moves before it is stored: a restart looks at so many stored mails again at most.
const watermarkStep = 100

// enter finds the place in the mailbox that ingestion reached, or starts a new epoch. It is stored before
// anything else is done, so that a crash cannot move it.
func (w *worker) enter(ctx context.Context, s *session.Session, m session.Mailbox) error {
	st, key, name := w.account.s.store, w.account.cfg.Account, w.account.cfg.IMAP.Mailbox
	before, err := st.GetMailbox(ctx, key, name)
	first := errors.Is(err, store.ErrNotFound)
	if err != nil && !first {
		return storeError(err)
	}
	state := before
	if first || state.UIDValidity != m.UIDValidity {
		if !first {
			w.account.log.Info("the mailbox was renumbered by the server", "uidvalidity", m.UIDValidity)
		}
		if state, err = w.begin(ctx, s, m, first); err != nil {
			return err
		}
	} else if state.WatermarkUID, err = w.watermark(ctx, s, m, state.WatermarkUID); err != nil {
		return err
	}
	if state != before {
		if err := st.SetMailbox(ctx, key, name, state); err != nil {
			return storeError(err)
		}
	}
	if !w.epochSet || w.epoch.UIDValidity != state.UIDValidity {
		clear(w.failures) // UIDs mean other mails now
	}
	w.epoch, w.epochSet, w.stored, w.forgets = state, true, state.WatermarkUID, m.ForgetsSeen
	return w.recall(ctx)
}

// begin is the start of an epoch: the lowest UID that is ingested, and the one from which on mails are whether seen or not. At the first
// connection that is the next one. When the mailbox was renumbered, old UIDs mean nothing any more: then what arrived since the day before
// the last complete look is new, and the content hash sorts out what was ingested before.
func (w *worker) begin(ctx context.Context, s *session.Session, m session.Mailbox, first bool) (store.MailboxState, error) {
	from, err := w.since(ctx, s, m, first)
	if err != nil {
		return store.MailboxState{}, err
	}
	state := store.MailboxState{UIDValidity: m.UIDValidity, FloorUID: from}
	if w.account.cfg.IMAP.InitialSync == All {
		state.FloorUID = 0
	}
	if w.account.cfg.IMAP.Selection == UIDWatermark {
		state.WatermarkUID = from
	}
	return state, nil
}

func (w *worker) since(ctx context.Context, s *session.Session, m session.Mailbox, first bool) (uint32, error) {
	if last := w.account.status.lastPoll(); !first && !last.IsZero() {
		uid, err := s.FirstSince(ctx, last.AddDate(0, 0, -1))
		if err != nil || uid != 0 {
			return uid, err
		}
	}
	return next(ctx, s, m)
}

// next is the UID that the next mail gets.
func next(ctx context.Context, s *session.Session, m session.Mailbox) (uint32, error) {
	if m.UIDNext != 0 {
		return m.UIDNext, nil
	}
	// RFC 3501 lets a server leave UIDNEXT out.
	last, err := s.LastUID(ctx)
	return last + 1, err
}

// watermark of an epoch under way. An account that begins to look at seen mails does so with the next one; one that ends it forgets its place, so that
// another change does not take what was read in between.
func (w *worker) watermark(ctx context.Context, s *session.Session, m session.Mailbox, present uint32) (uint32, error) {
	switch {
	case w.account.cfg.IMAP.Selection == Unseen:
		return 0, nil
	case present == 0:
		return next(ctx, s, m)
	}
	return present, nil
}

// sight is what a look into the mailbox found, both ascending.
type sight struct {
	// uids are all mails that may be new, unseen those of the mailbox without \Seen.
	uids, unseen []uint32
}

// search looks into the mailbox.
func (w *worker) search(ctx context.Context, s *session.Session) (sight, error) {
	names := w.account.cfg.searchNames()
	unseen, err := s.SearchUnseen(ctx, w.epoch.FloorUID, names)
	if err != nil {
		return sight{}, err
	}
	if err := w.observe(ctx, unseen); err != nil {
		return sight{}, err
	}
	if w.epoch.WatermarkUID == 0 {
		return sight{unseen, unseen}, nil
	}
	arrived, err := s.SearchFrom(ctx, w.epoch.WatermarkUID, names)
	if err != nil {
		return sight{}, err
	}
	uids := slices.Concat(unseen, arrived)
	slices.Sort(uids)
	return sight{slices.Compact(uids), unseen}, nil
}

// advance moves the watermark to the first mail that was found and is not dealt with: what the server did not answer for stays in sight.
func (w *worker) advance(ctx context.Context, found sight) error {
	if w.epoch.WatermarkUID == 0 {
		return nil
	}
	from, _ := slices.BinarySearch(found.uids, w.epoch.WatermarkUID)
	arrived := found.uids[from:]
	if len(arrived) == 0 {
		return nil
	}
	mark := arrived[len(arrived)-1] + 1
	for window := range slices.Chunk(arrived, windowUIDs) {
		left, _, err := w.unknown(ctx, w.account.cfg.IMAP.Mailbox, window)
		if key := w.account.cfg.filterKey(); key != "" && err == nil {
			left, _, err = w.unknown(ctx, key, left)
		}
		if err != nil {
			return err
		}
		if len(left) > 0 {
			mark = left[0]
			break
		}
	}
	w.epoch.WatermarkUID = mark
	if mark-w.stored < watermarkStep {
		return nil
	}
	if err := w.account.s.store.SetMailbox(ctx, w.account.cfg.Account, w.account.cfg.IMAP.Mailbox, w.epoch); err != nil {
		return storeError(err)
	}
	w.stored = mark
	return nil
}
