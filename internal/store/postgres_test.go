package store_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"go.uber.org/goleak"

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
	// Transactions lock in one order; one that had to be sacrificed shows that some do not.
	log, err := os.ReadFile(server.LogFile())
	if err != nil || bytes.Contains(log, []byte("deadlock detected")) {
		t.Fatalf("deadlocks in %s, %v", server.LogFile(), err)
	}
}

func agent(name string) store.Agent {
	return store.Agent{Key: store.Key{Namespace: "n", Name: name}, Username: name, Active: true}
}

func TestPostgresReplicasStartTogether(t *testing.T) {
	dsn := env.Postgres(t).NewDatabase(t)
	var wg sync.WaitGroup
	for n := range 5 {
		wg.Go(func() {
			db, err := store.Open(t.Context(), dsn)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = db.Close() }()
			if err := db.PutAgent(t.Context(), agent(fmt.Sprint("a", n))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	list, err := openPostgres(t, dsn).ListPresence(t.Context(), "n")
	if err != nil || len(list) != 5 {
		t.Fatalf("%d agents, %v", len(list), err)
	}
}

// woken reports whether a change through one replica wakes the other.
func woken(t *testing.T, from, to store.Store, name string) func() error {
	return func() error {
		wake := to.Wake()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := from.PutAgent(ctx, agent(name+fmt.Sprint(time.Now().UnixNano()))); err != nil {
			return err
		}
		select {
		case <-wake:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func TestPostgresReplicasWakeEachOther(t *testing.T) {
	g := gomega.NewWithT(t)
	server, err := env.Temp(t).StartPostgres(t.Context(), env.PostgresOptions{Durable: true})
	g.Expect(err).NotTo(gomega.HaveOccurred())
	dsn := server.NewDatabase(t)
	a, b := openPostgres(t, dsn), openPostgres(t, dsn)
	g.Eventually(woken(t, a, b, "a"), "20s").Should(gomega.Succeed())
	g.Eventually(woken(t, b, a, "b"), "20s").Should(gomega.Succeed())
	before, err := a.ListPresence(t.Context(), "n")
	g.Expect(err).NotTo(gomega.HaveOccurred())

	g.Expect(server.Kill9()).To(gomega.Succeed())
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	g.Expect(a.PutAgent(ctx, agent("nobody"))).NotTo(gomega.Succeed())
	g.Expect(a.Ping(ctx)).NotTo(gomega.Succeed())
	g.Expect(server.Restart(t.Context())).To(gomega.Succeed())

	g.Eventually(func() error { return a.Ping(t.Context()) }, "20s").Should(gomega.Succeed())
	g.Eventually(woken(t, a, b, "c"), "20s").Should(gomega.Succeed())
	after, err := b.ListPresence(t.Context(), "n")
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(len(after)).To(gomega.BeNumerically(">", len(before)))
}

func TestNothingRunsAfterClose(t *testing.T) {
	dsn := env.Postgres(t).NewDatabase(t)
	running := goleak.IgnoreCurrent()
	for _, url := range []string{dsn, "sqlite://" + t.TempDir() + "/x.db"} {
		db, err := store.Open(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.PutAgent(t.Context(), agent("a")); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	goleak.VerifyNone(t, running)
}

func TestPostgresTakesItsOwnTime(t *testing.T) {
	now, err := openPostgres(t, env.Postgres(t).NewDatabase(t)).Now(t.Context())
	if d := time.Since(now); err != nil || d < -time.Minute || d > time.Minute || now.Nanosecond()%1000 != 0 {
		t.Fatalf("%v, %v", now, err)
	}
}
