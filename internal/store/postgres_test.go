package store_test

import (
	"testing"

	"github.com/ringmaster-dev/ringmaster/internal/store"
	"github.com/ringmaster-dev/ringmaster/internal/store/storetest"
	"github.com/ringmaster-dev/ringmaster/test/env"
)

func TestPostgres(t *testing.T) {
	server := env.Postgres(t)
	storetest.Run(t, func(t testing.TB, opts ...store.Option) store.Store {
		t.Helper()
		db, err := store.OpenPostgres(t.Context(), server.NewDatabase(t), opts...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
		return db
	})
}
