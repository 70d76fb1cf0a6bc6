package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/ringmaster-dev/ringmaster/internal/desk"
	"github.com/ringmaster-dev/ringmaster/test/customer"
	"github.com/ringmaster-dev/ringmaster/test/deskclient"
	"github.com/ringmaster-dev/ringmaster/test/phone"
)

var _ = Describe("Phones with wrong passwords", func() {
	AfterEach(func(ctx SpecContext) { clean(ctx, center) }, NodeTimeout(patience*2))

	It("lock the desk of the agent, whose own phone goes on", func(ctx SpecContext) {
		kubectl(ctx, "patch", "contactcenter", "--type=merge", "-n", center, "-p", `{"spec":{"security":{"lockout":{"maxAttempts":2}}}}`, "acme")
		DeferCleanup(func(ctx SpecContext) {
			kubectl(ctx, "patch", "contactcenter", "--type=merge", "-n", center, "-p", `{"spec":{"security":{"lockout":null}}}`, "acme")
		})
		apply(ctx, center, signIn("lois", `extension: "1320"`))
		awaitReady(ctx, center, "agent/lois")
		atDesk(ctx, center, "lois")
		data := maps.Clone(getSecret(ctx, center, "lois-sip").Data)
		data["password"] = []byte("not the password")
		stranger := newPhone(data)
		Eventually(func() (string, error) {
			if err := refusal(stranger.Register(ctx)); err != nil {
				return "", err
			}
			return kubectl(ctx, "get", "agent/lois", "-n", center, "-o", "jsonpath={.status.account.lockState}"), nil
		}).Should(Equal("Locked"))
		Expect(kubectl(ctx, "get", "events", "-n", center, "--field-selector", "reason=AccountLocked,involvedObject.name=lois", "-o", "name")).NotTo(BeEmpty())
		_, err := deskclient.SignIn(ctx, stack.Vars["RINGMASTER_DESK"], authorities, center, "lois", goodPassword)
		Expect(err).To(problem(http.StatusUnauthorized, desk.CodeAuthFailed))
		registered(ctx, "lois")
	}, SpecTimeout(patience*2))
})

// phoneOf is the phone of an agent of the center, set up from the Secret Ringmaster made.
func phoneOf(ctx context.Context, name string) *phone.Phone {
	GinkgoHelper()
	return newPhone(getSecret(ctx, center, name+"-sip").Data)
}

// newPhone is set up from the content of a SIP Secret.
func newPhone(data map[string][]byte) *phone.Phone {
	GinkgoHelper()
	p, err := phone.New(phone.Options{
		Server: string(data["server"]), Transport: strings.ToLower(string(data["transport"])),
		User: string(data["extension"]), AuthUser: string(data["username"]), Password: string(data["password"]),
	})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(p.Close)
	return p
}

func registerPhone(ctx context.Context, data map[string][]byte) *phone.Phone {
	GinkgoHelper()
	p := newPhone(data)
	Expect(p.Register(ctx)).To(Succeed())
	return p
}

// registered is phoneOf, registered.
func registered(ctx context.Context, name string) *phone.Phone {
	GinkgoHelper()
	p := phoneOf(ctx, name)
	Expect(p.Register(ctx)).To(Succeed())
	return p
}

// refusal makes Eventually wait for a phone to be refused.
func refusal(err error) error {
	var status *phone.StatusError
	switch {
	case errors.As(err, &status):
		return nil
	case err == nil:
		return errors.New("the phone was let in")
	}
	return err
}

// talk places a call and waits until audio has come back.
func talk(ctx context.Context, from *phone.Phone, number string) *phone.Call {
	GinkgoHelper()
	call, err := from.Call(ctx, number)
	Expect(err).NotTo(HaveOccurred())
	hears(call)
	return call
}

// hears waits for more audio than has come in so far.
func hears(call *phone.Call) {
	GinkgoHelper()
	_, before := call.Audio()
	Eventually(func() int { _, received := call.Audio(); return received }).Should(BeNumerically(">", before+25))
}

// atDesk signs an agent in at the desk API of the stack's manager.
func atDesk(ctx context.Context, namespace, username string) *deskclient.Client {
	GinkgoHelper()
	return atDeskOf(ctx, stack.Vars["RINGMASTER_DESK"], namespace, username)
}

func atDeskOf(ctx context.Context, url, namespace, username string) *deskclient.Client {
	GinkgoHelper()
	d, err := deskclient.SignIn(ctx, url, authorities, namespace, username, goodPassword)
	Expect(err).NotTo(HaveOccurred())
	return d
}

// problem is what the desk API answers instead of success.
func problem(status int, code desk.Code) OmegaMatcher {
	return And(
		WithTransform(func(err error) int { return deskError(err).Status }, Equal(status)),
		WithTransform(func(err error) string { return deskError(err).Code }, Equal(string(code))),
	)
}

func deskError(err error) *deskclient.Error {
	var e *deskclient.Error
	if !errors.As(err, &e) {
		return &deskclient.Error{Detail: fmt.Sprint(err)}
	}
	return e
}

// subjects lists what is offered to or open with an agent.
func subjects(ctx context.Context, d *deskclient.Client, state string) func() ([]string, error) {
	return func() ([]string, error) {
		list, err := d.Interactions(ctx, "mine=true&limit=100&state="+state)
		names := []string{}
		for _, i := range list {
			names = append(names, i.Subject)
		}
		return names, err
	}
}

// offer waits until a mail with a subject is offered to the agent.
func offer(ctx context.Context, d *deskclient.Client, subject string) desk.Interaction {
	GinkgoHelper()
	i, err := d.WaitForOffer(ctx, subject)
	Expect(err).NotTo(HaveOccurred())
	return i
}

// write sends a customer's mail to a mailbox of the environment.
func write(name, subject string) {
	GinkgoHelper()
	Expect(customer.Send(stack.SMTP.Addr, "casey@example.test", stack.Dovecot.Address(name), subject, "Hello, about "+subject)).To(Succeed())
}

// answer waits for a mail in the customer's own mailbox.
func answer(ctx context.Context, subject string) customer.Mail {
	GinkgoHelper()
	return arrived(ctx, "casey", subject)
}

// arrived waits for a mail in a mailbox.
func arrived(ctx context.Context, name, subject string) customer.Mail {
	GinkgoHelper()
	m, err := customer.Mailbox{
		Addr: stack.Dovecot.IMAPSAddr, User: stack.Dovecot.Address(name), Password: stack.Dovecot.Password(name), CA: authorities,
	}.WaitFor(ctx, subject)
	Expect(err).NotTo(HaveOccurred())
	return m
}
