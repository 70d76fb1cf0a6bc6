package store

import (
	"database/sql/driver"
	"encoding/json"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// dialect is all that differs between the two databases. Statements are written for PostgreSQL with ? as the
// placeholder; each dialect rewrites the text once and remembers it.
type dialect struct {
	// clock is a query for the server's time in unix microseconds; empty where the process's clock is the store's.
	clock string
	// notify wakes other replicas; it can stand in a RETURNING list. Empty where there are none.
	notify  string
	rewrite func(string) string
	// arg converts a bind argument the driver does not know.
	arg func(any) any
	// retryable: the transaction did not happen and may succeed when tried again. committing says that the error is that of
	// the commit, so that a lost connection leaves it open whether it happened.
	retryable func(err error, committing bool) bool
	// unavailable: see ErrUnavailable.
	unavailable func(err error) bool
	rewritten   sync.Map
}

func (d *dialect) sql(q string) string {
	if s, ok := d.rewritten.Load(q); ok {
		return s.(string)
	}
	s := d.rewrite(q)
	d.rewritten.Store(q, s)
	return s
}

const notifyChannel = "ringmaster_store"

var postgresDialect = &dialect{
	clock:  "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)",
	notify: "CAST(pg_notify('" + notifyChannel + "', '') AS TEXT)",
	rewrite: func(q string) string {
		var b strings.Builder
		n := 0
		for _, part := range strings.SplitAfter(q, "?") {
			if before, ok := strings.CutSuffix(part, "?"); ok {
				n++
				b.WriteString(before + "$" + strconv.Itoa(n))
				continue
			}
			b.WriteString(part)
		}
		return b.String()
	},
	arg: func(a any) any { return a },
	retryable: func(err error, committing bool) bool {
		var pg *pgconn.PgError
		if !errors.As(err, &pg) {
			// SafeToRetry: nothing of the statement reached the server.
			return pgconn.SafeToRetry(err) || !committing && connectionLost(err)
		}
		// 40: transaction rollback (serialization, deadlock); 08: connection; 57P0x: server restarting.
		return strings.HasPrefix(pg.Code, "40") || strings.HasPrefix(pg.Code, "08") || strings.HasPrefix(pg.Code, "57P0")
	},
	unavailable: func(err error) bool {
		var pg *pgconn.PgError
		if !errors.As(err, &pg) {
			return pgconn.SafeToRetry(err) || connectionLost(err)
		}
		// 08: connection; 40: transaction rollback; 53: insufficient resources; 57: operator intervention; 58: system error.
		switch pg.Code[:min(2, len(pg.Code))] {
		case "08", "40", "53", "57", "58":
			return true
		}
		return false
	},
}

func connectionLost(err error) bool {
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, driver.ErrBadConn)
}

// SQLite has one writer, so row locks mean nothing there; a list is bound as a JSON array.
var sqliteRewriter = strings.NewReplacer(
	" FOR UPDATE SKIP LOCKED", "",
	" FOR UPDATE", "",
	" FOR SHARE", "",
	"= ANY(?)", "IN (SELECT value FROM json_each(?))",
	"jsonb_array_elements_text(CAST(tags AS jsonb)) AS tag(value)", "json_each(tags) AS tag",
)

var sqliteDialect = &dialect{
	rewrite: sqliteRewriter.Replace,
	arg: func(a any) any {
		switch a.(type) {
		case []string, []int64:
			list, err := json.Marshal(a)
			if err != nil {
				return a // the driver reports the type
			}
			return string(list)
		}
		return a
	},
	retryable: func(err error, _ bool) bool {
		var e *sqlite.Error
		if !errors.As(err, &e) {
			return false
		}
		primary := e.Code() & 0xff
		return primary == sqlite3.SQLITE_BUSY || primary == sqlite3.SQLITE_LOCKED
	},
	unavailable: func(err error) bool {
		var e *sqlite.Error
		if !errors.As(err, &e) {
			return false
		}
		switch e.Code() & 0xff {
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR,
			sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN:
			return true
		}
		return false
	},
}
