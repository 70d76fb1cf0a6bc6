package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/desk"
	"github.com/ringmaster-dev/ringmaster/internal/store"
	"github.com/ringmaster-dev/ringmaster/test/deskclient"
)

var _ = Describe("Agents at their desks", Ordered, func() {
	const namespace = "desks"
	var anna, ben *deskclient.Client

	BeforeAll(func(ctx SpecContext) {
		newCenter(ctx, namespace, "{}")
		apply(ctx, namespace, signIn("anna", "channels: [{name: Email, capacity: 2}]"), signIn("ben", "channels: [{name: Email, capacity: 2}]"),
			mailQueue("slow", "10m"), mailQueue("quick", "2s"), mailbox("slow", "SLOW", "slow"), mailbox("quick", "QUICK", "quick"))
		awaitReady(ctx, namespace, "agent/anna", "agent/ben", "emailaccount/slow", "emailaccount/quick")
		anna, ben = atDesk(ctx, namespace, "anna"), atDesk(ctx, namespace, "ben")
	}, NodeTimeout(patience*2))

	// first returns who has the offer, and the other.
	first := func(ctx context.Context, subject string) (has, other *deskclient.Client, i desk.Interaction) {
		GinkgoHelper()
		Eventually(func() error {
			for _, pair := range [][2]*deskclient.Client{{anna, ben}, {ben, anna}} {
				offers, err := pair[0].Interactions(ctx, "state=Offered&mine=true")
				if err != nil {
					return err
				}
				for _, o := range offers {
					if o.Subject == subject {
						has, other, i = pair[0], pair[1], o
						return nil
					}
				}
			}
			return errors.New("nobody has the offer")
		}).Should(Succeed())
		return has, other, i
	}
	reasons := func(ctx context.Context, d *deskclient.Client, id string) []string {
		GinkgoHelper()
		detail, err := d.Interaction(ctx, id)
		Expect(err).NotTo(HaveOccurred())
		var all []string
		for _, t := range detail.History {
			all = append(all, t.Reason)
		}
		return all
	}

	It("hand on what they reject, and answer what they accept", func(ctx SpecContext) {
		write("slow", "a broken lamp")
		has, other, i := first(ctx, "a broken lamp")
		Expect(has.Command(ctx, i.ID, "reject")).To(Succeed())
		Expect(offer(ctx, other, "a broken lamp").ID).To(Equal(i.ID))
		Expect(has.Command(ctx, i.ID, "accept")).To(problem(409, desk.CodeOfferGone))
		Expect(other.Command(ctx, i.ID, "accept")).To(Succeed())
		Expect(reasons(ctx, other, i.ID)).To(Equal([]string{"Ingested", "Offered", "Rejected", "Offered", "Accepted"}))
		_, err := other.Reply(ctx, i.ID, "A new lamp is on its way.")
		Expect(err).NotTo(HaveOccurred())
		got := answer(ctx, "Re: a broken lamp")
		Expect(got.Text).To(ContainSubstring("new lamp is on its way"))
		Expect(got.InReplyTo).NotTo(BeEmpty())
		Expect(other.Command(ctx, i.ID, "close")).To(Succeed())
	}, SpecTimeout(patience))

	It("are seen by the supervisors of their team, and by administrators", func(ctx SpecContext) {
		team := func(supervisors string) string {
			return "apiVersion: ringmaster.dev/v1alpha1\nkind: Team\nmetadata: {name: lamps}\nspec: {members: {refs: [{name: anna}, {name: ben}]}, supervisors: [" + supervisors + "]}"
		}
		apply(ctx, namespace, signIn("cleo", "loginState: Paused"), team("{name: cleo}"))
		DeferCleanup(func(ctx SpecContext) {
			kubectl(ctx, "delete", "agent/cleo", "team/lamps", "-n", namespace, "--wait=false")
		}, NodeTimeout(patience))
		awaitReady(ctx, namespace, "agent/cleo", "team/lamps")
		cleo := atDesk(ctx, namespace, "cleo")
		session := func() string {
			return kubectl(ctx, "get", "agent", "cleo", "-n", namespace, "-o", "jsonpath={.status.session.state}")
		}
		Eventually(session).Should(Equal("Disconnected"))
		following, leave := context.WithCancel(ctx)
		defer leave()
		_, err := cleo.Events(following, "")
		Expect(err).NotTo(HaveOccurred())
		Eventually(session).Should(Equal("Connected"))
		leave()
		Eventually(session).Should(Equal("Reconnecting"))
		write("slow", "a supervised lamp")
		has, _, i := first(ctx, "a supervised lamp")
		Expect(has.Command(ctx, i.ID, "accept")).To(Succeed())
		sees := func() error { _, err := cleo.Interaction(ctx, i.ID); return err }
		Eventually(sees).Should(Succeed())
		Expect(cleo.Command(ctx, i.ID, "close")).To(problem(409, desk.CodeNotOpen), "it is open with somebody else")
		apply(ctx, namespace, team(""))
		Eventually(sees).Should(problem(404, desk.CodeNotFound))
		kubectl(ctx, "patch", "agent", "cleo", "-n", namespace, "--type=merge", "-p", `{"spec":{"role":"Admin"}}`)
		Eventually(sees).Should(Succeed())
		Expect(has.Command(ctx, i.ID, "close")).To(Succeed())
	}, SpecTimeout(patience*2))

	It("lose an offer they do not answer in time", func(ctx SpecContext) {
		Expect(ben.SetPresence(ctx, desk.PresencePaused, "training")).To(Succeed())
		write("quick", "an urgent lamp")
		i := offer(ctx, anna, "an urgent lamp")
		Expect(ben.SetPresence(ctx, desk.PresenceReady, "")).To(Succeed())
		Expect(offer(ctx, ben, "an urgent lamp").ID).To(Equal(i.ID))
		Expect(anna.Command(ctx, i.ID, "accept")).To(Satisfy(func(err error) bool { return deskError(err).Status >= 400 }))
		// Offers of two seconds go round until somebody is quick enough.
		var winner *deskclient.Client
		Eventually(func() error {
			var errs []error
			for _, d := range []*deskclient.Client{ben, anna} {
				err := d.Command(ctx, i.ID, "accept")
				if err == nil {
					winner = d
					return nil
				}
				errs = append(errs, err)
			}
			return errors.Join(errs...)
		}).WithPolling(200 * time.Millisecond).Should(Succeed())
		Expect(reasons(ctx, winner, i.ID)).To(ContainElements("Ingested", "Offered", "OfferTimeout", "Accepted"))
		Expect(winner.Command(ctx, i.ID, "close")).To(Succeed())
	}, SpecTimeout(patience*2))

	It("get no more than their capacity, and the rest as soon as they close something", func(ctx SpecContext) {
		names := []string{"lamp 1", "lamp 2", "lamp 3", "lamp 4", "lamp 5"}
		for _, name := range names {
			write("slow", name)
		}
		Eventually(subjects(ctx, anna, "Offered")).Should(HaveLen(2))
		Eventually(subjects(ctx, ben, "Offered")).Should(HaveLen(2))
		Eventually(rows(ctx, namespace, "queues", "slow")).Should(shows("WAITING", "5"), "queued and offered")
		offers, err := anna.Interactions(ctx, "state=Offered&mine=true")
		Expect(err).NotTo(HaveOccurred())
		Expect(anna.Command(ctx, offers[0].ID, "accept")).To(Succeed())
		Consistently(subjects(ctx, anna, "Offered")).Should(HaveLen(1), "what is open counts")
		Expect(anna.Command(ctx, offers[0].ID, "close")).To(Succeed())
		Eventually(subjects(ctx, anna, "Offered")).Should(HaveLen(2))
		for _, d := range []*deskclient.Client{anna, ben} {
			offers, err := d.Interactions(ctx, "state=Offered&mine=true")
			Expect(err).NotTo(HaveOccurred())
			for _, i := range offers {
				Expect(d.Command(ctx, i.ID, "accept")).To(Succeed())
				Expect(d.Command(ctx, i.ID, "close")).To(Succeed())
			}
		}
		Eventually(rows(ctx, namespace, "queues", "slow")).Should(shows("WAITING", "0"))
	}, SpecTimeout(patience*2))

	It("get nothing while they are paused", func(ctx SpecContext) {
		Expect(ben.SetPresence(ctx, desk.PresencePaused, "lunch")).To(Succeed())
		write("slow", "a dark lamp")
		i := offer(ctx, anna, "a dark lamp")
		Expect(anna.SetPresence(ctx, desk.PresencePaused, "lunch")).To(Succeed())
		Eventually(subjects(ctx, anna, "Offered")).Should(BeEmpty(), "a pause takes a running offer back")
		Eventually(rows(ctx, namespace, "queues", "slow")).Should(shows("WAITING", "1", "ON-DUTY", "0"))
		Expect(subjects(ctx, ben, "Offered")()).To(BeEmpty())
		Expect(ben.SetPresence(ctx, desk.PresenceReady, "")).To(Succeed())
		Expect(offer(ctx, ben, "a dark lamp").ID).To(Equal(i.ID))
		Expect(ben.Command(ctx, i.ID, "accept")).To(Succeed())
		Expect(ben.Command(ctx, i.ID, "close")).To(Succeed())
		Expect(anna.SetPresence(ctx, desk.PresenceReady, "")).To(Succeed())
	}, SpecTimeout(patience*2))

	It("are left alone by queues in their wrap-up time, and counted", func(ctx SpecContext) {
		configure := func(digital string) {
			GinkgoHelper()
			kubectl(ctx, "patch", "queue", "slow", "-n", namespace, "--type=merge", "-p", fmt.Sprintf(`{"spec":{"digital":{"wrapUpTime":%q}}}`, digital))
			Eventually(func() bool {
				seen, wanted, _ := strings.Cut(kubectl(ctx, "get", "queue", "slow", "-n", namespace, "-o", "jsonpath={.status.observedGeneration}={.metadata.generation}"), "=")
				return seen == wanted
			}).Should(BeTrue())
		}
		configure("4s")
		Expect(ben.SetPresence(ctx, desk.PresencePaused, "lunch")).To(Succeed())
		write("slow", "a lamp with a report")
		i := offer(ctx, anna, "a lamp with a report")
		Expect(anna.Command(ctx, i.ID, "accept")).To(Succeed())
		Expect(anna.Command(ctx, i.ID, "close")).To(Succeed())
		profile, err := anna.Profile(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(profile.Presence.WrapUp).NotTo(BeNil())
		write("slow", "a patient lamp")
		next := offer(ctx, anna, "a patient lamp")
		Expect(time.Now()).To(BeTemporally(">=", *profile.Presence.WrapUp))
		configure("0s")
		Expect(anna.Command(ctx, next.ID, "accept")).To(Succeed())
		Expect(anna.Command(ctx, next.ID, "close")).To(Succeed())
		Expect(ben.SetPresence(ctx, desk.PresenceReady, "")).To(Succeed())
		status := func(kind, path string) func() string {
			return func() string {
				return kubectl(ctx, "get", kind, "slow", "-n", namespace, "-o", "jsonpath={.status."+path+"}")
			}
		}
		Eventually(status("queue", "interactions.accepted")).Should(MatchRegexp(`^([2-9]|\d\d)$`))
		Eventually(status("emailaccount", "stats.open")).Should(Equal("0"))
	}, SpecTimeout(patience*2))

	It("see in the event stream what happened while they were away", func(ctx SpecContext) {
		listen := func(after string) (<-chan deskclient.Event, func()) {
			streamCtx, cancel := context.WithCancel(ctx)
			events, err := anna.Events(streamCtx, after)
			Expect(err).NotTo(HaveOccurred())
			return events, cancel
		}
		next := func(events <-chan deskclient.Event) (e deskclient.Event) {
			GinkgoHelper()
			Eventually(events).Should(Receive(&e))
			return e
		}
		events, hangUp := listen("")
		hello := next(events)
		Expect(hello.Kind).To(Equal("hello"))
		Expect(hello.Data).To(ContainSubstring(`"resumed":false`))
		Expect(anna.SetPresence(ctx, desk.PresencePaused, "one")).To(Succeed())
		last := next(events)
		Expect(last.Kind).To(Equal(store.EventPresence))
		hangUp()

		for _, reason := range []string{"two", "three"} {
			Expect(anna.SetPresence(ctx, desk.PresencePaused, reason)).To(Succeed())
		}
		Expect(anna.SetPresence(ctx, desk.PresenceReady, "")).To(Succeed())
		events, hangUp = listen(last.ID)
		defer hangUp()
		Expect(next(events).Data).To(ContainSubstring(`"resumed":true`))
		seen := map[string]bool{last.ID: true}
		for range 3 {
			e := next(events)
			Expect(e.Kind).To(Equal(store.EventPresence))
			Expect(seen).NotTo(HaveKey(e.ID), "every event comes once")
			seen[e.ID] = true
			last = e
		}
		var change struct{ Subject string }
		Expect(json.Unmarshal([]byte(last.Data), &change)).To(Succeed())
		Expect(change.Subject).To(Equal("anna"))
		Consistently(events).ShouldNot(Receive())
	}, SpecTimeout(patience))

	It("sign in with the password of their Secret as it is now", func(ctx SpecContext) {
		const next = "Quiet-Meadow-52"
		kubectl(ctx, "patch", "secret", "ben", "-n", namespace, "--type=merge", "-p", fmt.Sprintf(`{"stringData":{"password":%q}}`, next))
		changed := getSecret(ctx, namespace, "ben").ResourceVersion
		Eventually(func() string { return getAgent(ctx, namespace, "ben").Status.Account.PasswordSecretVersion }).Should(Equal(changed))
		_, err := ben.Profile(ctx)
		Expect(err).To(problem(401, desk.CodeAuthFailed), "the old session has ended")
		url := stack.Vars["RINGMASTER_DESK"]
		_, err = deskclient.SignIn(ctx, url, authorities, namespace, "ben", goodPassword)
		Expect(err).To(problem(401, desk.CodeAuthFailed))
		d, err := deskclient.SignIn(ctx, url, authorities, namespace, "ben", next)
		Expect(err).NotTo(HaveOccurred())
		profile, err := d.Profile(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(profile.Agent.Username).To(Equal("ben"))
	}, SpecTimeout(patience))
})

var _ = Describe("A deactivated agent", func() {
	It("loses desk and phone, and gets both back", func(ctx SpecContext) {
		DeferCleanup(func(ctx SpecContext) { clean(ctx, center) }, NodeTimeout(patience*2))
		apply(ctx, center, signIn("dora", `extension: "1301"`), voiceQueue("lamps", "610"))
		awaitReady(ctx, center, "agent/dora", "queue/lamps")
		phone, d := registered(ctx, "dora"), atDesk(ctx, center, "dora")
		Eventually(rows(ctx, center, "queues", "lamps")).Should(shows("MEMBERS", "1", "ON-DUTY", "1"))

		set := func(state v1alpha1.AccountState) {
			GinkgoHelper()
			kubectl(ctx, "patch", "agent", "dora", "-n", center, "--type=merge", "-p", fmt.Sprintf(`{"spec":{"accountState":%q}}`, state))
		}
		set(v1alpha1.AccountDeactivated)
		Eventually(func() error { _, err := d.Profile(ctx); return err }).Should(problem(401, desk.CodeAuthFailed))
		Eventually(func() error { return refusal(phone.Register(ctx)) }).Should(Succeed())
		Eventually(func() (string, error) { return stack.Asterisk.RX(ctx, "pjsip show contacts") }).ShouldNot(ContainSubstring("1301"))
		_, err := deskclient.SignIn(ctx, stack.Vars["RINGMASTER_DESK"], authorities, center, "dora", goodPassword)
		Expect(err).To(problem(403, desk.CodeAccountDeactivated))
		Eventually(rows(ctx, center, "agents", "dora")).Should(shows("ACCOUNT", "Deactivated", "PHONE", "Unregistered", "QUEUES", "", "REASON", "Deactivated"))
		Eventually(rows(ctx, center, "queues", "lamps")).Should(shows("MEMBERS", "0"))

		set(v1alpha1.AccountActive)
		awaitReady(ctx, center, "agent/dora")
		Eventually(func() error { return phone.Register(ctx) }).Should(Succeed(), "with the same password as before")
		d = atDesk(ctx, center, "dora")
		Eventually(rows(ctx, center, "agents", "dora")).Should(shows("ACCOUNT", "Active", "PHONE", "Registered", "PRESENCE", "Ready", "QUEUES", "lamps"))
		profile, err := d.Profile(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(profile.Agent.Extension).To(Equal("1301"))
	}, SpecTimeout(patience*2))
})
