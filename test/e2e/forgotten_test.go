package e2e

import (
	"regexp"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/ringmaster-dev/ringmaster/internal/desk"
	"github.com/ringmaster-dev/ringmaster/test/deskclient"
)

var _ = Describe("A forgotten password", func() {
	const namespace = "forgotten"

	It("is set anew by the link in a mail, once", func(ctx SpecContext) {
		newCenter(ctx, namespace, `{systemMail: {emailAccountRef: {name: office}}, security: {passwordReset: {linkBaseURL: "https://desk.example.test/new"}}}`)
		apply(ctx, namespace, mailbox("office", "OFFI", "office"), mailQueue("office", "5m"), signIn("gwen", `extension: "1332"`, "email: gwen@example.test"))
		awaitReady(ctx, namespace, "agent/gwen", "emailaccount/office", "contactcenter/center")
		url := stack.Vars["RINGMASTER_DESK"]
		gwen := atDesk(ctx, namespace, "gwen")

		Expect(deskclient.ForgetPassword(ctx, url, authorities, namespace, "nobody")).To(Succeed(), "who asks does not learn who is there")
		Expect(deskclient.ForgetPassword(ctx, url, authorities, namespace, "gwen")).To(Succeed())
		got := arrived(ctx, "gwen", "Set a new password")
		link := regexp.MustCompile(`https://desk\.example\.test/new#token=(\S+)`).FindStringSubmatch(got.Text)
		Expect(link).To(HaveLen(2), got.Text)

		const next = "Marble-Window-77"
		Expect(deskclient.SetPassword(ctx, url, authorities, link[1], "weak")).To(problem(422, desk.CodePasswordPolicy))
		Expect(deskclient.SetPassword(ctx, url, authorities, link[1], next)).To(Succeed())
		Expect(deskclient.SetPassword(ctx, url, authorities, link[1], "Marble-Window-78")).To(problem(410, desk.CodeLinkGone))
		_, err := gwen.Profile(ctx)
		Expect(err).To(problem(401, desk.CodeAuthFailed), "the old session has ended")
		signsIn := func(password string) error {
			_, err := deskclient.SignIn(ctx, url, authorities, namespace, "gwen", password)
			return err
		}
		Expect(signsIn(goodPassword)).To(problem(401, desk.CodeAuthFailed))
		Expect(signsIn(next)).To(Succeed())
	}, SpecTimeout(patience*2))
})
