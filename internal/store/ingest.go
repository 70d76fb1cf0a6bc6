package store

import (
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"

	"github.com/ringmaster-dev/ringmaster/internal/routing"
)

// Most thread keys of one mail that are looked up: References can be as long as a mail.
const maxThreadKeys = 64

// Ingest implements Mail. A mail whose location or content is known only adds its location. A machine mail that joins a
// closed interaction makes it Unread instead of queueing it again.
func (db *DB) Ingest(ctx context.Context, l Lease, account Key, mails []IngestMail) ([]IngestResult, error) {
	if len(mails) == 0 {
		return nil, nil
	}
	var results []IngestResult
	err := db.write(ctx, "ingest", func(t *tx) error {
		// The lease row is locked to the end: nobody else ingests this account meanwhile.
		if err := t.holdLease(ctx, l); err != nil {
			return err
		}
		in := &ingest{tx: t, account: account}
		if err := in.load(ctx, mails); err != nil {
			return err
		}
		results = make([]IngestResult, len(mails))
		for i := range mails {
			var err error
			if results[i], err = in.mail(&mails[i]); err != nil {
				return err
			}
		}
		return in.write(ctx)
	})
	if err != nil {
		return nil, err
	}
	return results, nil
}

type location struct {
	mailbox          string
	uidValidity, uid uint32
}

// ingest is one batch: what the store knew before, then what it adds.
type ingest struct {
	*tx
	account   Key
	now       int64
	queue     string                   // where new interactions go, "" = there is none
	flow      string                   // decides about them without a queue, "" = there is none
	rules     map[string]routing.Rules // by account
	here      map[string]bool          // agents of open interactions who are there
	locations map[location]string
	seen      map[location]bool // of locations, those recorded as FlagSeen
	contents  map[string]string // message ids by sha256, the one that was taken last
	sequences map[string]int64  // how often a content was taken again, by sha256
	of        map[string]string // interaction ids by message id
	threads   map[string]string // interaction ids by thread key
	rows      map[string]*interactionRow
	fallback  map[string]bool // queues that exist, by name
	// contactList is where senders of new mails go, "" = nowhere; senders are by what they are known by.
	contactList string
	senders     map[string]sender

	newLocations, newMessages, newRaws, newKeys, newInteractions [][]any
	newRuns                                                      [][]any
	again                                                        []again
	starting                                                     *interactionRow // the flow begins with the mail being added
	created, changed                                             []*interactionRow
	ingested, quarantined                                        int
}

// again is a location whose mail was taken once more.
type again struct {
	at      location
	message string
}

func newLocation(m *IngestMail) location {
	return location{clean(m.Mailbox), m.UIDValidity, m.UID}
}

// load reads everything the batch may meet with a handful of queries.
func (in *ingest) load(ctx context.Context, mails []IngestMail) error {
	var err error
	if in.now, err = in.tx.now(ctx); err != nil {
		return err
	}
	in.of, in.rows, in.fallback = map[string]string{}, map[string]*interactionRow{}, map[string]bool{}
	if err := in.loadLocations(ctx, mails); err != nil {
		return err
	}
	if err := in.loadContents(ctx, mails); err != nil {
		return err
	}
	return in.loadThreads(ctx, mails)
}

func (in *ingest) loadLocations(ctx context.Context, mails []IngestMail) error {
	type epoch struct {
		mailbox     string
		uidValidity uint32
	}
	uids := map[epoch][]int64{}
	for i := range mails {
		e := epoch{clean(mails[i].Mailbox), mails[i].UIDValidity}
		uids[e] = append(uids[e], int64(mails[i].UID))
	}
	in.locations, in.seen = map[location]string{}, map[location]bool{}
	for e, list := range uids {
		_, err := all(ctx, in.conn, func(s scanner) (struct{}, error) {
			at := location{mailbox: e.mailbox, uidValidity: e.uidValidity}
			var message, interaction string
			var seen bool
			err := s.Scan(&at.uid, &message, &interaction, &seen)
			in.locations[at], in.of[message], in.seen[at] = message, interaction, seen
			return struct{}{}, err
		}, `SELECT l.uid, l.message_id, COALESCE(m.interaction_id, ''), COALESCE(f.state, '') = 'Seen'
			FROM locations l LEFT JOIN messages m ON m.id = l.message_id
			LEFT JOIN mail_flags f ON f.namespace = l.namespace AND f.account = l.account AND f.mailbox = l.mailbox
			AND f.uid_validity = l.uid_validity AND f.uid = l.uid
			WHERE l.namespace = ? AND l.account = ? AND l.mailbox = ? AND l.uid_validity = ? AND l.uid = ANY(?)`,
			in.account.Namespace, in.account.Name, e.mailbox, int64(e.uidValidity), list)
		if err != nil {
			return err
		}
	}
	return nil
}

