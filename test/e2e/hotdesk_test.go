package e2e

import (
	"context"
	"fmt"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/ringmaster-dev/ringmaster/internal/desk"
	"github.com/ringmaster-dev/ringmaster/test/deskclient"
	"github.com/ringmaster-dev/ringmaster/test/phone"
)

var _ = Describe("A hot desk", func() {
	It("rings for whoever sits there, one at a time, until sign-out", func(ctx SpecContext) {
		DeferCleanup(func(ctx SpecContext) { clean(ctx, center) }, NodeTimeout(patience*2))
		apply(ctx, center, telephone("lobby", "displayName: By the window"), telephone("cellar"),
			signIn("nora", `extension: "1801"`, "typology: External", "hotDesk: {state: Enabled, telephoneSelector: {matchLabels: {where: house}}}"),
			signIn("nick", `extension: "1802"`, "typology: External", "hotDesk: {state: Enabled}"),
			agent("otto", `extension: "1803"`),
			queueOf("deskq", "680", "{agentRef: {name: nora}}", ""))
		kubectl(ctx, "label", "telephone/lobby", "where=house", "-n", center)
		awaitReady(ctx, center, "telephone/lobby", "telephone/cellar", "agent/nora", "agent/nick", "agent/otto", "queue/deskq")
		lobby, otto := telephonePhone(ctx, "lobby"), registered(ctx, "otto")
		kubectl(ctx, "wait", "--for=condition=Registered", "--timeout="+patience.String(), "telephone/lobby", "-n", center)

		By("nobody sitting there")
		_, err := otto.Call(ctx, "1801")
		Expect(refusal(err)).To(Succeed(), "nora has no phone of her own")

		By("signing in at it")
		nora := atDeskWith(ctx, "nora", deskclient.AtTelephone("lobby"))
		Eventually(rows(ctx, center, "telephones", "lobby")).Should(shows("AGENT", "nora", "PHONE", "Registered"))
		Eventually(func() error { return called(ctx, otto, "1801") }).Should(Succeed())
		Expect(lobby.Rings()).To(BeNumerically(">", 0))
		served(ctx, otto, "680", lobby)

		By("calling from it as nora")
		otto.SetMode(phone.Answer)
		call := talk(ctx, lobby, "1803")
		Expect(otto.Incoming()[len(otto.Incoming())-1].Number).To(Equal("1801"))
		Expect(call.Hangup(ctx)).To(Succeed())

		By("a second one wanting it, and one that may not have it")
		_, err = deskclient.SignIn(ctx, stack.Vars["RINGMASTER_DESK"], authorities, center, "nick", goodPassword, deskclient.AtTelephone("lobby"))
		Expect(err).To(problem(http.StatusConflict, desk.CodeTelephoneTaken))
		Expect(nora.SitAt(ctx, "cellar")).To(problem(http.StatusNotFound, desk.CodeNotFound))

		By("signing out")
		Expect(nora.SignOut(ctx)).To(Succeed())
		Eventually(func() error { _, err := otto.Call(ctx, "1801"); return refusal(err) }).Should(Succeed())
		nick := atDeskWith(ctx, "nick", deskclient.AtTelephone("lobby"))
		Eventually(rows(ctx, center, "telephones", "lobby")).Should(shows("AGENT", "nick"))

		By("the telephone being taken away")
		kubectl(ctx, "delete", "telephone/lobby", "-n", center, "--timeout="+patience.String())
		Eventually(func() error { return refusal(lobby.Register(ctx)) }).Should(Succeed())
		p, err := nick.Profile(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(p.Presence.Telephone).To(BeEmpty())
	}, SpecTimeout(patience*3))
})

// called places a call and hangs up when it was answered.
func called(ctx context.Context, from *phone.Phone, number string) error {
	call, err := from.Call(ctx, number)
	if err != nil {
		return err
	}
	return call.Hangup(ctx)
}

// served calls a queue, which answers at once, until a member has the call.
func served(ctx context.Context, caller *phone.Phone, queue string, member *phone.Phone) {
	GinkgoHelper()

	call, err := caller.Call(ctx, queue)
	Expect(err).NotTo(HaveOccurred())
	Eventually(member.Calls).Should(BeNumerically(">", 0))
	hears(call)
	Expect(call.Hangup(ctx)).To(Succeed())
}

func atDeskWith(ctx context.Context, username string, options ...deskclient.Option) *deskclient.Client {
	GinkgoHelper()
	d, err := deskclient.SignIn(ctx, stack.Vars["RINGMASTER_DESK"], authorities, center, username, goodPassword, options...)
	Expect(err).NotTo(HaveOccurred())
	return d
}

func telephone(name string, fields ...string) string {
	return fmt.Sprintf("apiVersion: ringmaster.dev/v1alpha1\nkind: Telephone\nmetadata: {name: %s}\nspec:\n  sip: {}\n%s", name, indent(fields))
}

// telephonePhone is the phone of a Telephone, registered.
func telephonePhone(ctx context.Context, name string) *phone.Phone {
	GinkgoHelper()
	return registerPhone(ctx, getSecret(ctx, center, name+"-telephone-sip").Data)
}

// queueOf is a voice queue of some members; voice is added to spec.voice, "name: value" each.
func queueOf(name, number, members, voice string) string {
	return fmt.Sprintf("apiVersion: ringmaster.dev/v1alpha1\nkind: Queue\nmetadata: {name: %s}\nspec: {number: %q, members: [%s], voice: {ringTimeout: 5s, retryInterval: 1s%s}}",
		name, number, members, voice)
}
