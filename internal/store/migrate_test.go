package store

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/ringmaster-dev/ringmaster/test/env"
)

// before is what a center of the first version has written.
var before = []string{
	`INSERT INTO centers VALUES ('n')`,
	`INSERT INTO agents (namespace, name, username, display_name, alias, email, extension, active, email_capacity, profile)
		VALUES ('n', 'alice', 'alice.r', 'Alice', '', '', '100', TRUE, 1, '')`,
	`INSERT INTO presence VALUES ('n', 'alice', TRUE, TRUE, 'lunch', 1000000)`,
	`INSERT INTO sessions VALUES ('token', 'n', 'alice', 9000000000000000)`,
	`INSERT INTO registrations VALUES ('n', 'pbx', '100', 'sip:100@192.0.2.1', '', 1)`,
}

// voicemail is what one of the second version has besides.
var voicemail = []string{
	`INSERT INTO voicemail VALUES ('n', 'pbx', '100', 2, 1)`,
	`INSERT INTO voicemail VALUES ('n', 'pbx2', '100', 1, 0)`,
}

// A store of an earlier version opens, keeps what it has, and takes what is new.
func TestEarlierVersionsMigrate(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "old.db")
		earlier(t, "sqlite", path, goose.DialectSQLite3)
		checkMigrated(t, "sqlite://"+path)
	})
	t.Run("postgres", func(t *testing.T) {
		dsn := env.Postgres(t).NewDatabase(t)
		earlier(t, "", dsn, goose.DialectPostgres)
		checkMigrated(t, dsn)
	})
}

func earlier(t *testing.T, driver, dsn string, dialect goose.Dialect) {
	t.Helper()
	var w *sql.DB
	if driver == "" {
		cfg, err := pgx.ParseConfig(dsn)
		if err != nil {
			t.Fatal(err)
		}
		w = stdlib.OpenDB(*cfg)
	} else {
		var err error
		if w, err = sql.Open(driver, dsn); err != nil {
			t.Fatal(err)
		}
	}
	defer func() { _ = w.Close() }()
	provider, err := migrator(w, dialect)
	if err != nil {
		t.Fatal(err)
	}
	for n, statements := range [][]string{before, voicemail} {
		if _, err := provider.UpTo(t.Context(), int64(n+1)); err != nil {
			t.Fatal(err)
		}
		for _, statement := range statements {
			if _, err := w.ExecContext(t.Context(), statement); err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
		}
	}
}

func checkMigrated(t *testing.T, url string) {
	t.Helper()
	db, err := Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	alice := Key{"n", "alice"}
	p, err := db.GetPresence(t.Context(), alice)
	if diff := cmp.Diff(Presence{Agent: alice, SignedIn: true, Paused: true, Reason: "lunch", Since: fromMicros(1000000)}, p); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	s, err := db.GetSession(t.Context(), "token")
	if diff := cmp.Diff(Session{Agent: alice, Client: ClientOther, Expires: fromMicros(9000000000000000)}, s); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if err := db.PutCall(t.Context(), Key{"n", "pbx"}, Call{Uniqueid: "u", Extension: "100"}); err != nil {
		t.Error(err)
	}
	calls, err := db.ListCalls(t.Context(), CallFilter{Namespace: "n", Agent: "alice"})
	if err != nil || len(calls) != 1 {
		t.Errorf("calls %+v, %v", calls, err)
	}
	if news, err := db.NewVoicemail(t.Context(), 10); err != nil || len(news) > 0 {
		t.Errorf("old messages are news: %+v, %v", news, err)
	}
	if err := db.PutVoicemail(t.Context(), Key{"n", "pbx"}, Voicemail{Extension: "100", Unread: 3, Read: 1}); err != nil {
		t.Error(err)
	}
	news, err := db.NewVoicemail(t.Context(), 10)
	if diff := cmp.Diff([]VoicemailNews{{Agent: alice, Unread: 4, Seen: 3, Looks: 1}}, news); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}
