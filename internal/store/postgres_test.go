package store_test

import (
	"testing"

	"github.com/ringmaster-dev/ringmaster/internal/store"
	"github.com/ringmaster-dev/ringmaster/internal/store/storetest"
	"github.com/ringmaster-dev/ringmaster/test/env"
)

func openPostgres(t testing.TB, dsn string, opts ...store.Option) store.Store {
	t.Helper()
	db, err := store.OpenPostgres(t.Context(), dsn, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestPostgres(t *testing.T) {
	server := env.Postgres(t)
	storetest.Run(t, func(t testing.TB, opts ...store.Option) store.Store {
		t.Helper()
		return openPostgres(t, server.NewDatabase(t), opts...)
	})
}
