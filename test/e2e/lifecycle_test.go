package e2e

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/ringmaster-dev/ringmaster/test/deskclient"
)

var _ = Describe("The sample center", Ordered, ContinueOnFailure, func() {
	BeforeAll(func(ctx SpecContext) {
		kubectl(ctx, "apply", "--server-side", "--force-conflicts", "-k", stack.Samples)
		DeferCleanup(func(ctx SpecContext) { clean(ctx, center) }, NodeTimeout(patience*2))
	}, NodeTimeout(patience))

	It("becomes Ready", func(ctx SpecContext) {
		awaitReady(ctx, center, "agent/alice", "agent/bob", "agent/carol", "agent/dave", "agent/erin", "agentprofile/standard", "telephone/lobby-1",
			"team/billing", "team/support", "queue/hotline", "queue/mail", "emailaccount/support", "pbx/main", "contactcenter/acme",
			"routingflow/incoming", "schedule/office", "messagetemplate/receipt", "messagetemplate/letter", "dispositionset/support", "cannedanswerset/orders", "contactlist/customers")
	}, SpecTimeout(patience))

	It("says at a glance who is registered, in which queues, and which mailbox is connected", func(ctx SpecContext) {
		registered(ctx, "alice")
		d, err := deskclient.SignIn(ctx, stack.Vars["RINGMASTER_DESK"], authorities, center, "alice.r", goodPassword)
		Expect(err).NotTo(HaveOccurred())

		Eventually(rows(ctx, center, "agents", "alice")).Should(shows(
			"EXT", "1001", "TYPOLOGY", "Phonebar", "ACCOUNT", "Active", "PHONE", "Registered", "PRESENCE", "Ready",
			"QUEUES", "hotline,mail", "READY", "True", "REASON", "Succeeded"))
		Eventually(rows(ctx, center, "agents", "bob")).Should(shows("EXT", "1002", "PHONE", "Unregistered", "PRESENCE", "SignedOut", "READY", "True"))
		Eventually(rows(ctx, center, "teams", "billing")).Should(shows("MEMBERS", "3", "READY", "True"))
		Eventually(rows(ctx, center, "queues", "hotline")).Should(shows("CHANNEL", "Voice", "NUMBER", "600", "MEMBERS", "5", "ON-DUTY", "1", "READY", "True"))
		Eventually(rows(ctx, center, "emailaccounts", "support")).Should(shows(
			"ADDRESS", "support@example.test", "IMAP", "Ready", "SMTP", "Ready", "READY", "True"))
		Eventually(rows(ctx, center, "pbxes", "main")).Should(shows("CONNECTED", "True", "IN-SYNC", "True", "ENDPOINTS", "6", "REGISTERED", "1", "READY", "True"))

		Expect(d.SignOut(ctx)).To(Succeed())
		Eventually(rows(ctx, center, "agents", "alice")).Should(shows("PRESENCE", "SignedOut"))
	}, SpecTimeout(patience*2))

	It("says why a mailbox is not connected, and heals", func(ctx SpecContext) {
		kubectl(ctx, "patch", "secret", "support-mailbox", "-n", center, "--type=merge", "-p", `{"stringData":{"password":"not-the-password"}}`)
		Eventually(rows(ctx, center, "emailaccounts", "support")).Should(shows("READY", "False", "REASON", "AuthenticationFailed", "IMAP", "AuthenticationFailed"))
		kubectl(ctx, "patch", "secret", "support-mailbox", "-n", center, "--type=merge", "-p", `{"stringData":{"password":"support-secret"}}`)
		Eventually(rows(ctx, center, "emailaccounts", "support")).Should(shows("READY", "True", "IMAP", "Ready"))
	}, SpecTimeout(patience*2))

	It("says which member is missing, and heals when it is created", func(ctx SpecContext) {
		apply(ctx, center, `
apiVersion: ringmaster.dev/v1alpha1
kind: Queue
metadata: {name: night}
spec: {channel: Voice, number: "601", members: [{teamRef: {name: owls}}]}`)
		Eventually(rows(ctx, center, "queues", "night")).Should(shows("READY", "False", "REASON", "MembersMissing"))
		apply(ctx, center, `
apiVersion: ringmaster.dev/v1alpha1
kind: Team
metadata: {name: owls}
spec: {members: {refs: [{name: dave}, {name: olga}]}}`)
		Eventually(rows(ctx, center, "teams", "owls")).Should(shows("READY", "False", "REASON", "MembersMissing"))
		Eventually(rows(ctx, center, "queues", "night")).Should(shows("MEMBERS", "1"))
		apply(ctx, center, agent("olga", "passwordSecretRef: {name: olga, key: password}"))
		Eventually(rows(ctx, center, "agents", "olga")).Should(shows("READY", "False", "REASON", "SecretNotFound"))
		apply(ctx, center, secret("olga", "agent", "password: "+goodPassword))
		Eventually(rows(ctx, center, "agents", "olga")).Should(shows("READY", "True", "QUEUES", "mail,night"))
		Eventually(rows(ctx, center, "teams", "owls")).Should(shows("MEMBERS", "2", "READY", "True"))
		Eventually(rows(ctx, center, "queues", "night")).Should(shows("MEMBERS", "2", "READY", "True", "REASON", "Succeeded"))
	}, SpecTimeout(patience*2))
})
