package cel

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/yaml"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/admission"
	"github.com/ringmaster-dev/ringmaster/internal/servingcert"
	"github.com/ringmaster-dev/ringmaster/test/env"
)

// timeout of what happens by itself.
const timeout = 30 * time.Second

func contains(words, word string) bool { return slices.Contains(strings.Fields(words), word) }

// hooks are the webhooks of this checkout, served by a manager in this process.
type hooks struct {
	client.Client
	namespace string
	// warnings of the requests since the last call of warned.
	mu       sync.Mutex
	warnings []string
	// stop the manager; the configuration stays.
	stop func()
}

// HandleWarningHeaderWithContext implements rest.WarningHandlerWithContext.
func (h *hooks) HandleWarningHeaderWithContext(_ context.Context, _ int, _, text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.warnings = append(h.warnings, text)
}

func (h *hooks) warned() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := strings.Join(h.warnings, "\n")
	h.warnings = nil
	return all
}

// serveHooks starts a manager as cmd/ringmaster configures it, and registers config/webhook with the address of this process.
func serveHooks(t *testing.T) *hooks {
	t.Helper()
	c := newClient(t)
	h := &hooks{namespace: newNamespace(t, c)}
	config := *env.Control(t).Config
	config.WarningHandlerWithContext = h
	warning, err := client.New(&config, client.Options{Scheme: c.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	h.Client = client.WithFieldValidation(warning, metav1.FieldValidationStrict)

	port, err := env.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	register(t, c, port)
	cert := servingcert.New(servingcert.Options{
		Client: c, Namespace: h.namespace, SecretName: "certificate", IPs: []net.IP{net.IPv4(127, 0, 0, 1)},
		WebhookConfigurations: []string{admission.ConfigurationName},
	})
	if err := cert.Ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	labelled, err := labels.NewRequirement(v1alpha1.CredentialLabel, selection.Exists, nil)
	if err != nil {
		t.Fatal(err)
	}
	mgr, err := ctrl.NewManager(&config, ctrl.Options{
		Scheme:  c.Scheme(),
		Cache:   cache.Options{ByObject: map[client.Object]cache.ByObject{&corev1.Secret{}: {Label: labels.NewSelector().Add(*labelled)}}},
		Metrics: metricsserver.Options{BindAddress: "0"},
		WebhookServer: webhook.NewServer(webhook.Options{Host: "127.0.0.1", Port: port, TLSOpts: []func(*tls.Config){
			func(c *tls.Config) { c.GetCertificate = cert.GetCertificate },
		}}),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := admission.RegisterIndexes(t.Context(), mgr.GetFieldIndexer()); err != nil {
		t.Fatal(err)
	}
	if err := admission.SetupWebhooks(mgr, admission.Checker{Reader: mgr.GetClient()}); err != nil {
		t.Fatal(err)
	}
	h.run(t, mgr)
	return h
}

func (h *hooks) run(t *testing.T, mgr ctrl.Manager) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() {
		if err := mgr.Start(ctx); err != nil {
			t.Error(err)
		}
	})
	h.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
	t.Cleanup(h.stop)
	// It answers when a rule is enforced; the API server ignores it until then.
	probe := &v1alpha1.Team{ObjectMeta: metav1.ObjectMeta{Namespace: h.namespace, Name: "probe"}}
	probe.Spec.Members.Selector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Is"}}}
	NewWithT(t).Eventually(func() error { return h.Create(t.Context(), probe.DeepCopy(), client.DryRunAll) }).
		WithTimeout(timeout).Should(MatchError(ContainSubstring("denied the request")))
	h.warned()
}

// register applies config/webhook with the Service replaced by a port of this machine.
func register(t *testing.T, c client.Client, port int) {
	t.Helper()
	raw, err := os.ReadFile("../../config/webhook/manifests.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var configuration admissionv1.ValidatingWebhookConfiguration
	if err := yaml.UnmarshalStrict(raw, &configuration); err != nil {
		t.Fatal(err)
	}
	for i := range configuration.Webhooks {
		config := &configuration.Webhooks[i].ClientConfig
		url := "https://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) + *config.Service.Path
		config.URL, config.Service = &url, nil
	}
	if err := c.Create(t.Context(), &configuration); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Delete(context.WithoutCancel(t.Context()), &configuration); err != nil {
			t.Error(err)
		}
	})
}

// object reads a manifest into the namespace of the test.
func (h *hooks) object(t *testing.T, into client.Object, manifest string) client.Object {
	t.Helper()
	if err := yaml.UnmarshalStrict([]byte(manifest), into); err != nil {
		t.Fatal(err)
	}
	into.SetNamespace(h.namespace)
	return into
}

func (h *hooks) agent(t *testing.T, name, spec string) client.Object {
	return h.object(t, &v1alpha1.Agent{}, "metadata: {name: "+name+"}\nspec: {fullName: Somebody, "+spec+"}")
}

func (h *hooks) secret(t *testing.T, name, label, data string) client.Object {
	return h.object(t, &corev1.Secret{}, "metadata: {name: "+name+", labels: {ringmaster.dev/credential: "+label+"}}\nstringData: {"+data+"}")
}

func (h *hooks) mustCreate(t *testing.T, objects ...client.Object) {
	t.Helper()
	for _, o := range objects {
		if err := h.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
}

// refused waits until a request is refused with this text: what a rule compares with reaches the cache of the manager a
// moment after it is stored.
func refused(t *testing.T, request func() error, says string) {
	t.Helper()
	NewWithT(t).Eventually(request).WithTimeout(timeout).Should(MatchError(ContainSubstring(says)))
}

func (h *hooks) tryCreate(t *testing.T, o client.Object) func() error {
	return func() error { return h.Create(t.Context(), o.DeepCopyObject().(client.Object), client.DryRunAll) }
}

func TestWebhooksRefuse(t *testing.T) {
	h := serveHooks(t)
	account := func(name, key, address string) client.Object {
		return h.object(t, &v1alpha1.EmailAccount{}, "metadata: {name: "+name+"}\nspec: {key: "+key+", address: "+address+`,
			authentication: {basic: {passwordSecretRef: {name: mailbox, key: password}}}, imap: {host: h}, smtp: {host: h}, routing: {queueRef: {name: q}}}`)
	}
	queue := func(name, spec string) client.Object {
		return h.object(t, &v1alpha1.Queue{}, "metadata: {name: "+name+"}\nspec: {"+spec+"}")
	}
	h.mustCreate(t,
		h.object(t, &v1alpha1.ContactCenter{}, "metadata: {name: main}\nspec: {validation: {nameCharacters: Restricted}}"),
		h.agent(t, "alice", `extension: "1001", voicemail: {state: Enabled, pinSecretRef: {name: alice, key: code}}`),
		queue("sales", `number: "2600"`),
		account("support", "SUPP", "support@example.com"),
		h.object(t, &v1alpha1.MessageTemplate{}, "{metadata: {name: greeting}, spec: {key: greeting, type: Layout, body: {text: x}}}"),
	)
	for name, test := range map[string]struct {
		object client.Object
		says   string
	}{
		"username":       {h.agent(t, "bob", "username: alice"), `spec.username: Duplicate value: username "alice" belongs to Agent alice`},
		"extension":      {h.agent(t, "bob", `extension: "1001"`), "spec.extension: Duplicate value: extension 1001 belongs to Agent alice"},
		"queue's number": {h.agent(t, "bob", `extension: "2600"`), "spec.extension: Duplicate value: extension 2600 belongs to Queue sales"},
		"range":          {h.agent(t, "bob", `extension: "100"`), "spec.extension: Invalid value: extension 100 is in no range of ContactCenter main: 1000 to 9999"},
		"name": {h.object(t, &v1alpha1.Agent{}, `{metadata: {name: bob}, spec: {fullName: "Bob O'Brien"}}`),
			`spec.fullName: Invalid value: ContactCenter main permits letters, digits, blanks, \, _ and - only (validation.nameCharacters), not '\''`},
		"number":         {queue("billing", `number: "2600"`), "spec.number: Duplicate value: number 2600 belongs to Queue sales"},
		"agent's number": {queue("billing", `number: "1001"`), "spec.number: Duplicate value: number 1001 belongs to Agent alice"},
		"selector": {queue("billing", `number: "2601", members: [{agentSelector: {matchExpressions: [{key: site, operator: Is}]}}]`),
			`spec.members[0].agentSelector: Invalid value: "Is" is not a valid label selector operator`},
		"address": {account("help", "HELP", "SUPPORT@example.com"), "spec.address: Duplicate value: address SUPPORT@example.com belongs to EmailAccount support"},
		"key":     {account("help", "SUPP", "help@example.com"), "spec.key: Duplicate value: key SUPP belongs to EmailAccount support"},
		"template's key": {h.object(t, &v1alpha1.MessageTemplate{}, "{metadata: {name: other}, spec: {key: greeting, type: Layout, body: {text: x}}}"),
			"spec.key: Duplicate value: key greeting belongs to MessageTemplate greeting"},
		"template's text": {h.object(t, &v1alpha1.MessageTemplate{}, "{metadata: {name: other}, spec: {key: other, type: Layout, body: {html: 'a {{ b'}}}"),
			"spec.body.html: Invalid value: line 1, column 3: {{ without }}"},
		"time zone": {h.object(t, &v1alpha1.Schedule{}, "{metadata: {name: hours}, spec: {timeZone: Europe/Atlantis}}"),
			"spec.timeZone: Invalid value: no time zone of the IANA database has this name"},
		"date": {h.object(t, &v1alpha1.Schedule{}, "{metadata: {name: hours}, spec: {timeZone: UTC, holidays: [{yearly: 12-25}, {date: 2026-02-29}]}}"),
			"spec.holidays[1].date: Invalid value: no such day"},
		"condition": {h.object(t, &v1alpha1.RoutingFlow{}, "{metadata: {name: f}, spec: {steps: [{name: a, when: 'mail.subject = 1', close: {}}]}}"),
			"spec.steps[0].when: Invalid value: line 1, column 14: Syntax error"},
		"reference of a wrong kind": {h.object(t, &v1alpha1.RoutingFlow{}, "{metadata: {name: f}, spec: {steps: [{name: a, queue: {queueRef: {name: sales}}}]}}"),
			"spec.steps[0].queue.queueRef: Invalid value: Queue sales is not a queue of channel Email"},
		"second center": {h.object(t, &v1alpha1.ContactCenter{}, "metadata: {name: second}"),
			"metadata.namespace: Duplicate value: a namespace holds exactly one ContactCenter"},
		"password by label": {h.secret(t, "bob", "agent", "password: weak"),
			"data[password]: Invalid value: the password needs at least 8 characters; the password needs at least 1 uppercase letter"},
		"PIN by reference": {h.secret(t, "alice", "x", `code: "1001"`),
			"data[code]: Invalid value: the PIN must differ from the extension (it is the voicemail PIN of Agent alice)"},
		"mailbox password by reference": {h.secret(t, "mailbox", "mailbox", `password: "x\n"`),
			"data[password]: Invalid value: the password must be UTF-8 text without control characters, such as a line break at its end (it is the password of EmailAccount support)"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, h.tryCreate(t, test.object), test.says) })
	}
}

