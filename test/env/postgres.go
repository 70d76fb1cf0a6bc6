package env

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// PostgresOptions change how PostgreSQL runs.
type PostgresOptions struct {
	// Name distinguishes several servers of one environment; default "postgres".
	Name string
	// Durable waits for the disk at every commit, as in production. Tests of
	// behaviour do without; measurements must not.
	Durable bool
}

// PostgresServer is a running PostgreSQL 15.
type PostgresServer struct {
	*Process
	// Addr is host:port.
	Addr string

	password string
}

// StartPostgres makes a new cluster and starts it.
func (e *Env) StartPostgres(ctx context.Context, opts PostgresOptions) (*PostgresServer, error) {
	name := opts.Name
	if name == "" {
		name = "postgres"
	}
	e.say("starting PostgreSQL")
	root, err := e.servicesRoot()
	if err != nil {
		return nil, err
	}
	dir, err := e.partDir(name)
	if err != nil {
		return nil, err
	}
	bin, err := root.glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return nil, err
	}
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	s := &PostgresServer{Addr: addrOf(port), password: uuid.NewString()}
	data := filepath.Join(dir, "data")
	if err := e.initdb(ctx, root, bin, data, s.password); err != nil {
		return nil, err
	}
	s.Process, err = e.Start(ctx, Command{
		Name: name, Path: bin + "/postgres", Root: root, User: "postgres",
		Args: append([]string{
			"-D", data, "-h", Loopback, "-p", strconv.Itoa(port), "-k", "",
			"-c", "max_connections=500", "-c", "shared_buffers=128MB",
		}, durability(opts.Durable)...),
		Ready: func(ctx context.Context) error {
			conn, err := pgx.Connect(ctx, s.dsn("postgres"))
			if err != nil {
				return err
			}
			return conn.Close(ctx)
		},
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

func durability(durable bool) []string {
	if durable {
		return nil
	}
	return []string{"-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"}
}

// initdb makes the cluster. PostgreSQL refuses to run as root, so the files
// belong to the root's own postgres user.
func (e *Env) initdb(ctx context.Context, root *Root, bin, data, password string) error {
	uid, gid, err := root.user("postgres")
	if err != nil {
		return err
	}
	if err := os.Mkdir(data, 0o700); err != nil {
		return err
	}
	pwFile := filepath.Join(filepath.Dir(data), "password")
	if err := os.WriteFile(pwFile, []byte(password), 0o600); err != nil {
		return err
	}
	for _, path := range []string{data, pwFile} {
		if err := os.Chown(path, uid, gid); err != nil {
			return err
		}
	}
	_, err = e.runOnce(ctx, Command{
		Name: "initdb", Path: bin + "/initdb", Root: root, User: "postgres",
		Args: []string{"-D", data, "-U", "postgres", "--pwfile", pwFile, "--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-sync"},
	})
	return err
}

func (s *PostgresServer) dsn(database string) string {
	return fmt.Sprintf("postgres://postgres:%s@%s/%s?sslmode=disable", s.password, s.Addr, database)
}

// CreateDatabase makes an empty database and returns its DSN, a URL that pgx
// and database/sql understand.
func (s *PostgresServer) CreateDatabase(ctx context.Context) (string, error) {
	name := "rm_" + uuid.NewString()[:8]
	if err := s.exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize()); err != nil {
		return "", err
	}
	return s.dsn(name), nil
}

// NewDatabase makes an empty database for one test, dropped at its end even
// when connections are still open, and returns its DSN.
func (s *PostgresServer) NewDatabase(t testing.TB) string {
	t.Helper()
	dsn, err := s.CreateDatabase(t.Context())
	if err != nil {
		t.Fatalf("create a database: %v", err)
	}
	t.Cleanup(func() {
		config, err := pgx.ParseConfig(dsn)
		if err == nil {
			err = s.exec(context.Background(), "DROP DATABASE "+pgx.Identifier{config.Database}.Sanitize()+" WITH (FORCE)")
		}
		if err != nil && s.Running() {
			t.Errorf("drop the test's database: %v", err)
		}
	})
	return dsn
}

func (s *PostgresServer) exec(ctx context.Context, sql string) (err error) {
	conn, err := pgx.Connect(ctx, s.dsn("postgres"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	_, err = conn.Exec(ctx, sql)
	return err
}
