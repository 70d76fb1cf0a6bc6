package mail

import (
	"context"
	"slices"

	"github.com/ringmaster-dev/ringmaster/internal/mail/session"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// flagging is a setting of \Seen under way.
type flagging struct {
	seen *session.Seen
	uids []uint32
}

// flag sets \Seen on stored mails and waits.
func (w *worker) flag(ctx context.Context, s *session.Session, uids []uint32) error {
	f, err := w.startFlag(ctx, s, uids)
	if err != nil {
		return err
	}
	return w.endFlag(ctx, f)
}

// startFlag begins to set \Seen on stored mails, if flags are written at all; endFlag waits.
func (w *worker) startFlag(ctx context.Context, s *session.Session, uids []uint32) (*flagging, error) {
	if w.account.cfg.IMAP.TakeAgain {
		for _, uid := range uids {
			w.unconfirmed[uid] = true
		}
	}
	if w.account.cfg.IMAP.SyncFlags == SyncNone {
		return nil, nil
	}
	seen, err := s.MarkSeen(ctx, uids)
	if err != nil {
		return nil, err
	}
	return &flagging{seen, uids}, nil
}

// endFlag: a server that refuses (a mailbox that is read-only for us) keeps its mails unseen, which costs a flagging command at the next look
// and nothing else.
func (w *worker) endFlag(ctx context.Context, f *flagging) error {
	if f == nil {
		return nil
	}
	if err := f.seen.Wait(ctx); err != nil {
		return w.refused(err)
	}
	return w.confirm(ctx, f.uids)
}

// refused makes a server's refusal to change flags a failure that is only told.
func (w *worker) refused(err error) error {
	if !session.Refused(err) {
		return err
	}
	w.account.fail("flags of mails cannot be changed", err)
	return nil
}

// confirm records that mails are seen on the server, so that it shows when they are unseen again. Where the server forgets, an unseen mail
// means nothing.
func (w *worker) confirm(ctx context.Context, uids []uint32) error {
	if !w.account.cfg.IMAP.TakeAgain || w.forgets || len(uids) == 0 {
		return nil
	}
	if err := w.account.s.store.RecordFlags(ctx, w.lease, w.at(), store.FlagSeen, uids); err != nil {
		return storeError(err)
	}
	for _, uid := range uids {
		delete(w.unconfirmed, uid)
	}
	return nil
}

// observe confirms what a crash, or somebody else's reading, left unconfirmed: unseen are all mails without \Seen.
func (w *worker) observe(ctx context.Context, unseen []uint32) error {
	var seen []uint32
	for uid := range w.unconfirmed {
		if _, still := slices.BinarySearch(unseen, uid); !still {
			seen = append(seen, uid)
		}
	}
	return w.confirm(ctx, seen)
}

// recall loads what observe looks at.
func (w *worker) recall(ctx context.Context) error {
	w.unconfirmed = map[uint32]bool{}
	if !w.account.cfg.IMAP.TakeAgain {
		return nil
	}
	uids, err := w.account.s.store.UnconfirmedUIDs(ctx, w.at())
	for _, uid := range uids {
		w.unconfirmed[uid] = true
	}
	return storeError(err)
}

// at is where the worker is.
func (w *worker) at() store.MailboxEpoch {
	return store.MailboxEpoch{Account: w.account.cfg.Account, Mailbox: w.account.cfg.IMAP.Mailbox, UIDValidity: w.epoch.UIDValidity}
}

// settle decides about stored mails that are unseen: one that was seen is taken again where that is wanted, one that an agent marked unread stays
// so, and the others are flagged, because a crash came between commit and flag or somebody else took the flag off.
func (w *worker) settle(ctx context.Context, s *session.Session, stored, unseen []uint32) (again []uint32, err error) {
	cfg := w.account.cfg.IMAP
	var left []uint32
	for _, uid := range stored {
		if _, ok := slices.BinarySearch(unseen, uid); ok {
			left = append(left, uid)
		}
	}
	if len(left) == 0 || cfg.SyncFlags == SyncNone && !cfg.TakeAgain {
		return nil, nil
	}
	flags, err := w.account.s.store.MailFlags(ctx, w.at(), left)
	if err != nil {
		return nil, storeError(err)
	}
	var toFlag []uint32
	for _, uid := range left {
		switch flag := flags[uid]; {
		case flag == store.FlagSeen && cfg.TakeAgain && !w.forgets:
			again = append(again, uid)
		case flag == store.FlagUnseen, flag == store.FlagMarkUnseen:
		default:
			toFlag = append(toFlag, uid)
		}
	}
	if len(toFlag) == 0 {
		return again, nil
	}
	return again, w.flag(ctx, s, toFlag)
}

// syncFlags carries out what agents' marks want of the flags on the server. A wish lasts until the server has said that it is done.
func (w *worker) syncFlags(ctx context.Context, s *session.Session) error {
	if w.account.cfg.IMAP.SyncFlags != SyncTwoWay {
		return nil
	}
	wanted, err := w.account.s.store.WantedFlags(ctx, w.at())
	if err != nil {
		return storeError(err)
	}
	lists := map[store.MailFlag][]uint32{}
	for uid, flag := range wanted {
		lists[flag] = append(lists[flag], uid)
	}
	for _, change := range []struct {
		wish, done store.MailFlag
		start      func(context.Context, []uint32) (*session.Seen, error)
	}{
		{store.FlagMarkUnseen, store.FlagUnseen, s.MarkUnseen},
		{store.FlagMarkSeen, store.FlagSeen, s.MarkSeen},
	} {
		slices.Sort(lists[change.wish])
		for uids := range windows(lists[change.wish]) {
			seen, err := change.start(ctx, uids)
			if err == nil {
				err = seen.Wait(ctx)
			}
			if err != nil {
				if err = w.refused(err); err != nil {
					return err
				}
				continue
			}
			if err := w.changed(ctx, change.done, uids); err != nil {
				return err
			}
		}
	}
	return nil
}

// changed records what syncFlags did.
func (w *worker) changed(ctx context.Context, flag store.MailFlag, uids []uint32) error {
	if flag == store.FlagUnseen && w.account.cfg.IMAP.TakeAgain {
		for _, uid := range uids {
			w.unconfirmed[uid] = true // until somebody else reads it
		}
	}
	return storeError(w.account.s.store.RecordFlags(ctx, w.lease, w.at(), flag, uids))
}