func TestWebhooksAcceptAndWarn(t *testing.T) {
	h := serveHooks(t)
	h.mustCreate(t,
		h.object(t, &v1alpha1.ContactCenter{}, "metadata: {name: main}"),
		h.object(t, &corev1.Secret{}, "metadata: {name: plain}\nstringData: {password: weak}"),
		h.secret(t, "good", "agent", `password: "Str0ng~pass", pin: "4711"`),
		h.secret(t, "other", "tool", "password: weak"),
	)
	// The label is what lets the manager see a Secret.
	g := NewWithT(t)
	good := h.agent(t, "good", "passwordSecretRef: {name: good, key: password}, voicemail: {state: Enabled, pinSecretRef: {name: good, key: pin}}")
	g.Eventually(func() (string, error) {
		err := h.tryCreate(t, good)()
		return h.warned(), err
	}).WithTimeout(timeout).Should(BeEmpty())

	for name, test := range map[string]struct {
		object client.Object
		warns  string
	}{
		"no Secret": {h.agent(t, "bob", "passwordSecretRef: {name: absent, key: password}"),
			"spec.passwordSecretRef.name: Not found: Secret absent is not there or lacks the label ringmaster.dev/credential"},
		"no label": {h.agent(t, "bob", "passwordSecretRef: {name: plain, key: password}"),
			"spec.passwordSecretRef.name: Not found: Secret plain is not there or lacks the label ringmaster.dev/credential"},
		"no key": {h.agent(t, "bob", "passwordSecretRef: {name: good, key: Password}"),
			`spec.passwordSecretRef.key: Not found: Secret good has no key "Password"`},
		"old word": {h.agent(t, "bob", "sip: {nat: Route}"), "RouteIsLegacy: spec.sip.nat: Route is a word of Asterisk 1.4 and means None; natCompatibility Asterisk14 gives it its old meaning"},
		"no value": {h.object(t, &v1alpha1.MessageTemplate{}, "{metadata: {name: a}, spec: {key: a, type: Invitation, subject: 'Hello {{ customer.name }}', body: {text: x}}}"),
			"spec.subject: no value in a message of type Invitation, so empty: customer.name"},
		"not there yet": {h.object(t, &v1alpha1.RoutingFlow{}, "{metadata: {name: f}, spec: {steps: [{name: a, when: 'open(\"office\")', queue: {queueRef: {name: mail}}}]}}"),
			"spec.steps[0].queue.queueRef: Not found: Queue mail does not exist\nspec.steps[0].when: Not found: Schedule office does not exist"},
		"no encryption": {h.object(t, &v1alpha1.EmailAccount{}, `{metadata: {name: a}, spec: {key: A, address: a@b, authentication: {type: None},
			imap: {host: h, security: None}, smtp: {host: h, certificateValidation: AcceptAny}, routing: {queueRef: {name: q}, inactivityTimeout: 90s}}}`),
			"spec.imap.security: None sends mails, and the password if plaintext is Allowed, unencrypted\n" +
				"spec.smtp.certificateValidation: AcceptAny trusts whoever answers; use caSecretRef for a private authority, or pinnedSHA256 for one certificate\n" +
				"spec.routing.inactivityTimeout: 1m30s is not in whole minutes, which other tools show it in"},
	} {
		t.Run(name, func(t *testing.T) {
			h.warned()
			if err := h.tryCreate(t, test.object)(); err != nil {
				t.Fatal(err)
			}
			if got := h.warned(); got != test.warns {
				t.Errorf("warned %q, want %q", got, test.warns)
			}
		})
	}
}

