package env_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/ringmaster-dev/ringmaster/test/env"
)

func TestPostgresGivesEachTestItsOwnDatabase(t *testing.T) {
	server := env.Postgres(t)
	for range 2 {
		conn, err := pgx.Connect(t.Context(), server.NewDatabase(t))
		if err != nil {
			t.Fatal(err)
		}
		// The second database must not know the first one's table.
		if _, err := conn.Exec(t.Context(), "CREATE TABLE agents (name text PRIMARY KEY)"); err != nil {
			t.Fatal(err)
		}
		if err := conn.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
