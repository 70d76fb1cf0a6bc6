package mail

import (
	"context"
	"iter"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"

	mailmessage "github.com/ringmaster-dev/ringmaster/internal/mail/message"
	"github.com/ringmaster-dev/ringmaster/internal/mail/session"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// Limits of a batch, and of the UIDs looked at in one go: their set stays short enough for a command line of 8 KiB
// (RFC 7162 section 4), and their headers, where filters ask for them, in memory.
const (
	batchMails   = 100
	batchBytes   = 8 << 20
	windowUIDs   = 2000
	windowText   = 7 << 10
	fetchesAhead = 2
	// doubtedMails are fetched together after the fetch they were in failed: most often none of them is to blame, and each
	// alone would take long.
	doubtedMails = 10
	// maxFailures is how often a mail is tried, in a batch, among the doubted and five times alone, before it is quarantined
	// unfetched.
	maxFailures = 6
)

// batch is a set of mails fetched together, by UID.
type batch struct {
	sizes map[uint32]int64
	bytes int64
}

// fetched is a batch on its way into the store, and what was read in it.
type fetched struct {
	bodies []session.Body
	mails  []store.IngestMail
	weight int64
}

// drain ingests every new mail that is not in the store.
func (w *worker) drain(ctx context.Context, s *session.Session) error {
	if err := w.syncFlags(ctx, s); err != nil {
		return err
	}
	found, err := w.search(ctx, s)
	if err != nil {
		return err
	}
	maps.DeleteFunc(w.failures, func(uid uint32, _ int) bool {
		_, there := slices.BinarySearch(found.uids, uid)
		return !there
	})
	for window := range windows(found.uids) {
		if err := w.window(ctx, s, window, found.unseen); err != nil {
			return err
		}
	}
	return w.advance(ctx, found)
}

// windows cuts sorted UIDs where there are too many, or too scattered ones for a command line. Between two windows
// nothing is under way, so few large ones are quicker.
func windows(uids []uint32) iter.Seq[[]uint32] {
	return func(yield func([]uint32) bool) {
		begin, text := 0, 0
		for i, uid := range uids {
			if i == begin || uid != uids[i-1]+1 {
				text += len("4294967290:4294967295,") // the next of a range costs nothing
			}
			if i-begin == windowUIDs || text > windowText {
				if !yield(uids[begin:i]) {
					return
				}
				begin, text = i, len("4294967290:4294967295,")
			}
		}
		if begin < len(uids) {
			yield(uids[begin:])
		}
	}
}

// window handles some UIDs: settles the flags of those that are stored, remembers those that the filters reject, and fetches the rest.
func (w *worker) window(ctx context.Context, s *session.Session, uids, unseen []uint32) error {
	fresh, stored, err := w.unknown(ctx, w.account.cfg.IMAP.Mailbox, uids)
	if err != nil {
		return err
	}
	repeated, err := w.settle(ctx, s, stored, unseen)
	if err != nil {
		return err
	}
	if key := w.account.cfg.filterKey(); key != "" {
		if fresh, _, err = w.unknown(ctx, key, fresh); err != nil {
			return err
		}
	}
	w.again = make(map[uint32]bool, len(repeated))
	for _, uid := range repeated {
		w.again[uid] = true
	}
	fresh = slices.Sorted(slices.Values(append(fresh, repeated...)))
	if len(fresh) == 0 {
		return nil
	}
	infos, err := s.Describe(ctx, fresh, w.account.cfg.filterNames())
	if err != nil {
		return err
	}
	return w.take(ctx, s, fresh, infos)
}

// unknown splits uids by whether they are stored under that mailbox name.
func (w *worker) unknown(ctx context.Context, mailbox string, uids []uint32) (fresh, stored []uint32, err error) {
	if len(uids) == 0 {
		return nil, nil, nil
	}
	known, err := w.account.s.store.KnownUIDs(ctx, w.account.cfg.Account, mailbox, w.epoch.UIDValidity, uids)
	if err != nil {
		return nil, nil, storeError(err)
	}
	for _, u := range uids {
		if known[u] {
			stored = append(stored, u)
		} else {
			fresh = append(fresh, u)
		}
	}
	return fresh, stored, nil
}

// take decides about each mail by its size and header, and ingests.
func (w *worker) take(ctx context.Context, s *session.Session, uids []uint32, infos map[uint32]session.Info) error {
	var (
		rejected []uint32
		ordinary []batch
		doubted  []batch  // failed once, in a batch: fetched last, in small batches
		suspects []uint32 // failed again: fetched after them and alone
		tooBig   []uint32
	)
	for _, uid := range uids {
		info, ok := infos[uid]
		if !ok {
			continue // gone meanwhile
		}
		accepted, err := w.accepts(ctx, s, &info)
		if err != nil {
			return err
		}
		infos[uid] = info
		switch {
		case !accepted:
			rejected = append(rejected, uid)
		case w.failures[uid] > 1 || w.failures[uid] > 0 && info.Size > w.account.cfg.IMAP.MaxMessageSize:
			suspects = append(suspects, uid)
		case w.failures[uid] > 0:
			doubted = addToBatch(doubted, uid, info.Size, doubtedMails)
		case info.Size > w.account.cfg.IMAP.MaxMessageSize:
			tooBig = append(tooBig, uid)
		default:
			ordinary = addToBatch(ordinary, uid, info.Size, batchMails)
		}
	}
	if err := w.reject(ctx, s, rejected, infos); err != nil {
		return err
	}
	if err := w.ingestBatches(ctx, s, ordinary, infos); err != nil {
		return err
	}
	for _, uid := range tooBig {
		if err := w.headerOnly(ctx, s, infos[uid], store.IngestHeadersOnly, "bigger than the account's limit: only the header was fetched"); err != nil {
			return err
		}
	}
	if err := w.takeDoubted(ctx, s, doubted, infos); err != nil {
		return err
	}
	for _, uid := range suspects {
		if err := w.suspect(ctx, s, infos[uid]); err != nil {
			return err
		}
	}
	return nil
}

// takeDoubted ingests mails whose fetch failed once; those that come now were not to blame.
func (w *worker) takeDoubted(ctx context.Context, s *session.Session, doubted []batch, infos map[uint32]session.Info) error {
	if err := w.ingestBatches(ctx, s, doubted, infos); err != nil {
		return err
	}
	for _, b := range doubted {
		for uid := range b.sizes {
			if w.failures[uid] == 1 {
				delete(w.failures, uid)
			}
		}
	}
	return nil
}

func addToBatch(list []batch, uid uint32, size int64, most int) []batch {
	n := len(list)
	if n == 0 || len(list[n-1].sizes) == most || list[n-1].bytes+size > batchBytes {
		list = append(list, batch{sizes: map[uint32]int64{}})
		n++
	}
	list[n-1].sizes[uid] = size
	list[n-1].bytes += size
	return list
}

// accepts asks the filters; the header that the server lost is asked for once more.
func (w *worker) accepts(ctx context.Context, s *session.Session, info *session.Info) (bool, error) {
	filters := w.account.cfg.IMAP.HeaderFilters
	if len(filters) == 0 {
		return true, nil
	}
	if info.Header == nil {
		header, err := s.FetchHeader(ctx, info.UID)
		if err != nil {
			return false, err
		}
		info.Header = header
	}
	h, _ := mailmessage.ReadHeader(info.Header)
	return mailmessage.Accepts(h, filters), nil
}

// reject does with the mails that the filters did not accept what is asked for.
func (w *worker) reject(ctx context.Context, s *session.Session, uids []uint32, infos map[uint32]session.Info) error {
	if len(uids) == 0 {
		return nil
	}
	const detail = "a header filter did not accept it"
	key, cfg := w.account.cfg.Account, w.account.cfg.IMAP
	if cfg.FilteredAction == Quarantine {
		for _, uid := range uids {
			if err := w.quarantine(ctx, s, infos[uid], detail); err != nil {
				return err
			}
			w.account.s.metrics.filtered.WithLabelValues(key.Namespace, key.Name).Inc()
		}
		return nil
	}
	// Where they are is remembered, so that they are not looked at again.
	mails := make([]store.IngestMail, 0, len(uids))
	for _, uid := range uids {
		mails = append(mails, store.IngestMail{
			Mailbox: w.account.cfg.filterKey(), UIDValidity: w.epoch.UIDValidity, UID: uid,
			Kind: store.IngestFiltered, Detail: detail, Size: infos[uid].Size,
		})
	}
	results, err := w.account.s.store.Ingest(ctx, w.lease, key, mails)
	if err != nil {
		return storeError(err)
	}
	w.account.s.metrics.filtered.WithLabelValues(key.Namespace, key.Name).Add(float64(len(results)))
	return nil
}

// ingestBatches keeps up to fetchesAhead fetches under way while the batch before them is parsed and the one before that
// committed, so that neither a round trip nor the disk is waited for alone.
func (w *worker) ingestBatches(ctx context.Context, s *session.Session, batches []batch, infos map[uint32]session.Info) error {
	if len(batches) == 0 {
		return nil
	}
	g, both := errgroup.WithContext(ctx)
	parses, commits := make(chan fetched), make(chan fetched)
	flags := make(chan []uint32, len(batches))
	g.Go(func() error {
		defer close(commits)
		for f := range parses {
			f.mails = w.parse(f.bodies, infos)
			select {
			case commits <- f:
			case <-both.Done():
				w.account.s.budget.Release(f.weight)
				return context.Cause(both)
			}
		}
		return nil
	})
	g.Go(func() error {
		defer close(flags)
		for f := range commits {
			err := w.ingest(both, f.mails)
			w.account.s.budget.Release(f.weight)
			if err != nil {
				return err
			}
			flags <- uidsOf(f.bodies)
		}
		return nil
	})
	p := pipeline{w: w, s: s, parses: parses, flags: flags}
	g.Go(func() error {
		defer close(parses)
		return p.fetchAll(both, batches)
	})
	if err := g.Wait(); err != nil {
		return err
	}
	return p.finish(ctx, infos)
}

func uidsOf(bodies []session.Body) []uint32 {
	uids := make([]uint32, 0, len(bodies))
	for _, b := range bodies {
		uids = append(uids, b.UID)
	}
	return uids
}

func sortedUIDs(sizes map[uint32]int64) []uint32 { return slices.Sorted(maps.Keys(sizes)) }
