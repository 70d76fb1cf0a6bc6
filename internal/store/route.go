package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/routing"
)

// Most work of one routing transaction: it holds the lock of a center.
const (
	routeBatch  = 200
	routeQueues = 64
)

// Route implements Interactions. One transaction does the due work of one center under the center's lock, which is
// also that of presence and of agents' capacities: whoever decides sees a load that only falls meanwhile. Centers are
// independent of each other; callers prefer one that nobody else is working on.
//
// A queue is due for a reason: an interaction came in, or something changed for its members. Of a due queue the waiting
// interactions are looked at in order until no member has room, so a long backlog costs nothing while all are busy.
func (db *DB) Route(ctx context.Context, limit int, decide routing.Decider) (int, error) {
	namespaces, err := db.dueCenters(ctx)
	if err != nil {
		return 0, fmt.Errorf("store: route: %w", err)
	}
	limit = min(max(limit, 1), routeBatch)
	looked, busy := 0, ""
	for _, ns := range namespaces {
		n, free, err := db.routeCenter(ctx, ns, limit-looked, decide, " FOR UPDATE SKIP LOCKED")
		if err != nil {
			return looked, err
		}
		if looked += n; looked >= limit {
			return looked, nil
		}
		if !free {
			busy = ns
		}
	}
	if looked == 0 && busy != "" {
		looked, _, err = db.routeCenter(ctx, busy, limit, decide, " FOR UPDATE")
	}
	return looked, err
}

func (db *DB) dueCenters(ctx context.Context) ([]string, error) {
	now, err := db.read().now(ctx, db.clock)
	if err != nil {
		return nil, err
	}
	return all(ctx, db.read(), scalar[string], `SELECT namespace FROM queues WHERE due_at > 0 AND due_at <= ?
		UNION SELECT namespace FROM interactions WHERE state = 'Offered' AND deadline <= ?
		UNION SELECT namespace FROM interactions WHERE timer_at > 0 AND timer_at <= ?
		UNION SELECT namespace FROM flow_runs WHERE due_at > 0 AND due_at <= ?`, now, now, now, now)
}

func (db *DB) routeCenter(ctx context.Context, namespace string, limit int, decide routing.Decider, lock string) (looked int, free bool, err error) {
	err = db.write(ctx, "route", func(t *tx) error {
		looked, free = 0, true
		var ns string
		err := t.row(ctx, "SELECT namespace FROM centers WHERE namespace = ?"+lock, namespace).Scan(&ns)
		if errors.Is(err, sql.ErrNoRows) {
			free = false
			return nil
		}
		if err != nil {
			return err
		}
		now, err := t.now(ctx)
		if err != nil {
			return err
		}
		r := &router{tx: t, namespace: namespace, now: now, stamp: now, left: limit, decide: decide, agents: map[string]*agentLoad{}}
		err = r.run(ctx)
		looked = limit - r.left
		return err
	})
	return looked, free, err
}

// router is the work of one transaction.
type router struct {
	*tx
	namespace string
	now       int64
	left      int // interactions it may still look at
	decide    routing.Decider
	agents    map[string]*agentLoad
	// stamp is the time of the last offer, distinct for each so that LeastRecent sees their order.
	stamp int64
}

// agentLoad is an agent's part in all queues of this transaction.
type agentLoad struct {
	load        int
	lastOffered int64
	changed     bool
	autoAnswer  AutoAnswer
}

type routedQueue struct {
	routing.Queue
	gen, due, weight int64
	members          []routing.Candidate
	work             []*interactionRow
}

func (r *router) run(ctx context.Context) error {
	if err := r.runTimers(ctx); err != nil {
		return err
	}
	if err := r.runFlows(ctx); err != nil {
		return err
	}
	expired, err := all(ctx, r.conn, scanInteraction, interactionColumns+
		`WHERE state = 'Offered' AND deadline <= ? AND namespace = ? AND (timer_at = 0 OR timer_at > ?)
		ORDER BY deadline, id LIMIT ? FOR UPDATE SKIP LOCKED`, r.now, r.namespace, r.now, r.left)
	if err != nil {
		return err
	}
	byQueue := map[string][]*interactionRow{}
	names := []string{}
	for _, i := range expired {
		if byQueue[i.Queue] == nil {
			names = append(names, i.Queue)
		}
		byQueue[i.Queue] = append(byQueue[i.Queue], i)
	}
	r.left -= len(expired)
	queues, err := r.lockQueues(ctx, names)
	if err != nil {
		return err
	}
	for _, q := range queues {
		q.work = byQueue[q.Name]
		delete(byQueue, q.Name)
		if err := r.queue(ctx, q); err != nil {
			return err
		}
	}
	for _, orphans := range byQueue { // their queue was deleted
		if err := r.requeue(ctx, orphans, "OfferTimeout", ""); err != nil {
			return err
		}
	}
	return r.saveAgents(ctx)
}

// lockQueues locks the due queues and the named ones: until the commit nobody can make them due unseen.
func (r *router) lockQueues(ctx context.Context, names []string) ([]*routedQueue, error) {
	due, err := all(ctx, r.conn, scalar[string],
		"SELECT name FROM queues WHERE due_at > 0 AND due_at <= ? AND namespace = ? ORDER BY weight DESC, due_at, name LIMIT ?", r.now, r.namespace, routeQueues)
	if err != nil {
		return nil, err
	}
	queues, err := all(ctx, r.conn, func(s scanner) (*routedQueue, error) {
		var q routedQueue
		var timeout int64
		err := s.Scan(&q.Name, &q.Strategy, &timeout, &q.LastOffered, &q.gen, &q.due, &q.weight)
		q.OfferTimeout = time.Duration(timeout) * time.Microsecond
		return &q, err
	}, `SELECT name, strategy, offer_timeout, last_offered, gen, due_at, weight FROM queues
		WHERE namespace = ? AND name = ANY(?) ORDER BY name FOR UPDATE`, r.namespace, append(due, names...))
	// The longest due one of the heaviest first, so that a busy queue does not starve its equals.
	slices.SortStableFunc(queues, func(a, b *routedQueue) int { return cmp.Or(cmp.Compare(b.weight, a.weight), cmp.Compare(a.due, b.due)) })
	return queues, err
}