// What slipped past admission can still be repaired, changed elsewhere, reconciled and deleted.
func TestWebhooksDoNotLockIn(t *testing.T) {
	h := serveHooks(t)
	g := NewWithT(t)
	center := h.object(t, &v1alpha1.ContactCenter{}, "{metadata: {name: main}, spec: {security: {suite: Disabled}}}").(*v1alpha1.ContactCenter)
	h.mustCreate(t, center)
	secret := h.secret(t, "alice", "agent", `password: weak, note: a`).(*corev1.Secret)
	g.Eventually(func() error { return h.Create(t.Context(), secret) }).WithTimeout(timeout).Should(Succeed())
	agent := h.agent(t, "alice", "passwordSecretRef: {name: alice, key: password}").(*v1alpha1.Agent)
	h.mustCreate(t, agent)

	center.Spec.Security.Suite = v1alpha1.Enabled
	if err := h.Update(t.Context(), center); err != nil {
		t.Fatal(err)
	}
	refused(t, h.tryCreate(t, h.secret(t, "bob", "agent", "password: weak")), "data[password]")
	refused(t, h.tryCreate(t, h.agent(t, "bob", "passwordSecretRef: {name: alice, key: password}")), "spec.passwordSecretRef: Invalid value")

	// The controller's finalizer, and an urgent change that has nothing to do with the password.
	agent.Finalizers = []string{v1alpha1.Finalizer}
	g.Expect(h.Update(t.Context(), agent)).To(Succeed())
	h.warned()
	agent.Spec.AccountState = v1alpha1.AccountDeactivated
	g.Expect(h.Update(t.Context(), agent)).To(Succeed())
	g.Expect(h.warned()).To(ContainSubstring("spec.passwordSecretRef: Invalid value"))
	agent.Spec.Username = "" // unchanged: the name is the username
	agent.Spec.Extension = "10"
	g.Expect(h.Update(t.Context(), agent)).To(MatchError(And(ContainSubstring("spec.extension"), Not(ContainSubstring("spec.passwordSecretRef")))))

	// Other keys may change beside a password that became too weak; another weak password may not.
	secret.StringData = map[string]string{"note": "b"}
	g.Expect(h.Update(t.Context(), secret)).To(Succeed())
	secret.StringData = map[string]string{"password": "weaker"}
	g.Expect(h.Update(t.Context(), secret)).To(MatchError(And(ContainSubstring("data[password]"), Not(ContainSubstring("weaker")))))
	secret.StringData = map[string]string{"password": "Str0ng~pass"}
	g.Expect(h.Update(t.Context(), secret)).To(Succeed())

	// Deleting, with the finalizer on it and then without.
	g.Expect(h.Delete(t.Context(), agent)).To(Succeed())
	g.Expect(h.Get(t.Context(), client.ObjectKeyFromObject(agent), agent)).To(Succeed())
	agent.Finalizers = nil
	g.Expect(h.Update(t.Context(), agent)).To(Succeed())
}

