package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/store"
	"github.com/ringmaster-dev/ringmaster/internal/store/storetest"
)

func openSQLite(t testing.TB, opts ...store.Option) store.Store {
	t.Helper()
	return storetest.SQLite(t, opts...)
}

func TestSQLite(t *testing.T) { storetest.Run(t, openSQLite) }

func TestSQLiteRefusesASecondProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "odd name?#%.db")
	first, err := store.OpenSQLite(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{path, path + "-wal"} {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file, info, err)
		}
	}
	_, err = store.OpenSQLite(t.Context(), path)
	if err == nil || !strings.Contains(err.Error(), "refuses to start beside another one") {
		t.Fatalf("second open: %v", err)
	}
	if err := first.PutAgent(t.Context(), store.Agent{Key: store.Key{Namespace: "n", Name: "a"}}); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := store.Open(t.Context(), "sqlite://"+strings.NewReplacer(" ", "%20", "?", "%3F", "#", "%23", "%", "%25").Replace(path))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.GetAgent(t.Context(), store.Key{Namespace: "n", Name: "a"}); err != nil {
		t.Error(err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

// The work of a process that was killed goes on at once, and what it had under way comes too late.
func TestSQLiteFreesTheLeasesOfTheDead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ringmaster.db")
	open := func() *store.DB {
		db, err := store.OpenSQLite(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		return db
	}
	take := func(db *store.DB, holder string) store.Lease {
		l, ok, err := db.AcquireLease(t.Context(), "mail/n/a", holder, time.Hour)
		if err != nil || !ok {
			t.Fatalf("lease of %s: %v, %v", holder, ok, err)
		}
		return l
	}
	first := open()
	old := take(first, "dead")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := open()
	mails := []store.IngestMail{{Mailbox: "INBOX", UIDValidity: 1, UID: 1, Kind: store.IngestFiltered}}
	if _, err := second.Ingest(t.Context(), old, store.Key{Namespace: "n", Name: "a"}, mails); !errors.Is(err, store.ErrLeaseLost) {
		t.Errorf("ingesting with the lease of the dead: %v", err)
	}
	if l := take(second, "alive"); l.Fence <= old.Fence {
		t.Errorf("fence %d after %d", l.Fence, old.Fence)
	}
}

func TestOpenNamesNoPassword(t *testing.T) {
	for _, url := range []string{"mysql://u:hunter2@h/db", "postgres://u:hunter2@h:nonsense/db", "sqlite://"} {
		_, err := store.Open(t.Context(), url)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: error %v", url, err)
		}
	}
}
