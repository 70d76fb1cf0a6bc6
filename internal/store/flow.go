package store

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/flow"
)

// Flow is what routing knows of a RoutingFlow object, with the schedules and templates it refers to.
type Flow struct {
	Key
	Spec flow.Spec
}

// FlowMail reads and writes mails for flows.
type FlowMail interface {
	// Header returns the header fields at the beginning of a mail by name in lower case.
	Header(raw []byte) map[string]string
	// AutoReply composes an automatic answer and its row.
	AutoReply(r AutoReply) (Message, []byte, error)
}

// AutoReply is an automatic answer to a mail.
type AutoReply struct {
	Account     Account
	Interaction Interaction
	// Original is the beginning of the mail answered.
	Original []byte
	Subject  string
	// Text and HTML of the answer; one of them may be empty.
	Text, HTML string
	At         time.Time
}

// WithFlowMail lets flows look at header fields and answer mails. Without it no answer is given.
func WithFlowMail(m FlowMail) Option { return func(db *DB) { db.flowMail = m } }

// flowCache keeps compiled flows by their text: the same one is used thousands of times.
type flowCache struct {
	mu    sync.Mutex
	flows map[string]*flow.Flow
}

// maxCompiled flows are kept; with more of them the cache starts over.
const maxCompiled = 256

func (c *flowCache) compile(text string) (*flow.Flow, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.flows[text]; f != nil {
		return f, nil
	}
	var spec flow.Spec
	if err := json.Unmarshal([]byte(text), &spec); err != nil {
		return nil, err
	}
	f, err := flow.Compile(spec)
	if err != nil {
		return nil, err
	}
	if c.flows == nil || len(c.flows) >= maxCompiled {
		c.flows = map[string]*flow.Flow{}
	}
	c.flows[text] = f
	return f, nil
}

func flowText(ctx context.Context, c conn, key Key) (string, error) {
	return one(ctx, c, scalar[string], "SELECT spec FROM flows WHERE namespace = ? AND name = ?", key.Namespace, key.Name)
}

// GetFlow implements Directory.
func (db *DB) GetFlow(ctx context.Context, key Key) (Flow, error) {
	f := Flow{Key: key}
	text, err := flowText(ctx, db.read(), key)
	if err == nil {
		err = json.Unmarshal([]byte(text), &f.Spec)
	}
	if err != nil {
		return Flow{}, fmt.Errorf("store: flow %s: %w", key, err)
	}
	return f, nil
}

// PutFlow implements Directory.
func (db *DB) PutFlow(ctx context.Context, f Flow) error {
	text := toJSON(f.Spec)
	if _, err := db.flows.compile(text); err != nil {
		return fmt.Errorf("store: flow %s: %w", f.Key, err)
	}
	if old, err := flowText(ctx, db.read(), f.Key); err == nil && old == text {
		return nil
	}
	return db.write(ctx, "put flow", func(t *tx) error {
		if err := t.lookAtRuns(ctx, f.Key); err != nil {
			return err
		}
		_, err := t.exec(ctx, `INSERT INTO flows (namespace, name, spec) VALUES (?, ?, ?)
			ON CONFLICT (namespace, name) DO UPDATE SET spec = excluded.spec`, f.Namespace, f.Name, text)
		return err
	})
}

// DeleteFlow implements Directory.
func (db *DB) DeleteFlow(ctx context.Context, key Key) error {
	return db.write(ctx, "delete flow", func(t *tx) error {
		if err := t.lookAtRuns(ctx, key); err != nil {
			return err
		}
		_, err := t.exec(ctx, "DELETE FROM flows WHERE namespace = ? AND name = ?", key.Namespace, key.Name)
		return err
	})
}

// lookAtRuns makes everything due that waits in a flow and in no queue: what it waits for may have changed.
func (t *tx) lookAtRuns(ctx context.Context, key Key) error {
	if err := t.lockCenter(ctx, key.Namespace); err != nil {
		return err
	}
	now, err := t.now(ctx)
	if err != nil {
		return err
	}
	t.wake = true
	_, err = t.exec(ctx, "UPDATE flow_runs SET due_at = ? WHERE namespace = ? AND flow = ? AND due_at > 0", now, key.Namespace, key.Name)
	return err
}