func (in *ingest) loadContents(ctx context.Context, mails []IngestMail) error {
	var sums []string
	for i := range mails {
		if mails[i].Kind != IngestFiltered {
			sums = append(sums, mails[i].SHA256)
		}
	}
	in.contents, in.sequences = map[string]string{}, map[string]int64{}
	_, err := all(ctx, in.conn, func(s scanner) (struct{}, error) {
		var message, interaction, sum string
		var sequence int64
		err := s.Scan(&message, &interaction, &sum, &sequence)
		in.contents[sum], in.of[message], in.sequences[sum] = message, interaction, sequence
		return struct{}{}, err
	}, "SELECT id, interaction_id, sha256, sequence FROM messages WHERE namespace = ? AND account = ? AND sha256 <> '' AND sha256 = ANY(?) ORDER BY sequence",
		in.account.Namespace, in.account.Name, sums)
	return err
}

// threadKeys of a mail as they are stored, strongest first.
func threadKeys(m *IngestMail) []string {
	var keys []string
	for _, k := range m.ThreadKeys {
		if k = threadKey(k); k != "" && len(keys) < maxThreadKeys {
			keys = append(keys, k)
		}
	}
	return keys
}

func (in *ingest) loadThreads(ctx context.Context, mails []IngestMail) error {
	var keys, ids []string
	for i := range mails {
		for _, k := range threadKeys(&mails[i]) {
			keys = append(keys, k)
			if uuid.Validate(k) == nil { // the own token
				ids = append(ids, k)
			}
		}
	}
	in.threads = map[string]string{}
	if len(keys) > 0 {
		if _, err := all(ctx, in.conn, func(s scanner) (struct{}, error) {
			var key, interaction string
			err := s.Scan(&key, &interaction)
			in.threads[key] = interaction
			ids = append(ids, interaction)
			return struct{}{}, err
		}, "SELECT message_id, interaction_id FROM message_ids WHERE namespace = ? AND account = ? AND message_id = ANY(?)",
			in.account.Namespace, in.account.Name, keys); err != nil {
			return err
		}
	}
	rows, err := []*interactionRow(nil), error(nil)
	if len(ids) > 0 {
		slices.Sort(ids)
		rows, err = all(ctx, in.conn, scanInteraction, interactionColumns+
			"WHERE id = ANY(?) AND namespace = ? ORDER BY id FOR UPDATE", slices.Compact(ids), in.account.Namespace)
	}
	for _, r := range rows {
		if r.Account == in.account.Name {
			in.threads[r.ID] = r.ID
		}
		in.rows[r.ID] = r // of another account when it was transferred: then a thread key leads to it
	}
	if err != nil {
		return err
	}
	if err := in.loadQueues(ctx); err != nil {
		return err
	}
	return in.loadOwners(ctx)
}

// loadQueues finds out which of the queues concerned exist.
func (in *ingest) loadQueues(ctx context.Context) error {
	a, err := getAccount(ctx, in.conn, in.account)
	if err := ignoreNotFound(err); err != nil {
		return err
	}
	names := []string{a.Queue}
	for _, r := range in.rows {
		names = append(names, r.Queue, r.LastQueue)
	}
	found, err := all(ctx, in.conn, scalar[string],
		"SELECT name FROM queues WHERE namespace = ? AND name = ANY(?) AND channel <> 'Voice'", in.account.Namespace, names)
	for _, name := range found {
		in.fallback[name] = true
	}
	if in.fallback[a.Queue] {
		in.queue = a.Queue
	}
	in.flow = a.Flow
	in.rules = map[string]routing.Rules{in.account.Name: a.Routing}
	if err != nil {
		return err
	}
	return in.loadContactList(ctx, a.ContactList)
}

