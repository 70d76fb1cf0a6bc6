package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/flow"
	"github.com/ringmaster-dev/ringmaster/internal/template"
)

// Limits on what flows read and send.
const (
	// flowHeader is how much of a mail is looked at for header fields.
	flowHeader = 64 << 10
	// AutoRepliesPerHour that one address gets from a center, however many interactions it starts.
	AutoRepliesPerHour = 4
)

// flowWalk is one interaction on its way through a flow.
type flowWalk struct {
	*router
	i       *interactionRow
	f       *flow.Flow
	run     *flowRun
	account Account
	header  []byte
	fields  map[string]string
	// err of a lookup inside the pure part.
	err error
}

// input collects what conditions are about.
func (w *flowWalk) input(ctx context.Context) (flow.Input, error) {
	in := flow.Input{
		Subject: w.i.Subject, From: w.i.Customer, CustomerAddress: w.i.Customer, CustomerName: w.i.Name, Automatic: w.run.automatic,
	}
	var err error
	if w.account, err = getAccount(ctx, w.conn, Key{w.i.Namespace, w.i.Account}); ignoreNotFound(err) != nil {
		return in, err
	}
	in.AccountName, in.AccountAddress = w.account.Name, w.account.Address
	m, err := one(ctx, w.conn, scanMessage, messageColumns+"WHERE id = ?", w.run.message)
	if err != nil {
		return in, ignoreNotFound(err)
	}
	in.Subject, in.From, in.To, in.HasAttachments = m.Subject, m.From, slices.Clone(m.To), len(m.Attachments) > 0
	type raw struct {
		start []byte
		size  int64
	}
	start, err := one(ctx, w.conn, func(s scanner) (raw, error) {
		var v raw
		return v, s.Scan(&v.start, &v.size)
	}, fmt.Sprintf("SELECT substr(raw, 1, %d), length(raw) FROM raw_messages WHERE message_id = ?", flowHeader), m.ID)
	if ignoreNotFound(err) != nil {
		return in, err
	}
	w.header, in.Size = start.start, start.size
	if w.db.flowMail != nil {
		w.fields = w.db.flowMail.Header(w.header)
	}
	in.Headers = w.fields
	return in, nil
}

// can tells whether a step's queue or agent can be used.
func (w *flowWalk) can(ctx context.Context, action flow.Action, name string) (bool, string) {
	if w.err != nil {
		return false, ""
	}
	if action == flow.Queue {
		ok, err := queueExists(ctx, w.conn, Key{w.namespace, name})
		w.err = err
		return ok, "there is no Queue " + name
	}
	a, err := getAgent(ctx, w.conn, Key{w.namespace, name})
	w.err = ignoreNotFound(err)
	return err == nil && a.Active, "there is no active Agent " + name
}

// entry records one step that was passed.
func (w *flowWalk) entry(ctx context.Context, e flow.Entry) error {
	reason, detail := e.Reason, "step "+e.Step
	if e.Detail != "" {
		detail += ": " + e.Detail
	}
	switch e.Reason {
	case flow.ReasonTagged:
		w.i.Tags = CleanTags(append(slices.Clone(w.i.Tags), e.Tags...))
		detail += ": " + strings.Join(e.Tags, ", ")
	case flow.ReasonReplied:
		withheld, err := w.reply(ctx, e)
		if err != nil {
			return err
		}
		if withheld != "" {
			reason, detail = flow.ReasonReplyWithheld, detail+": "+withheld
		}
	}
	w.move(w.i, w.i.State, "", reason, detail, w.now)
	if reason == flow.ReasonReplied {
		w.emitInteraction(EventMessage, w.i, "", reason)
	}
	return nil
}