// A manager that is down stops nobody.
func TestWebhooksDownAreIgnored(t *testing.T) {
	h := serveHooks(t)
	h.mustCreate(t, h.agent(t, "alice", ""))
	refused(t, h.tryCreate(t, h.agent(t, "bob", "username: alice")), "spec.username")
	h.stop()
	h.mustCreate(t, h.agent(t, "bob", "username: alice"), h.secret(t, "alice", "agent", "password: weak"))
}

// The manifests of a hurried evening, as kubectl sees them: each refusal names the field and the rule.
func TestKubectlApplyRefuses(t *testing.T) {
	h := serveHooks(t)
	h.mustCreate(t, h.object(t, &v1alpha1.ContactCenter{}, "metadata: {name: main}"), h.agent(t, "alice", ""))
	refused(t, h.tryCreate(t, h.agent(t, "bob", "username: alice")), "spec.username")
	e, cp := env.Temp(t), env.Control(t)
	const agent = "apiVersion: ringmaster.dev/v1alpha1\nkind: Agent\nmetadata: {name: bob}\nspec: "
	for name, test := range map[string]struct {
		manifest string
		says     []string
	}{
		"codec":      {agent + "{fullName: Bob, sip: {codecs: [ulaw, mp3]}}", []string{`spec.sip.codecs[1]: Unsupported value: "mp3"`, `"ulaw", "alaw"`}},
		"line break": {agent + `{fullName: Bob, sip: {callerID: {name: "Bob\nset_var=X=1"}}}`, []string{"spec.sip.callerID.name", "should match"}},
		"unknown":    {agent + "{fullname: Bob}", []string{`unknown field "spec.fullname"`}},
		"username":   {agent + "{fullName: Bob, username: alice}", []string{"spec.username: Duplicate value", `username "alice" belongs to Agent alice`}},
		"long key": {`{apiVersion: ringmaster.dev/v1alpha1, kind: EmailAccount, metadata: {name: support}, spec: {key: SUPPRT, address: a@b,
			authentication: {type: None}, imap: {host: h}, smtp: {host: h}, routing: {queueRef: {name: q}}}}`, []string{"spec.key: Too long", "5"}},
		"password": {"{apiVersion: v1, kind: Secret, metadata: {name: bob, labels: {ringmaster.dev/credential: agent}}, stringData: {password: weak}}",
			[]string{"data[password]: Invalid value", "at least 8 characters", "1 uppercase letter", "1 digit", "1 character out of ~!@#$%^&-_=+[{]}"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := e.Kubectl(t.Context(), cp, []byte(test.manifest), "apply", "-n", h.namespace, "-f", "-")
			if err == nil {
				t.Fatal("kubectl applied it")
			}
			for _, says := range test.says {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("the refusal does not say %q: %v", says, err)
				}
			}
		})
	}
}
