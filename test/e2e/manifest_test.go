package e2e

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

// goodPassword obeys the password policy.
const goodPassword = "Violet-Harbor-41"

// kubectl must succeed; it returns what it printed.
func kubectl(ctx context.Context, args ...string) string {
	GinkgoHelper()
	out, err := stack.Env.Kubectl(ctx, stack.Control, nil, args...)
	Expect(err).NotTo(HaveOccurred())
	return out
}

// apply applies manifests to a namespace.
func apply(ctx context.Context, namespace string, manifests ...string) {
	GinkgoHelper()
	out, err := tryApply(ctx, namespace, manifests...)
	Expect(err).NotTo(HaveOccurred(), out)
}

func tryApply(ctx context.Context, namespace string, manifests ...string) (string, error) {
	return stack.Env.Kubectl(ctx, stack.Control, []byte(strings.Join(manifests, "\n---\n")), "apply", "-n", namespace, "-f", "-")
}

// clean deletes what people made in a namespace, as one command, and waits until it is gone.
func clean(ctx context.Context, namespace string) {
	GinkgoHelper()
	const kinds = "agents,agentprofiles,teams,queues,emailaccounts,telephones,routingflows,schedules,messagetemplates,dispositionsets,cannedanswersets,contactlists"
	// kubectl's own waiting takes a fifth of a second for each object.
	kubectl(ctx, "delete", kinds, "--all", "-n", namespace, "--wait=false")
	kubectl(ctx, "delete", "secrets", "-l", v1alpha1.CredentialLabel+" in (agent,mailbox)", "-n", namespace, "--wait=false")
	Eventually(func() string { return kubectl(ctx, "get", kinds, "-n", namespace, "-o", "name") }).WithPolling(time.Second).Should(BeEmpty())
}

// newCenter makes a contact center without a PBX for one spec. spec is YAML in flow style.
func newCenter(ctx context.Context, name, spec string) {
	GinkgoHelper()
	apply(ctx, "default", fmt.Sprintf("apiVersion: v1\nkind: Namespace\nmetadata: {name: %s}", name))
	DeferCleanup(func(ctx SpecContext) {
		clean(ctx, name)
		kubectl(ctx, "delete", "namespace", name, "--wait=false")
	}, NodeTimeout(patience*2))
	apply(ctx, name, fmt.Sprintf("apiVersion: ringmaster.dev/v1alpha1\nkind: ContactCenter\nmetadata: {name: center}\nspec: %s", spec))
}

// secret is a Secret that Ringmaster may read.
func secret(name, label string, data ...string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {name: %s, labels: {%s: %s}}\nstringData: {%s}",
		name, v1alpha1.CredentialLabel, label, strings.Join(data, ", "))
}

// agent is an Agent; fields are added to its spec, each "name: value".
func agent(name string, fields ...string) string {
	return fmt.Sprintf("apiVersion: ringmaster.dev/v1alpha1\nkind: Agent\nmetadata: {name: %s, labels: {crew: all}}\nspec:\n  fullName: The agent %s\n%s",
		name, name, indent(fields))
}

// signIn is an agent with a sign-in password, and its Secret.
func signIn(name string, fields ...string) string {
	return secret(name, v1alpha1.CredentialAgent, "password: "+goodPassword) + "\n---\n" +
		agent(name, append([]string{"passwordSecretRef: {name: " + name + ", key: password}"}, fields...)...)
}

func indent(fields []string) string {
	var b strings.Builder
	for _, f := range fields {
		b.WriteString("  " + f + "\n")
	}
	return b.String()
}

// mailQueue offers to every agent of the namespace.
func mailQueue(name, offerTimeout string) string {
	return fmt.Sprintf("apiVersion: ringmaster.dev/v1alpha1\nkind: Queue\nmetadata: {name: %s}\nspec: {channel: Email, members: [{agentSelector: {}}], digital: {offerTimeout: %s}}",
		name, offerTimeout)
}

