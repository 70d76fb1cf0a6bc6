package mail

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/ringmaster-dev/ringmaster/internal/mail/imaptest"
	"github.com/ringmaster-dev/ringmaster/test/env"
)

// BenchmarkIngest5000 ingests 5,000 unseen mails of 2–50 KB over TLS into durable SQLite, parsed and flagged.
// Each round gets a mailbox and a store of its own.
func BenchmarkIngest5000(b *testing.B) {
	const n = 5000
	d := env.Dovecot(b)
	round := 0
	for b.Loop() {
		b.StopTimer()
		round++
		r := rigOn(b, d)
		name := fmt.Sprintf("bench%d", round)
		cfg := r.account(name)
		r.fill(name, n)
		begin := time.Now()
		b.StartTimer()
		s, stop := r.run(fast(), cfg)
		r.Eventually(func() float64 { return gauge(b, s.metrics.ingested.WithLabelValues(namespace, name)) }, 5*time.Minute, 5*time.Millisecond).Should(BeEquivalentTo(n))
		b.StopTimer()
		b.ReportMetric(n/time.Since(begin).Seconds(), "mails/s")
		stop()
		r.Expect(r.count()).To(Equal(n))
		b.StartTimer()
	}
}

// fill writes mails as a delivery agent does, into the Maildir.
func (r *rig) fill(name string, n int) {
	r.t.Helper()
	c := r.client(name) // makes the mailbox
	defer func() { _ = c.Close() }()
	r.Expect(r.append(c, "INBOX", letter("one", "x"))).To(Succeed())
	dir := filepath.Join(r.dovecot.Maildir(name), "new")
	info, err := os.Stat(dir)
	r.Expect(err).NotTo(HaveOccurred())
	for i := range n - 1 {
		var body strings.Builder
		for size := 2000 + rand.IntN(48000); body.Len() < size; {
			fmt.Fprintf(&body, "line %d of mail %d, words that make it as long as a line is\r\n", body.Len(), i)
		}
		file := filepath.Join(dir, fmt.Sprintf("%d.bench", i))
		r.Expect(os.WriteFile(file, []byte(letter(fmt.Sprintf("bench %d", i), body.String())), 0o600)).To(Succeed())
		r.Expect(chownLike(file, info)).To(Succeed())
	}
}

// BenchmarkIdleAccounts reports the live memory of one account that waits in IDLE over TLS.
func BenchmarkIdleAccounts(b *testing.B) {
	const n = 2000
	r := rigOn(b, env.Dovecot(b))
	for b.Loop() {
		var cfgs []Config
		for i := range n {
			cfgs = append(cfgs, r.account(fmt.Sprintf("idle%d", i)))
		}
		before := memory()
		s, stop := r.run(fast(), cfgs...)
		r.Eventually(func() float64 {
			sum := 0.0
			for _, c := range cfgs {
				sum += gauge(b, s.metrics.connected.WithLabelValues(c.Account.Namespace, c.Account.Name))
			}
			return sum
		}, 4*time.Minute).Should(BeEquivalentTo(n))
		// The last ones are still between signing in and waiting.
		at, last := memory(), uint64(0)
		r.Eventually(func() bool {
			last, at = at, memory()
			return at+n*256 >= last
		}, 10*time.Second, 500*time.Millisecond).Should(BeTrue())
		b.ReportMetric(float64(at-before)/n/1024, "KiB/account")
		stop()
	}
}

// BenchmarkNoticeToStored measures from the server's notice in IDLE to the committed interaction.
func BenchmarkNoticeToStored(b *testing.B) {
	r, server := scripted(b)
	s, _ := r.run(fast(), r.cfg)
	ingested := s.metrics.ingested.WithLabelValues(namespace, "support")
	var took []time.Duration
	for b.Loop() {
		b.StopTimer()
		n := len(took) + 1
		mail := imaptest.Mail{UID: uint32(n), Raw: letter(fmt.Sprintf("notice %d", n), "x")}
		r.Eventually(server.Idlers, 10*time.Second, time.Millisecond).Should(Equal(1))
		b.StartTimer()
		begin := time.Now()
		server.Deliver(mail)
		for gauge(b, ingested) < float64(n) {
			if time.Since(begin) > 10*time.Second {
				b.Fatal("not stored")
			}
			time.Sleep(100 * time.Microsecond) // the resolution of the measurement
		}
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}

func memory() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}
