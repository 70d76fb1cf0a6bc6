package store_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/routing"
	"github.com/ringmaster-dev/ringmaster/internal/store"
	"github.com/ringmaster-dev/ringmaster/test/env"
)

const benchNS = "bench"

// benchStores opens handles on one store: two replicas on PostgreSQL, with commits as durable as in production.
func benchStores(b *testing.B, run func(b *testing.B, handles []store.Store)) {
	b.Run("sqlite", func(b *testing.B) {
		s := openSQLite(b)
		run(b, []store.Store{s, s})
	})
	b.Run("postgres", func(b *testing.B) {
		server, err := env.Temp(b).StartPostgres(b.Context(), env.PostgresOptions{Durable: true})
		if err != nil {
			b.Fatal(err)
		}
		dsn := server.NewDatabase(b)
		run(b, []store.Store{openPostgres(b, dsn), openPostgres(b, dsn)})
	})
}

// benchCenter has agents without a limit in ten queues, fifty members each, and one account and lease per queue.
func benchCenter(b *testing.B, s store.Store) []store.Lease {
	b.Helper()
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	leases := make([]store.Lease, 10)
	for q := range leases {
		name := fmt.Sprintf("q%d", q)
		queue := store.Queue{Key: store.Key{Namespace: benchNS, Name: name}, Channel: store.ChannelEmail, Strategy: "RRMemory", OfferTimeout: time.Hour}
		for a := range 50 {
			agent := store.Key{Namespace: benchNS, Name: fmt.Sprintf("agent%d", (q*20+a)%200)}
			must(s.PutAgent(b.Context(), store.Agent{Key: agent, Username: agent.Name, Active: true}))
			must(s.SetPresence(b.Context(), store.Presence{Agent: agent, SignedIn: true}))
			queue.Members = append(queue.Members, store.QueueMember{Agent: agent.Name})
		}
		must(s.PutQueue(b.Context(), queue))
		must(s.PutAccount(b.Context(), store.Account{Key: queue.Key, Queue: name, Active: true}))
		lease, ok, err := s.AcquireLease(b.Context(), name, "bench", time.Hour)
		if must(err); !ok {
			b.Fatal("no lease")
		}
		leases[q] = lease
	}
	return leases
}

func benchMails(n int, uid *uint32) []store.IngestMail {
	mails := make([]store.IngestMail, n)
	for i := range mails {
		*uid++
		raw := make([]byte, 8<<10)
		copy(raw, fmt.Sprintf("Message-ID: <%d@example.net>\r\n\r\n", *uid))
		sum := sha256.Sum256(raw)
		mails[i] = store.IngestMail{Mailbox: "INBOX", UIDValidity: 1, UID: *uid, Kind: store.IngestMessage, Raw: raw,
			SHA256: hex.EncodeToString(sum[:]), Message: store.Message{MessageID: fmt.Sprintf("%d@example.net", *uid),
				From: "carla@example.net", To: []string{"support@example.com"}, Subject: "a question", Text: string(raw[:200])}}
	}
	return mails
}

func benchIngest(b *testing.B, s store.Store, leases []store.Lease, n int) {
	b.Helper()
	uid := uint32(0)
	for n > 0 {
		for _, l := range leases {
			batch := min(n, 100)
			if _, err := s.Ingest(b.Context(), l, store.Key{Namespace: benchNS, Name: l.Name}, benchMails(batch, &uid)); err != nil {
				b.Fatal(err)
			}
			n -= batch
		}
	}
}

// BenchmarkRoute offers b.N waiting interactions with two workers, one for each handle.
func BenchmarkRoute(b *testing.B) {
	benchStores(b, func(b *testing.B, handles []store.Store) {
		leases := benchCenter(b, handles[0])
		benchIngest(b, handles[0], leases, b.N)
		var offers atomic.Int64
		b.ResetTimer()
		ctx, cancel := context.WithCancel(b.Context())
		defer cancel()
		var wg sync.WaitGroup
		for _, s := range handles {
			wg.Go(func() {
				for offers.Load() < int64(b.N) {
					n, err := s.Route(ctx, 100, routing.Decide)
					if err != nil {
						b.Error(err)
						return
					}
					offers.Add(int64(n))
				}
			})
		}
		wg.Wait()
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "decisions/s")
	})
}

// BenchmarkIngest stores b.N mails of 8 KiB in batches of 100.
func BenchmarkIngest(b *testing.B) {
	benchStores(b, func(b *testing.B, handles []store.Store) {
		leases := benchCenter(b, handles[0])
		b.ResetTimer()
		benchIngest(b, handles[0], leases, b.N)
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "mails/s")
	})
}

// BenchmarkCalls reports b.N calls, each ringing, up and ended.
func BenchmarkCalls(b *testing.B) {
	benchStores(b, func(b *testing.B, handles []store.Store) {
		s := handles[0]
		benchCenter(b, s)
		if err := s.PutAgent(b.Context(), store.Agent{Key: store.Key{Namespace: benchNS, Name: "agent1"}, Username: "agent1", Active: true, Extension: "100"}); err != nil {
			b.Fatal(err)
		}
		b.ResetTimer()
		for n := range b.N {
			for _, state := range []store.CallState{store.CallRinging, store.CallUp, store.CallEnded} {
				c := store.Call{Uniqueid: fmt.Sprint(n), LinkedID: fmt.Sprint(n), Extension: "100", State: state}
				if err := s.PutCall(b.Context(), store.Key{Namespace: benchNS, Name: "pbx"}, c); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.ReportMetric(3*float64(b.N)/b.Elapsed().Seconds(), "reports/s")
	})
}
