package mail

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

// A worker that is stopped at any moment, again and again, neither loses a mail nor stores one twice.
func TestIngestExactlyOnceWhileStopped(t *testing.T) {
	r := newRig(t)
	const n = 2000
	mails := make([]string, n)
	for i := range mails {
		mails[i] = letter(fmt.Sprintf("number %d", i), fmt.Sprintf("body %d", i))
	}
	r.put("support", mails...)
	stops := 0
	for done := 0; done < n-200 && stops < 15; stops++ {
		_, stop := r.run(fast(), r.cfg)
		r.Eventually(r.count, time.Minute, time.Millisecond).Should(BeNumerically(">", done))
		time.Sleep(time.Duration(rand.IntN(40)) * time.Millisecond) // the random moment
		stop()
		done = r.count()
	}
	t.Logf("stopped %d times, then %d of %d were stored", stops, r.count(), n)
	r.Expect(stops).To(BeNumerically(">=", 2))
	r.run(fast(), r.cfg)
	r.awaitCount(n)
	r.Eventually(func() int { u, _ := r.unseen("support"); return u }, time.Minute, 50*time.Millisecond).Should(BeZero())
	subjects := map[string]int{}
	for _, i := range r.interactions() {
		subjects[i.Subject]++
		r.Expect(i.MessageCount).To(Equal(1))
	}
	r.Expect(subjects).To(HaveLen(n))
	r.Expect(r.count()).To(Equal(n))
	_, all := r.unseen("support")
	r.Expect(all).To(Equal(n), "nothing is deleted")
}
