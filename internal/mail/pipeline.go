package mail

import (
	"context"

	"github.com/ringmaster-dev/ringmaster/internal/mail/session"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// pipeline is the connection's side of ingestBatches.
type pipeline struct {
	w      *worker
	s      *session.Session
	parses chan<- fetched
	flags  <-chan []uint32

	next    int
	flying  []flight
	flag    *flagging
	missing []uint32
}

// flight is a batch asked for and not collected yet.
type flight struct {
	batch  batch
	fetch  *session.Fetch
	weight int64
}

func (p *pipeline) fetchAll(ctx context.Context, batches []batch) error {
	defer func() {
		for _, f := range p.flying {
			p.w.account.s.budget.Release(f.weight)
		}
	}()
	for p.next < len(batches) || len(p.flying) > 0 {
		if err := p.launch(ctx, batches); err != nil {
			return err
		}
		if err := p.land(ctx); err != nil {
			return err
		}
		select {
		case uids := <-p.flags:
			if err := p.mark(ctx, uids); err != nil {
				return err
			}
		default:
		}
	}
	return nil
}

// launch sends fetches ahead as far as the memory budget allows. Only with none under way may it wait for
// the budget: two accounts waiting with mails in flight would wait for each other.
func (p *pipeline) launch(ctx context.Context, batches []batch) error {
	budget, all := p.w.account.s.budget, p.w.account.s.opts.MemoryBudget
	for len(p.flying) < fetchesAhead && p.next < len(batches) {
		b := batches[p.next]
		weight := min(max(b.bytes, 1), all)
		if len(p.flying) > 0 {
			if !budget.TryAcquire(weight) {
				return nil
			}
		} else if err := budget.Acquire(ctx, weight); err != nil {
			return context.Cause(ctx)
		}
		fetch, err := p.s.StartFetch(ctx, b.sizes)
		if err != nil {
			budget.Release(weight)
			return err
		}
		p.flying = append(p.flying, flight{b, fetch, weight})
		p.next++
	}
	return nil
}

// land collects the oldest fetch and hands it to the parser, which then owns its budget.
func (p *pipeline) land(ctx context.Context) error {
	f := p.flying[0]
	bodies, err := f.fetch.Collect()
	if err != nil {
		if ctx.Err() == nil {
			p.w.doubt(f.batch.sizes)
		}
		return err
	}
	got := make(map[uint32]bool, len(bodies))
	for _, b := range bodies {
		got[b.UID] = true
	}
	for _, uid := range sortedUIDs(f.batch.sizes) {
		if !got[uid] {
			p.missing = append(p.missing, uid)
		}
	}
	select {
	case p.parses <- fetched{bodies: bodies, weight: f.weight}:
		p.flying = p.flying[1:]
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// mark flags a committed batch; the answer to the flagging before it is there by now.
func (p *pipeline) mark(ctx context.Context, uids []uint32) error {
	if err := p.settle(ctx); err != nil || len(uids) == 0 {
		return err
	}
	flag, err := p.w.startFlag(ctx, p.s, uids)
	p.flag = flag
	return err
}

func (p *pipeline) settle(ctx context.Context) error {
	flag := p.flag
	p.flag = nil
	return p.w.endFlag(ctx, flag)
}

// finish flags what was committed last and tries the bodies again that the server did not give.
func (p *pipeline) finish(ctx context.Context, infos map[uint32]session.Info) error {
	for uids := range p.flags {
		if err := p.mark(ctx, uids); err != nil {
			return err
		}
	}
	if err := p.settle(ctx); err != nil {
		return err
	}
	for _, uid := range p.missing {
		p.w.failures[uid]++
		if err := p.w.suspect(ctx, p.s, infos[uid]); err != nil {
			return err
		}
	}
	return nil
}

// doubt makes the mails of a failed fetch be fetched after all others, in small batches and then alone, so that
// the one that breaks the connection is found.
func (w *worker) doubt(sizes map[uint32]int64) {
	for uid := range sizes {
		w.failures[uid]++
	}
}

// suspect fetches one mail alone: by its UID, then by its sequence number for servers whose answer to UID
// FETCH go-imap cannot match. After maxFailures it is quarantined, and the others go on.
func (w *worker) suspect(ctx context.Context, s *session.Session, info session.Info) error {
	if w.failures[info.UID] > maxFailures {
		return w.unfetchable(ctx, s, info)
	}
	if info.Size > w.account.cfg.IMAP.MaxMessageSize {
		return w.headerOnly(ctx, s, info, store.IngestHeadersOnly, "bigger than the account's limit: only the header was fetched")
	}
	weight := min(max(info.Size, 1), w.account.s.opts.MemoryBudget)
	if err := w.account.s.budget.Acquire(ctx, weight); err != nil {
		return context.Cause(ctx)
	}
	defer w.account.s.budget.Release(weight)
	body, err := w.fetchAlone(ctx, s, info)
	if err != nil || body == nil {
		if ctx.Err() == nil {
			w.failures[info.UID]++
		}
		return err
	}
	if err := w.ingest(ctx, w.parse([]session.Body{*body}, map[uint32]session.Info{info.UID: info})); err != nil {
		return err
	}
	delete(w.failures, info.UID)
	return w.flag(ctx, s, []uint32{info.UID})
}

func (w *worker) fetchAlone(ctx context.Context, s *session.Session, info session.Info) (*session.Body, error) {
	fetch, err := s.StartFetch(ctx, map[uint32]int64{info.UID: info.Size})
	if err != nil {
		return nil, err
	}
	bodies, err := fetch.Collect()
	if err != nil {
		return nil, err
	}
	for i := range bodies {
		if bodies[i].UID == info.UID {
			return &bodies[i], nil
		}
	}
	return s.FetchOne(ctx, info)
}

// unfetchable records a mail that the server announces and does not give.
func (w *worker) unfetchable(ctx context.Context, s *session.Session, info session.Info) error {
	const detail = "the server announces this mail but does not give its body"
	if w.failures[info.UID] > maxFailures+1 {
		// Even its header breaks the connection.
		return w.record(ctx, s, info, w.ingestMail(info, nil, store.IngestQuarantined, detail))
	}
	w.failures[info.UID]++
	return w.headerOnly(ctx, s, info, store.IngestQuarantined, detail)
}
