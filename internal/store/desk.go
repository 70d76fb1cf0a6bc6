package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Limits on what agents add to interactions.
const (
	// MaxTitle of an interaction in characters.
	MaxTitle = 200
	// MaxTags of an interaction, and MaxTag characters of one.
	MaxTags = 20
	MaxTag  = 50
)

// AccountDesk is what an account lets agents do at the desk.
type AccountDesk struct {
	// MarkUnread lets agents mark its interactions unread.
	MarkUnread bool `json:"markUnread,omitempty"`
	// ForwardHistory adds the earlier messages to a forwarded one.
	ForwardHistory bool `json:"forwardHistory,omitempty"`
	// Autosave asks clients to keep drafts by themselves, every AutosaveInterval.
	Autosave         bool          `json:"autosave,omitempty"`
	AutosaveInterval time.Duration `json:"autosaveInterval,omitempty"`
	// Silent asks clients for no sound with an offer, Still not to move what they show.
	Silent bool `json:"silent,omitempty"`
	Still  bool `json:"still,omitempty"`
	// Notification is the template of the text with an offer; empty: the desk's own.
	Notification string `json:"notification,omitempty"`
	// SyncFlags clears \Seen of the mail on its server when an agent marks an interaction unread, and sets it again when it is read.
	SyncFlags bool `json:"syncFlags,omitempty"`
}

// InteractionPatch changes what is not nil.
type InteractionPatch struct {
	// Title of at most MaxTitle characters; empty is the subject again.
	Title *string
	// Tags replace the present ones; see CleanTags.
	Tags *[]string
}

// CleanTags trims, sorts and deduplicates tags. Empty ones and those that are no tag (longer than MaxTag, with a control character
// or a comma, which separates tags in lists) are left out, and what exceeds MaxTags.
func CleanTags(tags []string) []string {
	var out []string
	for _, tag := range tags {
		tag = strings.TrimSpace(clean(tag))
		if tag != "" && utf8.RuneCountInString(tag) <= MaxTag && !strings.ContainsFunc(tag, func(r rune) bool { return r == ',' || unicode.IsControl(r) }) {
			out = append(out, tag)
		}
	}
	slices.Sort(out)
	out = slices.Compact(out)
	return out[:min(len(out), MaxTags)]
}

// PatchInteraction implements Interactions.
func (db *DB) PatchInteraction(ctx context.Context, namespace, id string, p InteractionPatch) (Interaction, error) {
	return db.change(ctx, "patch interaction", namespace, id, func(t *tx, r *interactionRow, now int64) error {
		if p.Title != nil {
			title := []rune(strings.TrimSpace(clean(*p.Title)))
			r.Title = string(title[:min(len(title), MaxTitle)])
		}
		if p.Tags != nil {
			r.Tags = CleanTags(*p.Tags)
		}
		r.UpdatedAt = fromMicros(now)
		if _, err := t.exec(ctx, "UPDATE interactions SET title = ? WHERE id = ?", r.Title, r.ID); err != nil {
			return err
		}
		t.emitInteraction(EventUpdated, r, r.Agent, "")
		return t.save(ctx, r)
	})
}

// MarkUnread implements Interactions.
func (db *DB) MarkUnread(ctx context.Context, namespace, id, agent string) error {
	_, err := db.change(ctx, "mark unread", namespace, id, func(t *tx, r *interactionRow, _ int64) error {
		if r.Agent != "" && r.Agent != agent {
			return ErrConflict
		}
		if !r.Read {
			return nil
		}
		if err := t.wantUnseen(ctx, r); err != nil {
			return err
		}
		r.Read = false
		t.emitInteraction(EventUpdated, r, r.Agent, "")
		return t.save(ctx, r)
	})
	return err
}

// TakeOver implements Interactions. The center's lock keeps the load of the agent from growing meanwhile.
func (db *DB) TakeOver(ctx context.Context, namespace, id, agent string) (Interaction, error) {
	var out Interaction
	err := db.write(ctx, "take over", func(t *tx) error {
		if err := t.lockCenter(ctx, namespace); err != nil {
			return err
		}
		r, err := getInteraction(ctx, t.conn, namespace, id, " FOR UPDATE")
		if err != nil {
			return err
		}
		if r.State != StateUnread {
			return ErrConflict
		}
		key := Key{namespace, agent}
		if err := t.roomFor(ctx, key, r.Channel); err != nil {
			return err
		}
		now, err := t.now(ctx)
		if err != nil {
			return err
		}
		if err := t.assign(ctx, r, agent, "TakenOver", now); err != nil {
			return err
		}
		if err := t.save(ctx, r); err != nil {
			return err
		}
		out = r.Interaction
		return nil
	})
	return out, err
}

