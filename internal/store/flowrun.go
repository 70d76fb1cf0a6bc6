package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/flow"
	"github.com/ringmaster-dev/ringmaster/internal/routing"
)

// flowRun is an interaction's way through a flow.
type flowRun struct {
	id, flow, step string
	since, due     int64
	message        string // the mail that conditions are about
	automatic      bool
}

const flowRunColumns = "SELECT interaction_id, flow, step, since, due_at, message_id, automatic FROM flow_runs "

const (
	insertFlowRuns  = "flow_runs (interaction_id, namespace, flow, step, since, due_at, message_id, automatic)"
	replaceFlowRuns = `ON CONFLICT (interaction_id) DO UPDATE SET flow = excluded.flow, step = excluded.step, since = excluded.since,
		due_at = excluded.due_at, message_id = excluded.message_id, automatic = excluded.automatic`
)

func scanFlowRun(s scanner) (*flowRun, error) {
	var run flowRun
	return &run, s.Scan(&run.id, &run.flow, &run.step, &run.since, &run.due, &run.message, &run.automatic)
}

func (run *flowRun) values(namespace string) []any {
	return []any{run.id, namespace, run.flow, run.step, run.since, run.due, run.message, run.automatic}
}

// begin sends r through the account's flow if the mail that was just added started that.
func (in *ingest) begin(r *interactionRow, message string, automatic bool) {
	if in.starting != r {
		return
	}
	in.starting = nil
	run := flowRun{id: r.ID, flow: in.flow, since: in.now, due: in.now, message: message, automatic: automatic}
	in.newRuns = append(in.newRuns, run.values(r.Namespace))
}

// runFlows goes on with what flows have not decided yet, or have let wait until now.
func (r *router) runFlows(ctx context.Context) error {
	runs, err := all(ctx, r.conn, scanFlowRun, flowRunColumns+
		"WHERE due_at > 0 AND due_at <= ? AND namespace = ? ORDER BY due_at, interaction_id LIMIT ?", r.now, r.namespace, r.left)
	if err != nil || len(runs) == 0 {
		return err
	}
	ids := make([]string, len(runs))
	for n, run := range runs {
		ids[n] = run.id
	}
	// Another mail for one of them may just be coming in: that one is due again at once.
	rows, err := all(ctx, r.conn, scanInteraction, interactionColumns+"WHERE id = ANY(?) AND namespace = ? ORDER BY id FOR UPDATE SKIP LOCKED", ids, r.namespace)
	if err != nil {
		return err
	}
	byID := map[string]*interactionRow{}
	for _, i := range rows {
		byID[i.ID] = i
	}
	r.left -= len(rows)
	for _, run := range runs {
		i := byID[run.id]
		if i == nil {
			continue
		}
		if err := r.resume(ctx, i, run); err != nil {
			return fmt.Errorf("flow %s of %s: %w", run.flow, i.ID, err)
		}
		if err := r.save(ctx, i); err != nil {
			return err
		}
	}
	_, err = r.exec(ctx, "DELETE FROM flow_runs WHERE interaction_id = ANY(?) AND NOT EXISTS (SELECT 1 FROM interactions i WHERE i.id = interaction_id)", ids)
	return err
}

// resume begins a flow or goes on after a wait.
func (r *router) resume(ctx context.Context, i *interactionRow, run *flowRun) error {
	if i.State != StateNew { // somebody has taken it meanwhile
		return r.endRun(ctx, run)
	}
	f, err := r.flowOf(ctx, run.flow)
	if err != nil {
		return err
	}
	if f != nil && run.step != "" {
		// Asked anew, because the flow or its schedule may have changed.
		due, ok := f.Due(run.step, fromMicros(run.since), fromMicros(r.now))
		if ok && due.After(fromMicros(r.now)) {
			run.due = micros(due)
			return r.saveRun(ctx, r.namespace, run)
		}
	}
	return r.walk(ctx, i, f, run)
}

// flowContinues goes on after a queue or an agent that did not take it in time. A reply whose own waits are over begins the
// account's flow anew. Without a flow routing ends.
func (r *router) flowContinues(ctx context.Context, i *interactionRow, reason string) error {
	about := i.Agent
	if about == "" {
		about = i.forAgent
	}
	run, err := one(ctx, r.conn, scanFlowRun, flowRunColumns+"WHERE interaction_id = ?", i.ID)
	if ignoreNotFound(err) != nil {
		return err
	}
	if err != nil || i.timers.Stage == routing.StageAgent || i.timers.Stage == routing.StageQueue {
		if run, err = r.newRun(ctx, i); err != nil {
			return err
		}
	}
	if run == nil {
		return r.toUnread(ctx, i, about, reason, "", r.now)
	}
	f, err := r.flowOf(ctx, run.flow)
	if err != nil {
		return err
	}
	if err := r.takeFrom(ctx, i, reason); err != nil {
		return err
	}
	i.forAgent, i.declined, i.timers = "", nil, i.timers.Requeued()
	r.move(i, StateNew, about, reason, "", r.now)
	return r.walk(ctx, i, f, run)
}

