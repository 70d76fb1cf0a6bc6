package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// errRetry makes write run the transaction again: it met a change it did not see.
var errRetry = errors.New("concurrent change")

// How often and how patiently a transaction is tried again: about two seconds in all.
const (
	writeAttempts = 10
	retryFirst    = 5 * time.Millisecond
	retryMost     = 400 * time.Millisecond
)

type sqlConn interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// conn runs statements of the common SQL on a pool or a transaction.
type conn struct {
	d *dialect
	x sqlConn
}

func (c conn) args(args []any) []any {
	for i, a := range args {
		args[i] = c.d.arg(a)
	}
	return args
}

// exec returns how many rows changed.
func (c conn) exec(ctx context.Context, q string, args ...any) (int64, error) {
	r, err := c.x.ExecContext(ctx, c.d.sql(q), c.args(args)...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

func (c conn) row(ctx context.Context, q string, args ...any) *sql.Row {
	return c.x.QueryRowContext(ctx, c.d.sql(q), c.args(args)...)
}

// now is the store's clock in unix microseconds. Read it after the locks a deadline depends on.
func (c conn) now(ctx context.Context, clock func() time.Time) (int64, error) {
	if clock != nil {
		return clock().UnixMicro(), nil
	}
	var us int64
	err := c.row(ctx, c.d.clock).Scan(&us)
	return us, err
}

type scanner interface{ Scan(dest ...any) error }

// all reads every row.
func all[T any](ctx context.Context, c conn, scan func(scanner) (T, error), q string, args ...any) ([]T, error) {
	rows, err := c.x.QueryContext(ctx, c.d.sql(q), c.args(args)...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var out []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// one reads a single row; none is ErrNotFound.
func one[T any](ctx context.Context, c conn, scan func(scanner) (T, error), q string, args ...any) (T, error) {
	v, err := scan(c.row(ctx, q, args...))
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	return v, err
}

// scalar scans rows of one column.
func scalar[T any](s scanner) (T, error) {
	var v T
	err := s.Scan(&v)
	return v, err
}

// chunks cuts n rows into powers of two of at most 64, so that few distinct statements exist and both
// drivers' statement caches hold them.
func chunks(n int) []int {
	var out []int
	for size := 64; n > 0; {
		if size > n {
			size /= 2
			continue
		}
		out, n = append(out, size), n-size
	}
	return out
}

// bulk runs before + (tuple),(tuple)… + after for all rows, with as few statements as chunks allows. A tuple is
// like (?, CAST(? AS BIGINT)). Arguments of after follow those of the rows.
func (c conn) bulk(ctx context.Context, before, tuple, after string, rows [][]any, last ...any) error {
	for _, size := range chunks(len(rows)) {
		args := slices.Concat(append(slices.Clone(rows[:size]), last)...)
		values := strings.Repeat(tuple+",", size-1) + tuple
		if _, err := c.exec(ctx, before+values+after, args...); err != nil {
			return err
		}
		rows = rows[size:]
	}
	return nil
}

// insert adds rows; into is like "events (seq, at)".
func (c conn) insert(ctx context.Context, into, onConflict string, rows ...[]any) error {
	if len(rows) == 0 {
		return nil
	}
	tuple := "(" + strings.Repeat("?,", len(rows[0])-1) + "?)"
	return c.bulk(ctx, "INSERT INTO "+into+" VALUES ", tuple, " "+onConflict, rows)
}

// tx is a write transaction. Locks are always taken in this order, so that transactions never wait for each other
// in a circle: center or lease, interactions by id, calls by id, a contact list and its contacts by address, the presence of agents by name, their wrap-up
// times, queues by name, their figures, the event counter. The last four happen in commit, from what the transaction collected.
type tx struct {
	conn
	db          *DB
	events      []Event
	transitions [][]any
	// left are the interactions that were open and moved: nobody need dispose them any more, unless they are still open with the same agent.
	left []string
	// shared are events about interactions that are offered to several agents, who are looked up at the end.
	shared []Event
	// wake is set when something other than an event should wake local readers.
	wake bool
	// due and changed are queues that routing must look at: for a new interaction, or because an interaction
	// that could not be placed may be now.
	due, changed map[Key]bool
	// freed are agents who may now take what waits for them alone.
	freed map[Key]bool
	// taken are interactions that members of queues have accepted.
	taken []taken
	// wrapUps are agents whose wrap-up time begins, and when it ends.
	wrapUps map[Key]int64
}

func (db *DB) read() conn { return conn{db.d, db.r} }

func (t *tx) now(ctx context.Context) (int64, error) { return t.conn.now(ctx, t.db.clock) }

// write runs fn in a transaction, again when the database says that it lost a race. Errors of the package pass unwrapped.
func (db *DB) write(ctx context.Context, what string, fn func(*tx) error) error {
	delay := retryFirst
	for attempt := 1; ; attempt++ {
		committing, err := db.writeOnce(ctx, fn)
		if err == nil {
			return nil
		}
		if attempt == writeAttempts || ctx.Err() != nil || !(errors.Is(err, errRetry) || db.d.retryable(err, committing)) {
			if db.d.unavailable(err) {
				err = fmt.Errorf("%w: %w", ErrUnavailable, err)
			}
			return fmt.Errorf("store: %s: %w", what, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("store: %s: %w", what, err)
		case <-time.After(delay/2 + rand.N(delay)):
		}
		delay = min(2*delay, retryMost)
	}
}

// writeOnce reports with an error whether it is that of the commit.
func (db *DB) writeOnce(ctx context.Context, fn func(*tx) error) (committing bool, err error) {
	st, err := db.w.BeginTx(ctx, nil)
	if err != nil {
		return false, err
	}
	t := &tx{conn: conn{db.d, st}, db: db, due: map[Key]bool{}, changed: map[Key]bool{}, freed: map[Key]bool{}, wrapUps: map[Key]int64{}}
	if err := fn(t); err != nil {
		_ = st.Rollback() // what went wrong is in err; a lost connection rolls back by itself
		return false, err
	}
	if err := t.flush(ctx); err != nil {
		_ = st.Rollback()
		return false, err
	}
	if err := st.Commit(); err != nil {
		if errors.Is(err, sql.ErrTxDone) && ctx.Err() != nil {
			return true, ctx.Err()
		}
		return true, err
	}
	if len(t.events) > 0 || t.wake {
		db.wake.wake()
	}
	return false, nil
}

// lockCenter serialises everything that raises an agent's load or decides who may get something.
func (t *tx) lockCenter(ctx context.Context, namespace string) error {
	for {
		var ns string
		err := t.row(ctx, "SELECT namespace FROM centers WHERE namespace = ? FOR UPDATE", namespace).Scan(&ns)
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if _, err := t.exec(ctx, "INSERT INTO centers (namespace) VALUES (?) ON CONFLICT DO NOTHING", namespace); err != nil {
			return err
		}
	}
}

// flush writes what the transaction collected, in lock order.
func (t *tx) flush(ctx context.Context) error {
	if err := t.insert(ctx, transitionColumns, "", t.transitions...); err != nil {
		return err
	}
	if err := t.endDisposing(ctx); err != nil {
		return err
	}
	if err := t.flushFreed(ctx); err != nil {
		return err
	}
	if err := t.flushWrapUps(ctx); err != nil {
		return err
	}
	if err := t.flushQueues(ctx); err != nil {
		return err
	}
	if err := t.flushFigures(ctx); err != nil {
		return err
	}
	if err := t.flushShared(ctx); err != nil {
		return err
	}
	return t.flushEvents(ctx)
}

func (t *tx) flushQueues(ctx context.Context) error {
	keys := make([]Key, 0, len(t.due)+len(t.changed))
	for k := range t.due {
		keys = append(keys, k)
	}
	for k := range t.changed {
		if !t.due[k] {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	t.wake = true
	slices.SortFunc(keys, func(a, b Key) int {
		return strings.Compare(a.Namespace+"\x00"+a.Name, b.Namespace+"\x00"+b.Name)
	})
	now, err := t.now(ctx)
	if err != nil {
		return err
	}
	for _, k := range keys {
		bump := 0
		if t.changed[k] {
			bump = 1
		}
		// Unconditional: a conditional update would not wait for a router that is about to clear due_at.
		n, err := t.exec(ctx, "UPDATE queues SET due_at = ?, gen = gen + ? WHERE namespace = ? AND name = ? AND channel <> 'Voice'",
			now, bump, k.Namespace, k.Name)
		if err != nil {
			return err
		}
		if n == 0 && t.due[k] {
			return errRetry // deleted meanwhile: the interaction needs another place
		}
	}
	return nil
}

// newID is a UUIDv7 (RFC 9562).
func newID() (string, error) {
	id, err := uuid.NewV7()
	return id.String(), err
}

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// clean makes text storable: PostgreSQL takes neither invalid UTF-8 nor NUL.
func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
}

// toJSON encodes lists and maps of strings, which cannot fail.
func toJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}