// mail decides what becomes of one mail.
func (in *ingest) mail(m *IngestMail) (IngestResult, error) {
	res := IngestResult{UID: m.UID}
	at := newLocation(m)
	message, known := in.locations[at]
	repeated := known && m.Again && in.seen[at]
	if known && !repeated {
		res.Duplicate, res.InteractionID = true, in.of[message]
		return res, nil
	}
	if message, known = in.contents[m.SHA256]; repeated {
		known = false
	}
	switch {
	case m.Kind == IngestFiltered:
		message = ""
	case known:
		res.Duplicate, res.InteractionID = true, in.of[message]
	default:
		if m.SHA256 == "" {
			return res, errors.New("mail without content hash")
		}
		r, joined, err := in.interaction(m, repeated)
		if err != nil {
			return res, err
		}
		if message, err = in.add(m, r); err != nil {
			return res, err
		}
		in.begin(r, message, m.Automatic)
		res.InteractionID, res.Joined = r.ID, joined
	}
	in.locations[at] = message
	if repeated {
		in.seen[at] = false
		in.again = append(in.again, again{at, message})
		return res, nil
	}
	in.newLocations = append(in.newLocations, []any{in.account.Namespace, in.account.Name, at.mailbox, int64(at.uidValidity), int64(at.uid), message})
	return res, nil
}

// interaction finds the one the mail joins, or starts one; a repeated mail always does.
func (in *ingest) interaction(m *IngestMail, repeated bool) (r *interactionRow, joined bool, err error) {
	for _, k := range threadKeys(m) {
		if r := in.rows[in.threads[k]]; r != nil && !repeated {
			in.join(r, m)
			return r, true, nil
		}
	}
	id, err := newID()
	if err != nil {
		return nil, false, err
	}
	now := fromMicros(in.now)
	r = &interactionRow{Interaction: Interaction{ID: id, Namespace: in.account.Namespace, Channel: ChannelEmail, Account: in.account.Name,
		Subject: clean(m.Message.Subject), Customer: clean(m.Message.From), Name: clean(m.CustomerName), CreatedAt: now}, queuedAt: in.now}
	in.place(r, in.queue, m.Automatic, "Ingested", in.rules[in.account.Name], false)
	in.rows[id] = r
	in.created = append(in.created, r)
	return r, false, nil
}

// place sends an interaction that nobody has to a queue, or to Unread with the reason why not.
func (in *ingest) place(r *interactionRow, queue string, automatic bool, reason string, rules routing.Rules, reply bool) {
	if reply && !automatic && rules.Model == routing.ModelLegacy && r.LastAgent != "" {
		in.want(r, queue, rules, reason)
		return
	}
	to, kind := StateQueued, EventQueued
	switch {
	case queue == "" && in.flow != "" && !(automatic && reply): // the flow decides about machines too
		to, kind = StateNew, ""
	case automatic:
		to, kind, reason = StateUnread, EventUnread, "Automatic"
	case queue == "":
		to, kind, reason = StateUnread, EventUnread, "NoQueue"
	}
	r.Queue, r.Agent, r.queuedAt, r.declined, r.seenGen, r.retryAt = queue, "", in.now, nil, 0, 0
	r.forAgent, r.precedence, r.timers = "", precedenceOf(rules, reply), r.timers.Requeued()
	in.move(r, to, "", reason, "", in.now)
	if to == StateNew {
		in.starting, in.wake = r, true
		return
	}
	in.emitInteraction(kind, r, "", reason)
	if to == StateQueued {
		in.due[Key{r.Namespace, queue}] = true
	}
}

func (in *ingest) join(r *interactionRow, m *IngestMail) {
	if !slices.Contains(in.created, r) && !slices.Contains(in.changed, r) {
		in.changed = append(in.changed, r)
	}
	r.timers = r.timers.Heard()
	rules := in.rules[r.Account]
	switch r.State {
	case StateClosed, StateUnread:
		if m.Automatic && r.State == StateUnread {
			break // it stays where someone has to look for it
		}
		queue := in.queue
		if in.fallback[r.LastQueue] {
			queue = r.LastQueue
		}
		in.place(r, queue, m.Automatic, "Reopened", rules, true)
	case StateQueued:
		if r.forAgent == "" {
			in.due[Key{r.Namespace, r.Queue}] = true // a router may have passed over the locked row
		}
	case StateNew: // its flow goes on
	case StateOffered: // it stays with its agent
	case StateOpen:
		if !m.Automatic { // an automatic answer is nothing to wait for
			r.timers = r.timers.Reply(rules, in.here[r.Agent], fromMicros(in.now))
		}
	}
	in.emitInteraction(EventMessage, r, r.Agent, "")
}
