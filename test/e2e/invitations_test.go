package e2e

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/desk"
	"github.com/ringmaster-dev/ringmaster/test/deskclient"
)

var _ = Describe("Invitations", func() {
	It("bring a new agent a link to the first password, once, and again by hand", func(ctx SpecContext) {
		const namespace = "invitations"
		const url = "https://desk.example.test/new-password"
		template := func(subject string) string {
			return `apiVersion: ringmaster.dev/v1alpha1
kind: MessageTemplate
metadata: {name: welcome}
spec: {key: welcome, type: Invitation, subject: "` + subject + `, {{ user.name }}", body: {text: "{{ link.url }}"}}`
		}
		link := func(text string) string {
			GinkgoHelper()
			_, token, found := strings.Cut(strings.TrimSpace(text), url+"#token=")
			Expect(found).To(BeTrue())
			return token
		}
		redeem := func(token, password string) error {
			return deskclient.SetPassword(ctx, stack.Vars["RINGMASTER_DESK"], authorities, token, password)
		}
		newCenter(ctx, namespace, `{systemMail: {emailAccountRef: {name: inviting}}, invitations: {templateRef: {name: welcome}, linkBaseURL: "`+url+`"}}`)
		ida := agent("ida", `extension: "1310"`, "email: "+stack.Dovecot.Address("ida"))
		apply(ctx, namespace, ida)
		Eventually(func() v1alpha1.InvitationState { return getAgent(ctx, namespace, "ida").Status.Invitation.State }).Should(Equal(v1alpha1.InvitationWaiting))
		apply(ctx, namespace, mailQueue("mail", "1m"), mailbox("inviting", "INVI", "mail"), template("Welcome"))

		// The mail, the password, the sign-in.
		token := link(arrived(ctx, "ida", "Welcome, The agent ida").Text)
		Expect(redeem(token, "kurz")).To(problem(422, desk.CodePasswordPolicy))
		Expect(redeem(token, goodPassword)).To(Succeed())
		Expect(redeem(token, goodPassword)).To(problem(410, desk.CodeLinkGone))
		atDesk(ctx, namespace, "ida")
		invitation := func() v1alpha1.AgentInvitationStatus { return getAgent(ctx, namespace, "ida").Status.Invitation }
		Eventually(invitation).Should(HaveField("State", v1alpha1.InvitationSent))
		sent := invitation()

		// Deleted and made again: the password is gone, and no other mail comes.
		kubectl(ctx, "delete", "agent", "ida", "-n", namespace, "--timeout=1m")
		apply(ctx, namespace, template("Once more"), ida)
		awaitReady(ctx, namespace, "agent/ida")
		Eventually(func() string { return getAgent(ctx, namespace, "ida").Status.Account.Summary }).Should(Equal("NoPassword"))
		Expect(invitation().SentTime).To(Equal(sent.SentTime))

		ringmaster := plugin(ctx)
		Expect(ringmaster(namespace, "invite", "--all", "--dry-run")).To(And(
			ContainSubstring("Subject: Once more, The agent ida"), ContainSubstring(stack.Dovecot.Address("ida")), Not(ContainSubstring(token))))
		Expect(ringmaster(namespace, "invite", "ida")).To(Equal("agent/ida invited\n"))
		Expect(redeem(link(arrived(ctx, "ida", "Once more, The agent ida").Text), goodPassword)).To(Succeed())
		atDesk(ctx, namespace, "ida")
	}, SpecTimeout(patience*2))
})
