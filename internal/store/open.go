package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	_ "modernc.org/sqlite" // registers the driver "sqlite"
)

//go:embed migrations/*.sql
var migrations embed.FS

// DB is the Store on SQLite or PostgreSQL.
type DB struct {
	d *dialect
	// w writes, r reads. On PostgreSQL they are the same pool; on SQLite w is one connection.
	w, r  *sql.DB
	clock func() time.Time
	wake  *broadcast
	// stop ends the listener, listener is closed when it has ended.
	stop     context.CancelFunc
	listener chan struct{}
	flowMail FlowMail
	flows    flowCache
	file     *os.File // the lock beside a SQLite database

	closing sync.Once
	closed  error
}

var _ Store = (*DB)(nil)

// Option of the Open functions.
type Option func(*DB)

// WithClock replaces the store's clock, for tests that move time. The default is the database server's
// clock_timestamp() on PostgreSQL and time.Now on SQLite.
func WithClock(now func() time.Time) Option { return func(db *DB) { db.clock = now } }

// Open opens the store that rawURL names: sqlite:///absolute/path, or postgres://… as in libpq
// (https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS).
func Open(ctx context.Context, rawURL string, opts ...Option) (*DB, error) {
	scheme, rest, _ := strings.Cut(rawURL, "://")
	switch scheme {
	case "sqlite":
		path, err := url.PathUnescape(rest)
		if err != nil || path == "" {
			return nil, errors.New("store: want sqlite:///absolute/path")
		}
		return OpenSQLite(ctx, path, opts...)
	case "postgres", "postgresql":
		return OpenPostgres(ctx, rawURL, opts...)
	}
	// The URL may hold a password, so it is not repeated here.
	return nil, fmt.Errorf("store: unknown scheme %q, want sqlite or postgres", scheme)
}

// OpenSQLite opens or creates the database file at path and brings its schema up to date. Only one live process may
// hold it: another one gets an error, enforced by a lock on the file path + ".lock".
func OpenSQLite(ctx context.Context, path string, opts ...Option) (*DB, error) {
	file, err := lockFile(path + ".lock")
	if err != nil {
		return nil, err
	}
	// The database holds customers' mails; SQLite gives its other files the mode of this one.
	data, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("store: database file: %w", err), file.Close())
	}
	if err := data.Close(); err != nil {
		return nil, errors.Join(fmt.Errorf("store: database file: %w", err), file.Close())
	}
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() +
		"?_txlock=immediate&_busy_timeout=10000&_foreign_keys=1&_journal_mode=WAL&_synchronous=FULL&_pragma=cache_size(-16000)"
	db := &DB{d: sqliteDialect, clock: time.Now, file: file}
	if db.w, err = sql.Open("sqlite", dsn); err == nil {
		// One connection: writers queue in the pool, in order and cancellable, and not in SQLite's busy loop.
		db.w.SetMaxOpenConns(1)
		db.r, err = sql.Open("sqlite", dsn+"&_query_only=1")
	}
	if err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("store: open SQLite: %w", err)
	}
	db.r.SetMaxOpenConns(8)
	db.r.SetMaxIdleConns(8)
	if _, err := db.start(ctx, goose.DialectSQLite3, opts); err != nil {
		return nil, err
	}
	// The lock says that whoever had leases here is dead: its work need not wait until they end.
	if err := db.freeLeases(ctx); err != nil {
		_ = db.Close()
		return nil, err
	}
	return db, nil
}

// lockFile takes the lock that ends with the process, however it ends (flock(2)).
func lockFile(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("store: lock file: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("store: a manager on SQLite refuses to start beside another one: %s is held by a live process; run one replica, or use PostgreSQL", path)
		}
		return nil, fmt.Errorf("store: lock %s: %w", path, err)
	}
	return file, nil
}

// OpenPostgres connects to PostgreSQL 13 or newer and brings the schema up to date; any number of replicas may do so at once.
func OpenPostgres(ctx context.Context, dsn string, opts ...Option) (*DB, error) {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		// pgx redacts the password in this error.
		return nil, fmt.Errorf("store: PostgreSQL connection string: %w", err)
	}
	if cfg.RuntimeParams["application_name"] == "" {
		cfg.RuntimeParams["application_name"] = "ringmaster"
	}
	db := &DB{d: postgresDialect}
	db.w = stdlib.OpenDB(*cfg)
	db.w.SetMaxOpenConns(16)
	db.w.SetMaxIdleConns(16)
	db.w.SetConnMaxIdleTime(5 * time.Minute)
	db.r = db.w
	if _, err := db.start(ctx, goose.DialectPostgres, opts); err != nil {
		return nil, err
	}
	listenCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	db.stop, db.listener = stop, make(chan struct{})
	go func() {
		defer close(db.listener)
		db.listen(listenCtx, cfg)
	}()
	return db, nil
}

func (db *DB) start(ctx context.Context, dialect goose.Dialect, opts []Option) (*DB, error) {
	db.wake = newBroadcast()
	for _, o := range opts {
		o(db)
	}
	if err := migrate(ctx, db.w, dialect); err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("store: migrate: %w", err)
	}
	return db, nil
}

func migrate(ctx context.Context, w *sql.DB, dialect goose.Dialect) error {
	provider, err := migrator(w, dialect)
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

func migrator(w *sql.DB, dialect goose.Dialect) (*goose.Provider, error) {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	options := []goose.ProviderOption{goose.WithTableName("ringmaster_migrations"), goose.WithDisableGlobalRegistry(true)}
	if dialect == goose.DialectPostgres {
		// Replicas that start together take turns (session-level advisory lock, tried every second for 5 minutes).
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300))
		if err != nil {
			return nil, err
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	return goose.NewProvider(dialect, w, dir, options...)
}

// Now implements Store.
func (db *DB) Now(ctx context.Context) (time.Time, error) {
	us, err := db.read().now(ctx, db.clock)
	return fromMicros(us), err
}

// Ping implements Store.
func (db *DB) Ping(ctx context.Context) error {
	var one int
	if err := db.read().row(ctx, "SELECT 1").Scan(&one); err != nil {
		return fmt.Errorf("store: ping: %w", err)
	}
	return nil
}

// Close waits for running transactions and gives the lock back. Closing twice is allowed.
func (db *DB) Close() error {
	db.closing.Do(func() {
		if db.stop != nil {
			db.stop()
			<-db.listener
		}
		var errs []error
		if db.r != nil && db.r != db.w {
			errs = append(errs, db.r.Close())
		}
		if db.w != nil {
			errs = append(errs, db.w.Close())
		}
		if db.file != nil {
			errs = append(errs, db.file.Close())
		}
		db.closed = errors.Join(errs...)
	})
	return db.closed
}