// reply answers the customer, or says why not. Machines are never answered (RFC 3834 section 2), nor is anybody twice by the
// same step or too often in an hour: whatever answers the answer, it stops.
func (w *flowWalk) reply(ctx context.Context, e flow.Entry) (withheld string, err error) {
	if why := w.unanswerable(); why != "" {
		return why, nil
	}
	to := strings.ToLower(w.i.Customer)
	own, err := one(ctx, w.conn, scalar[int], "SELECT COUNT(*) FROM accounts WHERE namespace = ? AND LOWER(address) = ?", w.namespace, to)
	if err != nil {
		return "", err
	}
	given, err := one(ctx, w.conn, scalar[int], "SELECT COUNT(*) FROM flow_replies WHERE interaction_id = ? AND step = ?", w.i.ID, e.Step)
	if err != nil {
		return "", err
	}
	recent, err := one(ctx, w.conn, scalar[int], "SELECT COUNT(*) FROM flow_replies WHERE namespace = ? AND recipient = ? AND sent_at > ?",
		w.namespace, to, w.now-time.Hour.Microseconds())
	switch {
	case err != nil:
		return "", err
	case own > 0:
		return "the sender is an account of the center", nil
	case given > 0:
		return "the step has answered this interaction before", nil
	case recent >= AutoRepliesPerHour:
		return fmt.Sprintf("the sender got %d automatic answers within an hour", recent), nil
	}
	m, raw, err := w.db.flowMail.AutoReply(w.compose(e.Reply))
	if err != nil {
		return "it cannot be composed", nil //nolint:nilerr // the reason is about a customer's address
	}
	if err := w.send(ctx, m, raw); err != nil {
		return "", err
	}
	return "", w.insert(ctx, "flow_replies (interaction_id, step, namespace, recipient, sent_at)", "", []any{w.i.ID, e.Step, w.namespace, to, w.now})
}

// unanswerable says why this mail must not be answered by a machine.
func (w *flowWalk) unanswerable() string {
	suppress := strings.ToLower(w.fields["x-auto-response-suppress"])
	local, _, ok := strings.Cut(strings.ToLower(w.i.Customer), "@")
	local = strings.NewReplacer("-", "", "_", "", ".", "").Replace(local)
	switch {
	case w.run.automatic:
		return "the mail is automatic"
	case w.db.flowMail == nil || !w.account.Active:
		return "the account does not send"
	case strings.Contains(suppress, "all") || strings.Contains(suppress, "autoreply") || strings.Contains(suppress, "oof"):
		return "the sender asks for no automatic answers"
	case !ok || local == "" || strings.HasPrefix(local, "noreply") || strings.HasPrefix(local, "donotreply") || local == "mailerdaemon" || local == "postmaster":
		return "nobody reads answers to the sender's address"
	}
	return ""
}

func (w *flowWalk) compose(name string) AutoReply {
	t := w.f.Template(name)
	vars := map[string]string{
		"account.address": w.account.Address, "account.key": w.account.Label, "account.name": w.account.DisplayName,
		"customer.address": w.i.Customer, "customer.name": w.i.Name, "interaction.id": w.i.ID, "mail.subject": w.i.Subject,
	}
	fill := func(t *template.Template, render func(*template.Template, map[string]string) string) string {
		if t == nil {
			return ""
		}
		return render(t, vars)
	}
	return AutoReply{
		Account: w.account, Interaction: w.i.Interaction, Original: w.header, At: fromMicros(w.now),
		Subject: fill(t.Subject, (*template.Template).Header), Text: fill(t.Text, (*template.Template).Text), HTML: fill(t.HTML, (*template.Template).HTML),
	}
}

// send puts the answer into the outbox. For the customer's silence and for who has to read, nothing was said.
func (w *flowWalk) send(ctx context.Context, m Message, raw []byte) error {
	id, err := newID()
	if err != nil {
		return err
	}
	m.ID, m.InteractionID, m.Namespace, m.Account, m.Agent = id, w.i.ID, w.i.Namespace, w.i.Account, ""
	m.Direction, m.State, m.Attempts, m.CreatedAt = Outbound, MessagePending, 0, fromMicros(w.now)
	if err := w.insert(ctx, insertMessages, "", messageValues(m, contentKey{}, w.now)); err != nil {
		return err
	}
	if err := w.insert(ctx, "raw_messages (message_id, raw)", "", []any{m.ID, raw}); err != nil {
		return err
	}
	if key := threadKey(m.MessageID); key != "" {
		if err := w.insert(ctx, insertMessageIDs, "ON CONFLICT DO NOTHING", []any{w.i.Namespace, w.i.Account, key, w.i.ID}); err != nil {
			return err
		}
	}
	w.i.MessageCount++
	return nil
}
