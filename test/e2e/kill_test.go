package e2e

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	_ "modernc.org/sqlite" // registers the driver "sqlite"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

var _ = Describe("A manager that is killed", func() {
	const (
		namespace = "ingestion"
		kills     = 10
		mails     = 2000
		perKill   = mails / kills
	)

	It("ingests every mail exactly once", func(ctx SpecContext) {
		newCenter(ctx, namespace, "{}")
		apply(ctx, namespace, mailQueue("mail", "30s"), mailbox("flood", "FLOOD", "mail", "initialSync: All"))
		awaitReady(ctx, namespace, "emailaccount/flood")

		random := rand.New(rand.NewPCG(uint64(GinkgoRandomSeed()), 0)) //nolint:gosec // chooses moments
		for n := range kills {
			// Some mails wait when the manager comes up, the others come in under it.
			waiting := random.IntN(perKill)
			raws := letters("flood", n*perKill, perKill)
			deliver("flood", raws[:waiting]...)
			if n > 0 {
				Expect(stack.Manager.Restart(ctx)).To(Succeed())
			}
			delivered := make(chan struct{})
			go func() {
				defer GinkgoRecover()
				defer close(delivered)
				deliver("flood", raws[waiting:]...)
			}()
			moment := n*perKill + 1 + random.IntN(perKill-1)
			Eventually(liveCount).WithArguments(ctx, namespace).WithPolling(time.Millisecond).Should(BeNumerically(">=", moment))
			Expect(stack.Manager.Kill9()).To(Succeed())
			stored, err := liveCount(ctx, namespace)
			Expect(err).NotTo(HaveOccurred())
			GinkgoWriter.Printf("kill %d: %d mails stored\n", n+1, stored)
			<-delivered
		}
		Expect(stack.Manager.Restart(ctx)).To(Succeed())
		Eventually(liveCount).WithArguments(ctx, namespace).Should(Equal(mails))
		Eventually(unseen).WithArguments("flood").Should(BeZero(), "what is stored is marked as seen")

		Expect(stack.Manager.Stop()).To(Succeed())
		times := messageIDs(ctx, "sqlite://"+stack.Manager.StorePath, namespace)
		Expect(stack.Manager.Restart(ctx)).To(Succeed())
		Expect(times).To(HaveLen(mails), "none lost")
		for id, n := range times {
			Expect(n).To(Equal(1), "mail %s has one interaction", id)
		}
		Eventually(rows(ctx, namespace, "emailaccounts", "flood")).Should(shows("MAILS", fmt.Sprint(mails), "READY", "True"))
	}, SpecTimeout(5*time.Minute))

	It("leaves calls, phones and Asterisk alone, and catches up", func(ctx SpecContext) {
		DeferCleanup(func(ctx SpecContext) { clean(ctx, center) }, NodeTimeout(patience*2))
		apply(ctx, center, agent("kate", `extension: "1201"`), agent("kurt", `extension: "1202"`), agent("kim", `extension: "1203"`))
		awaitReady(ctx, center, "agent/kate", "agent/kurt", "agent/kim")
		kate, kurt, kim := registered(ctx, "kate"), registered(ctx, "kurt"), registered(ctx, "kim")
		call := talk(ctx, kate, "1202")

		Expect(stack.Manager.Kill9()).To(Succeed())
		hears(call)
		Expect(call.Hangup(ctx)).To(Succeed())
		Expect(talk(ctx, kurt, "1201").Hangup(ctx)).To(Succeed())

		By("restarting Asterisk, which has its files on disk")
		Expect(stack.Asterisk.Restart(ctx)).To(Succeed())
		for _, p := range []interface{ Register(context.Context) error }{kate, kurt} {
			Eventually(func() error { return p.Register(ctx) }).Should(Succeed())
		}
		Expect(talk(ctx, kate, "1202").Hangup(ctx)).To(Succeed())

		By("changing, creating and deleting objects meanwhile")
		kubectl(ctx, "delete", "agent", "kim", "-n", center, "--wait=false")
		kubectl(ctx, "patch", "agent", "kurt", "-n", center, "--type=merge", "-p", `{"spec":{"extension":"1212"}}`)
		apply(ctx, center, agent("kara", `extension: "1204"`))

		Expect(stack.Manager.Restart(ctx)).To(Succeed())
		kubectl(ctx, "wait", "--for=delete", "--timeout="+patience.String(), "-n", center, "agent/kim")
		kubectl(ctx, "wait", "--for=jsonpath={.status.extension}=1212", "--timeout="+patience.String(), "-n", center, "agent/kurt")
		awaitReady(ctx, center, "agent/kurt", "agent/kara", "pbx/main")
		Expect(refusal(kim.Register(ctx))).To(Succeed())
		Expect(refusal(kurt.Register(ctx))).To(Succeed(), "the old extension is gone")
		moved := registered(ctx, "kurt")
		registered(ctx, "kara")
		Expect(talk(ctx, kate, "1212").Hangup(ctx)).To(Succeed())
		Expect(moved.Rings()).To(Equal(1))
		Eventually(rows(ctx, center, "agents", "kate")).Should(shows("PHONE", "Registered", "READY", "True"))
	}, SpecTimeout(4*time.Minute))
})

// liveCount counts interactions in the store's file beside a manager that has it open.
func liveCount(ctx context.Context, namespace string) (n int, err error) {
	db, err := sql.Open("sqlite", "file:"+stack.Manager.StorePath+"?mode=ro&_pragma=busy_timeout(10000)")
	if err != nil {
		return 0, err
	}
	defer func() { _ = db.Close() }()
	err = db.QueryRowContext(ctx, "SELECT count(*) FROM interactions WHERE namespace = ?", namespace).Scan(&n)
	return n, err
}

// messageIDs opens a store that no manager has open and counts the inbound messages of every Message-ID; an interaction
// with more than one of them fails the spec.
func messageIDs(ctx context.Context, url, namespace string) map[string]int {
	GinkgoHelper()
	db, err := store.Open(ctx, url)
	Expect(err).NotTo(HaveOccurred())
	defer func() { Expect(db.Close()).To(Succeed()) }()
	times := map[string]int{}
	for _, i := range interactions(ctx, db, namespace) {
		messages, err := db.ListMessages(ctx, namespace, i.ID)
		Expect(err).NotTo(HaveOccurred())
		Expect(messages).To(HaveLen(1), "interaction %s, %s", i.ID, i.Subject)
		Expect(strings.TrimSuffix(messages[0].MessageID, "@customers.test")).To(Equal(i.Subject))
		times[messages[0].MessageID]++
	}
	return times
}

func interactions(ctx context.Context, db store.Interactions, namespace string) []store.Interaction {
	GinkgoHelper()
	var all []store.Interaction
	f := store.InteractionFilter{Namespace: namespace, Limit: 200}
	for {
		page, err := db.ListInteractions(ctx, f)
		Expect(err).NotTo(HaveOccurred())
		all = append(all, page...)
		if len(page) < f.Limit {
			return all
		}
		f.After = page[len(page)-1].ID
	}
}