// roomFor is ErrCapacity when the agent holds as many interactions as allowed, and ErrConflict when the agent takes none at all.
func (t *tx) roomFor(ctx context.Context, agent Key, channel Channel) error {
	a, err := getAgent(ctx, t.conn, agent)
	if err != nil {
		return err
	}
	if !a.Active {
		return ErrConflict
	}
	if a.EmailCapacity == 0 {
		return nil
	}
	held, err := one(ctx, t.conn, scalar[int], `SELECT (SELECT COUNT(*) FROM interactions
		WHERE namespace = ? AND agent = ? AND agent <> '' AND channel = ? AND state IN ('Offered', 'Open'))
		+ (SELECT COUNT(*) FROM offers WHERE namespace = ? AND agent = ?)`, agent.Namespace, agent.Name, channel, agent.Namespace, agent.Name)
	if err == nil && held >= a.EmailCapacity {
		err = ErrCapacity
	}
	return err
}

// SetAccountAgents implements Directory.
func (db *DB) SetAccountAgents(ctx context.Context, account Key, agents []string) error {
	wanted := slices.Compact(slices.Sorted(slices.Values(agents)))
	present, err := accountAgents(ctx, db.read(), account)
	if err != nil {
		return fmt.Errorf("store: agents of account %s: %w", account, err)
	}
	if slices.Equal(present, wanted) {
		return nil
	}
	return db.write(ctx, "set account agents", func(t *tx) error {
		t.wake = true
		if _, err := t.exec(ctx, "DELETE FROM account_agents WHERE namespace = ? AND account = ?", account.Namespace, account.Name); err != nil {
			return err
		}
		rows := make([][]any, len(wanted))
		for i, agent := range wanted {
			rows[i] = []any{account.Namespace, account.Name, agent}
		}
		return t.insert(ctx, "account_agents (namespace, account, agent)", "ON CONFLICT DO NOTHING", rows...)
	})
}

func accountAgents(ctx context.Context, c conn, account Key) ([]string, error) {
	names, err := all(ctx, c, scalar[string], "SELECT agent FROM account_agents WHERE namespace = ? AND account = ?", account.Namespace, account.Name)
	slices.Sort(names) // the order of a database depends on its collation
	return names, err
}

// AccountAgents implements Directory.
func (db *DB) AccountAgents(ctx context.Context, account Key) ([]string, error) {
	names, err := accountAgents(ctx, db.read(), account)
	if err != nil {
		return nil, fmt.Errorf("store: agents of account %s: %w", account, err)
	}
	return names, nil
}

// AccountsOf implements Directory.
func (db *DB) AccountsOf(ctx context.Context, agent Key) ([]string, error) {
	names, err := all(ctx, db.read(), scalar[string], "SELECT account FROM account_agents WHERE namespace = ? AND agent = ?", agent.Namespace, agent.Name)
	if err != nil {
		return nil, fmt.Errorf("store: accounts of agent %s: %w", agent, err)
	}
	slices.Sort(names)
	return names, nil
}

// narrow adds the conditions of f that are about content rather than about where an interaction is. The database lowers
// both sides of a search, so that they agree about letters beyond ASCII.
func (f InteractionFilter) narrow(q string, args []any) (string, []any) {
	add := func(condition string, values ...any) {
		q, args = q+" AND "+condition, append(args, values...)
	}
	if f.Read {
		add("is_read")
	}
	if f.Accounts != nil {
		add("account = ANY(?)", f.Accounts)
	}
	if len(f.OtherAccounts) > 0 {
		add("NOT (account = ANY(?))", f.OtherAccounts)
	}
	if f.Supervisor != "" {
		add("(agent <> '' AND agent IN ("+supervised+") OR last_agent <> '' AND last_agent IN ("+supervised+"))",
			f.Namespace, f.Supervisor, f.Namespace, f.Supervisor)
	}
	if f.Unassigned {
		add("NOT EXISTS (SELECT 1 FROM account_agents a WHERE a.namespace = interactions.namespace AND a.account = interactions.account)")
	}
	if f.Concerns != "" {
		add("(agent = ? OR last_agent = ? OR id IN ("+agentOffers+"))", f.Concerns, f.Concerns, f.Namespace, f.Concerns)
	}
	if !f.From.IsZero() {
		add("created_at >= ?", micros(f.From))
	}
	if !f.To.IsZero() {
		add("created_at < ?", micros(f.To))
	}
	if len(f.Tags) > 0 {
		add("EXISTS (SELECT 1 FROM jsonb_array_elements_text(CAST(tags AS jsonb)) AS tag(value) WHERE tag.value = ANY(?))", f.Tags)
	}
	if f.Text != "" {
		columns := []string{"subject", "title", "customer", "name"}
		if f.HideCustomer {
			columns = columns[:2]
		}
		like := "%" + likeEscaper.Replace(clean(f.Text)) + "%"
		var conditions []string
		var values []any
		for _, column := range columns {
			conditions = append(conditions, "LOWER("+column+`) LIKE LOWER(?) ESCAPE '\'`)
			values = append(values, like)
		}
		add("("+strings.Join(conditions, " OR ")+")", values...)
	}
	return q, args
}

var likeEscaper = strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`)
