package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/ringmaster-dev/ringmaster/internal/routing"
)

// Errors of Transfer.
var (
	// ErrTransferDenied: the account does not allow it.
	ErrTransferDenied = errors.New("transfer not allowed")
	// ErrTransferTarget: there is no such queue, agent or account, or it takes nothing.
	ErrTransferTarget = errors.New("not a target of transfers")
)

// TransferKind is what an interaction is transferred to.
type TransferKind string

// Kinds of targets.
const (
	TransferToQueue   TransferKind = "Queue"
	TransferToAgent   TransferKind = "Agent"
	TransferToAccount TransferKind = "Account"
)

// TransferTarget is where an interaction goes.
type TransferTarget struct {
	Kind TransferKind
	Name string
	// By is who transfers it in the place of the agent it is open with; empty: the agent.
	By string
}

// detail of the history.
func (to TransferTarget) detail(where string) string {
	if to.By == "" {
		return where
	}
	return where + ", by " + to.By
}

// reject ends the agent's offer. The queue offers on to others first; who was asked alone has decided for all.
func (t *tx) reject(ctx context.Context, r *interactionRow, agent string, now int64) error {
	if r.forAgent != "" && r.timers.Sender != "" {
		if err := t.sendBack(ctx, r, routing.ReasonTransferRejected, now); err != nil {
			return err
		}
		return t.save(ctx, r)
	}
	switch r.timers.Stage { // a rejection counts as the timeout of the wait
	case routing.StageAgent:
		r.timers.Owner = fromMicros(now)
	case routing.StageQueue, routing.StageFlow:
		r.timers.Queue = fromMicros(now)
	}
	r.decline(agent, now)
	return t.requeue(ctx, []*interactionRow{r}, "Rejected", "")
}

// sendBack returns a transfer that nobody accepted to its sender as unread. A Legacy account, and a sender who is gone, leave
// it to whoever looks through what is unread.
func (t *tx) sendBack(ctx context.Context, r *interactionRow, reason string, now int64) error {
	rules, err := t.rulesOf(ctx, r.Namespace, r.Account)
	if err != nil {
		return err
	}
	sender, about := r.timers.Sender, r.Agent
	if about == "" {
		about = r.forAgent
	}
	a, err := getAgent(ctx, t.conn, Key{r.Namespace, sender})
	if ignoreNotFound(err) != nil {
		return err
	}
	r.Read = false
	if !a.Active || rules.Model == routing.ModelLegacy {
		return t.toUnread(ctx, r, about, reason, "", now)
	}
	here, err := t.here(ctx, a.Key)
	if err != nil {
		return err
	}
	if err := t.takeFrom(ctx, r, reason); err != nil {
		return err
	}
	r.Agent, r.forAgent, r.declined = sender, "", nil
	if r.LastQueue != "" {
		r.Queue = r.LastQueue
	}
	r.timers = r.timers.SentBack(rules, here, fromMicros(now))
	t.move(r, StateOpen, sender, reason, "", now)
	t.emitInteraction(EventOpened, r, sender, reason)
	return nil
}

// Transfer implements Interactions.
func (db *DB) Transfer(ctx context.Context, namespace, id, agent string, to TransferTarget) (Interaction, error) {
	return db.change(ctx, "transfer", namespace, id, func(t *tx, r *interactionRow, now int64) error {
		if r.State != StateOpen || r.Agent != agent {
			return ErrConflict
		}
		rules, err := t.rulesOf(ctx, namespace, r.Account)
		if err != nil {
			return err
		}
		queue := r.Queue
		switch to.Kind {
		case TransferToQueue:
			err = t.transferToQueue(ctx, r, to, rules, now)
		case TransferToAgent:
			err = t.transferToAgent(ctx, r, to, rules, now)
		case TransferToAccount:
			err = t.transferToAccount(ctx, r, to, rules, now)
		default:
			err = fmt.Errorf("transfer to %q", to.Kind)
		}
		if err != nil {
			return err
		}
		if err := t.wrapUp(ctx, Key{namespace, agent}, queue, now); err != nil {
			return err
		}
		return t.save(ctx, r)
	})
}