// voiceQueue is answered by every agent of the namespace.
func voiceQueue(name, number string) string {
	return fmt.Sprintf("apiVersion: ringmaster.dev/v1alpha1\nkind: Queue\nmetadata: {name: %s}\nspec: {channel: Voice, number: %q, members: [{agentSelector: {}}], voice: {ringTimeout: 5s, retryInterval: 1s}}",
		name, number)
}

// mailbox is an EmailAccount on the environment's mail servers with its Secrets. imap is added to spec.imap, "name: value" each.
func mailbox(name, key, queue string, imap ...string) string {
	in, inPort := hostPort(stack.Dovecot.IMAPSAddr)
	out, outPort := hostPort(stack.SMTP.SMTPSAddr)
	extra := ""
	if len(imap) > 0 {
		extra = ", " + strings.Join(imap, ", ")
	}
	ca := fmt.Sprintf("caSecretRef: {name: %s, key: ca}", name)
	return secret(name, "mailbox", "password: "+stack.Dovecot.Password(name), fmt.Sprintf("ca: %q", authorities)) + "\n---\n" +
		fmt.Sprintf(`apiVersion: ringmaster.dev/v1alpha1
kind: EmailAccount
metadata: {name: %s}
spec:
  key: %s
  address: %s
  authentication: {basic: {passwordSecretRef: {name: %s, key: password}}}
  imap: {host: %s, port: %s, %s%s}
  smtp: {host: %s, port: %s, %s}
  routing: {queueRef: {name: %s}}`, name, key, stack.Dovecot.Address(name), name, in, inPort, ca, extra, out, outPort, ca, queue)
}

func hostPort(addr string) (host, port string) {
	GinkgoHelper()
	host, port, err := net.SplitHostPort(addr)
	Expect(err).NotTo(HaveOccurred())
	return host, port
}

// awaitReady waits for the condition Ready of objects, each "kind/name".
func awaitReady(ctx context.Context, namespace string, objects ...string) {
	GinkgoHelper()
	kubectl(ctx, append([]string{"wait", "--for=condition=Ready", "--timeout=" + patience.String(), "-n", namespace}, objects...)...)
}

func getAgent(ctx context.Context, namespace, name string) *v1alpha1.Agent {
	GinkgoHelper()
	a := &v1alpha1.Agent{}
	Expect(cluster.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, a)).To(Succeed())
	return a
}

func getSecret(ctx context.Context, namespace, name string) *corev1.Secret {
	GinkgoHelper()
	s := &corev1.Secret{}
	Expect(cluster.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, s)).To(Succeed())
	return s
}

// row returns what `kubectl get kind` prints of one object, by column.
func row(ctx context.Context, namespace, kind, name string) (map[string]string, error) {
	out, err := stack.Env.Kubectl(ctx, stack.Control, nil, "get", kind, name, "-n", namespace)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 2 {
		return nil, fmt.Errorf("kubectl get printed:\n%s", out)
	}
	cells := map[string]string{}
	at := 0
	for at < len(lines[0]) {
		end := len(lines[0])
		if gap := strings.Index(lines[0][at:], "   "); gap >= 0 {
			end = at + gap + len(lines[0][at+gap:]) - len(strings.TrimLeft(lines[0][at+gap:], " "))
		}
		cells[strings.TrimSpace(lines[0][at:end])] = strings.TrimSpace(lines[1][min(at, len(lines[1])):min(end, len(lines[1]))])
		at = end
	}
	// The last column is as wide as its line.
	return cells, nil
}

// rows is row for Eventually.
func rows(ctx context.Context, namespace, kind, name string) func() (map[string]string, error) {
	return func() (map[string]string, error) { return row(ctx, namespace, kind, name) }
}

// shows matches cells of a row.
func shows(cells ...string) OmegaMatcher {
	var matchers []OmegaMatcher
	for i := 0; i+1 < len(cells); i += 2 {
		matchers = append(matchers, HaveKeyWithValue(cells[i], cells[i+1]))
	}
	return And(matchers...)
}

func tail(text string, lines int) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