// newRun is a run of the account's flow for the last mail, nil when the account has none.
func (r *router) newRun(ctx context.Context, i *interactionRow) (*flowRun, error) {
	a, err := getAccount(ctx, r.conn, Key{i.Namespace, i.Account})
	if err != nil || a.Flow == "" {
		return nil, ignoreNotFound(err)
	}
	return r.runOf(ctx, i, a.Flow, r.now)
}

// runOf is a run of the flow, before its first step, for the last mail.
func (t *tx) runOf(ctx context.Context, i *interactionRow, flow string, now int64) (*flowRun, error) {
	message, err := one(ctx, t.conn, scalar[string], "SELECT id FROM messages WHERE interaction_id = ? AND direction = 'Inbound' ORDER BY id DESC LIMIT 1", i.ID)
	return &flowRun{id: i.ID, flow: flow, since: now, message: message}, ignoreNotFound(err)
}

// toFlow lets the account's flow decide about r anew, in place of the agent who has it.
func (t *tx) toFlow(ctx context.Context, r *interactionRow, a Account, reason, detail string, now int64) error {
	told := r.told()
	if err := t.takeFrom(ctx, r, reason); err != nil {
		return err
	}
	run, err := t.runOf(ctx, r, a.Flow, now)
	if err != nil {
		return err
	}
	run.due = now
	r.Queue, r.forAgent, r.declined = "", "", nil
	t.move(r, StateNew, told, reason, detail, now)
	t.emitInteraction(EventQueued, r, told, reason)
	t.wake = true
	return t.saveRun(ctx, r.Namespace, run)
}

// flowOf is nil when there is no such flow.
func (r *router) flowOf(ctx context.Context, name string) (*flow.Flow, error) {
	text, err := flowText(ctx, r.conn, Key{r.namespace, name})
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return r.db.flows.compile(text)
}

func (t *tx) saveRun(ctx context.Context, namespace string, run *flowRun) error {
	return t.insert(ctx, insertFlowRuns, replaceFlowRuns, run.values(namespace))
}

func (r *router) endRun(ctx context.Context, run *flowRun) error {
	_, err := r.exec(ctx, "DELETE FROM flow_runs WHERE interaction_id = ?", run.id)
	return err
}

// walk takes the steps after the one the run is at, and leaves the interaction where they lead.
func (r *router) walk(ctx context.Context, i *interactionRow, f *flow.Flow, run *flowRun) error {
	gone := func(what string) error {
		if err := r.endRun(ctx, run); err != nil {
			return err
		}
		return r.toUnread(ctx, i, "", flow.ReasonGone, what, r.now)
	}
	if f == nil {
		return gone("flow " + run.flow)
	}
	w := &flowWalk{router: r, i: i, f: f, run: run}
	in, err := w.input(ctx)
	if err != nil {
		return err
	}
	can := func(action flow.Action, name string) (bool, string) { return w.can(ctx, action, name) }
	now := fromMicros(r.now)
	var out flow.Outcome
	ok := true
	if run.step == "" {
		out = f.Start(in, now, can)
	} else {
		out, ok = f.Continue(run.step, in, now, can)
	}
	if w.err != nil {
		return w.err
	}
	if !ok {
		return gone("step " + run.step)
	}
	for _, e := range out.Entries {
		if err := w.entry(ctx, e); err != nil {
			return err
		}
	}
	return w.arrive(ctx, out)
}

// arrive carries the outcome out.
func (w *flowWalk) arrive(ctx context.Context, out flow.Outcome) error {
	r, i := w.router, w.i
	detail := "step " + out.Step
	w.run.step, w.run.since, w.run.due = out.Step, r.now, 0
	switch out.Action {
	case flow.Queue:
		i.timers = i.timers.InFlow(out.Due, false)
		if err := r.toQueue(ctx, i, out.Target, "", flow.ReasonQueued, detail, r.now); err != nil {
			return err
		}
		return r.saveRun(ctx, r.namespace, w.run)
	case flow.Agent:
		i.Queue, i.forAgent, i.looked, i.declined, i.timers = "", out.Target, false, nil, i.timers.InFlow(out.Due, true)
		r.move(i, StateQueued, out.Target, flow.ReasonAgent, detail, r.now)
		r.emitInteraction(EventQueued, i, "", flow.ReasonAgent)
		r.wake = true
		return r.saveRun(ctx, r.namespace, w.run)
	case flow.WaitAction:
		r.move(i, StateNew, "", flow.ReasonWaiting, detail+", until "+out.Due.UTC().Format(time.RFC3339), r.now)
		w.run.due = micros(out.Due)
		return r.saveRun(ctx, r.namespace, w.run)
	case flow.CloseAction, flow.End:
	}
	if err := r.endRun(ctx, w.run); err != nil {
		return err
	}
	if out.Action == flow.CloseAction {
		return r.toClosed(ctx, i, out.Disposition, flow.ReasonClosed, r.now)
	}
	return r.toUnread(ctx, i, "", flow.ReasonEnded, "no step took it", r.now)
}
