package e2e

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// plugin compiles kubectl ringmaster and returns what runs it as administrator; it answers with both outputs.
func plugin(ctx context.Context) func(namespace string, args ...string) string {
	GinkgoHelper()
	program := filepath.Join(GinkgoT().TempDir(), "kubectl-ringmaster")
	out, err := exec.CommandContext(ctx, "go", "build", "-o", program, "../../cmd/kubectl-ringmaster").CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), tail(string(out), 5))
	return func(namespace string, args ...string) string {
		GinkgoHelper()
		args = append(args, "--kubeconfig", stack.Control.Kubeconfig, "-n", namespace)
		out, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
		Expect(err).NotTo(HaveOccurred(), tail(string(out), 5))
		return string(out)
	}
}

var _ = Describe("kubectl ringmaster", func() {
	It("asks the manager for interactions and why they wait, with the manager's own rights", func(ctx SpecContext) {
		ringmaster := plugin(ctx)
		const namespace = "operators"
		newCenter(ctx, namespace, "{}")
		apply(ctx, namespace, mailQueue("mail", "1m"), mailbox("operators", "OPER", "mail"))
		awaitReady(ctx, namespace, "queue/mail", "emailaccount/operators")
		write("operators", "why does nobody answer")
		asked := func(args ...string) func() string {
			return func() string {
				return ringmaster(namespace, append(args, "--manager-url", stack.Manager.OperatorURL)...)
			}
		}
		Eventually(asked("interactions", "--state", "Queued")).Should(ContainSubstring("  Queued  operators  mail"))
		id, _, _ := strings.Cut(strings.Split(asked("interactions")(), "\n")[1], " ")
		Expect(asked("why", id)()).To(And(ContainSubstring("Ingested"), ContainSubstring("in queue mail, which has no members"), Not(ContainSubstring("nobody answer"))))
	})
})