func (t *tx) transferToQueue(ctx context.Context, r *interactionRow, to TransferTarget, rules routing.Rules, now int64) error {
	if rules.TransferToQueue <= 0 {
		return ErrTransferDenied
	}
	exists, err := queueExists(ctx, t.conn, Key{r.Namespace, to.Name})
	if err != nil {
		return err
	}
	if !exists {
		return ErrTransferTarget
	}
	sender := r.Agent
	r.timers = r.timers.Transferred(sender, rules.TransferToQueue, fromMicros(now))
	r.queuedAt, r.precedence = now, precedenceOf(rules, true)
	if err := t.toQueue(ctx, r, to.Name, sender, routing.ReasonTransferred, to.detail("to a queue"), now); err != nil {
		return err
	}
	r.decline(sender, now) // the sender's colleagues come first
	return nil
}

func (t *tx) transferToAgent(ctx context.Context, r *interactionRow, to TransferTarget, rules routing.Rules, now int64) error {
	if rules.TransferToAgent <= 0 {
		return ErrTransferDenied
	}
	a, err := getAgent(ctx, t.conn, Key{r.Namespace, to.Name})
	if ignoreNotFound(err) != nil {
		return err
	}
	if !a.Active || to.Name == r.Agent {
		return ErrTransferTarget
	}
	sender := r.Agent
	if err := t.takeFrom(ctx, r, routing.ReasonTransferred); err != nil {
		return err
	}
	r.timers = r.timers.Transferred(sender, rules.TransferToAgent, fromMicros(now))
	r.forAgent, r.declined = to.Name, nil
	t.move(r, StateQueued, sender, routing.ReasonTransferred, to.detail("to "+to.Name), now)
	t.emitInteraction(EventQueued, r, sender, routing.ReasonTransferred)
	return nil
}

func (t *tx) transferToAccount(ctx context.Context, r *interactionRow, to TransferTarget, rules routing.Rules, now int64) error {
	if !slices.Contains(rules.TransferToAccounts, to.Name) {
		return ErrTransferDenied
	}
	account, err := getAccount(ctx, t.conn, Key{r.Namespace, to.Name})
	if ignoreNotFound(err) != nil {
		return err
	}
	takes, err := t.takesNew(ctx, account)
	if err != nil {
		return err
	}
	if !account.Active || !takes || to.Name == r.Account {
		return ErrTransferTarget
	}
	if err := t.rethread(ctx, r, to.Name); err != nil {
		return err
	}
	r.Account, r.timers = to.Name, r.timers.Requeued()
	r.queuedAt, r.precedence = now, precedenceOf(account.Routing, true)
	detail := to.detail("to the account " + to.Name)
	if account.Flow != "" {
		return t.toFlow(ctx, r, account, routing.ReasonTransferred, detail, now)
	}
	return t.toQueue(ctx, r, account.Queue, r.Agent, routing.ReasonTransferred, detail, now)
}

// takesNew: the account has somewhere for new interactions to go.
func (t *tx) takesNew(ctx context.Context, a Account) (bool, error) {
	if a.Flow == "" {
		return queueExists(ctx, t.conn, Key{a.Namespace, a.Queue})
	}
	_, err := flowText(ctx, t.conn, Key{a.Namespace, a.Flow})
	return err == nil, ignoreNotFound(err)
}

// rethread lets replies that come to another account join; those to the present one still do.
func (t *tx) rethread(ctx context.Context, r *interactionRow, account string) error {
	ids, err := all(ctx, t.conn, scalar[string], "SELECT message_id FROM messages WHERE interaction_id = ? AND message_id <> ''", r.ID)
	if err != nil {
		return err
	}
	keys := map[string]bool{r.ID: true} // the own token
	for _, id := range ids {
		keys[threadKey(id)] = true
	}
	var rows [][]any
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		rows = append(rows, []any{r.Namespace, account, key, r.ID})
		if key == r.ID {
			rows = append(rows, []any{r.Namespace, r.Account, key, r.ID})
		}
	}
	return t.insert(ctx, insertMessageIDs, "ON CONFLICT DO NOTHING", rows...)
}
