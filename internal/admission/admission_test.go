package admission

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/security"
)

var born = time.Date(2030, 1, 1, 8, 0, 0, 0, time.UTC)

// meta of an object that is so many minutes old at nine o'clock; -1 is one that is not stored yet.
func meta(name string, minutes int) metav1.ObjectMeta {
	m := metav1.ObjectMeta{Namespace: "center", Name: name}
	if minutes >= 0 {
		m.CreationTimestamp = metav1.NewTime(born.Add(time.Duration(60-minutes) * time.Minute))
	}
	return m
}

func agent(name string, minutes int, change ...func(*v1alpha1.Agent)) *v1alpha1.Agent {
	a := &v1alpha1.Agent{ObjectMeta: meta(name, minutes), Spec: v1alpha1.AgentSpec{FullName: "Somebody"}}
	for _, f := range change {
		f(a)
	}
	return a
}

func username(u string) func(*v1alpha1.Agent) { return func(a *v1alpha1.Agent) { a.Spec.Username = u } }
func asksFor(n string) func(*v1alpha1.Agent)  { return func(a *v1alpha1.Agent) { a.Spec.Extension = n } }
func has(n string) func(*v1alpha1.Agent)      { return func(a *v1alpha1.Agent) { a.Status.Extension = n } }
func isCalled(full string) func(*v1alpha1.Agent) {
	return func(a *v1alpha1.Agent) { a.Spec.FullName = full }
}

func deskPhone(name string, minutes int, change ...func(*v1alpha1.Telephone)) *v1alpha1.Telephone {
	p := &v1alpha1.Telephone{ObjectMeta: meta(name, minutes)}
	for _, f := range change {
		f(p)
	}
	return p
}

func signsInAs(u string) func(*v1alpha1.Telephone) {
	return func(p *v1alpha1.Telephone) { p.Spec.Username = u }
}

func inBrowser(transport v1alpha1.SIPTransport, annotation string) func(*v1alpha1.Agent) {
	return func(a *v1alpha1.Agent) {
		a.Spec.Typology, a.Spec.SIP.Transport = v1alpha1.TypologyWebRTC, transport
		if annotation != "" {
			a.Annotations = map[string]string{v1alpha1.AllowInsecureWSAnnotation: annotation}
		}
	}
}

func ofRole(role v1alpha1.SIPRole) func(*v1alpha1.Agent) {
	return func(a *v1alpha1.Agent) { a.Spec.SIP.Role = role }
}

func ref(name, key string) *v1alpha1.SecretKeyReference {
	return &v1alpha1.SecretKeyReference{Name: name, Key: key}
}

func queue(name string, minutes int, number string) *v1alpha1.Queue {
	return &v1alpha1.Queue{ObjectMeta: meta(name, minutes), Spec: v1alpha1.QueueSpec{Number: number}}
}

func account(name string, minutes int, key, address string) *v1alpha1.EmailAccount {
	return &v1alpha1.EmailAccount{ObjectMeta: meta(name, minutes), Spec: v1alpha1.EmailAccountSpec{Key: key, Address: address}}
}

func center(name string, minutes int, ranges ...v1alpha1.ExtensionRange) *v1alpha1.ContactCenter {
	c := &v1alpha1.ContactCenter{ObjectMeta: meta(name, minutes)}
	c.Spec.Extensions.Ranges = ranges
	return c
}

func secret(name, label string, data map[string]string) *corev1.Secret {
	s := &corev1.Secret{ObjectMeta: meta(name, 0), Data: map[string][]byte{}}
	if label != "" {
		s.Labels = map[string]string{v1alpha1.CredentialLabel: label}
	}
	for k, v := range data {
		s.Data[k] = []byte(v)
	}
	return s
}

func reader(t *testing.T, objects ...client.Object) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1alpha1.AddToScheme, corev1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	b := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...)
	for _, i := range Indexes() {
		b = b.WithIndex(i.Object, i.Name, i.Extract)
	}
	return b.Build()
}

func asText(problems []Problem) []string {
	var out []string
	for _, p := range problems {
		out = append(out, p.Reason+" "+p.String())
	}
	return out
}

func checkProblems(t *testing.T, problems []Problem, err error, want []string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, asText(problems)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestAgentRules(t *testing.T) {
	thousands := v1alpha1.ExtensionRange{From: "1000", To: "1999"}
	for name, test := range map[string]struct {
		others    []client.Object
		agent     *v1alpha1.Agent
		admission []string
		reconcile []string
	}{
		"alone": {agent: agent("alice", -1, asksFor("1001"))},
		"itself": {
			others: []client.Object{agent("alice", 5, asksFor("1001"), has("1001"))},
			agent:  agent("alice", 5, asksFor("1001"), has("1001")),
		},
		"same username, the other is older": {
			others:    []client.Object{agent("alice", 9)},
			agent:     agent("bob", 5, username("alice")),
			admission: []string{`UsernameTaken spec.username: Duplicate value: username "alice" belongs to Agent alice`},
			reconcile: []string{`UsernameTaken spec.username: Duplicate value: username "alice" belongs to Agent alice`},
		},
		"same username, the other is younger": {
			others:    []client.Object{agent("alice", 3)},
			agent:     agent("bob", 5, username("alice")),
			admission: []string{`UsernameTaken spec.username: Duplicate value: username "alice" belongs to Agent alice`},
		},
		"same username, same second, first by name": {
			others:    []client.Object{agent("bob", 5, username("alice"))},
			agent:     agent("alice", 5),
			admission: []string{`UsernameTaken spec.username: Duplicate value: username "alice" belongs to Agent bob`},
		},
		"same username in another namespace": {
			others: []client.Object{&v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Namespace: "other", Name: "alice"}}},
			agent:  agent("bob", 5, username("alice")),
		},
		"username of an older telephone": {
			others:    []client.Object{deskPhone("desk7", 9)},
			agent:     agent("alice", 5, username("desk7")),
			admission: []string{`UsernameTaken spec.username: Duplicate value: username "desk7" belongs to Telephone desk7`},
			reconcile: []string{`UsernameTaken spec.username: Duplicate value: username "desk7" belongs to Telephone desk7`},
		},
		"username of a younger telephone": {
			others:    []client.Object{deskPhone("floor", 3, signsInAs("desk7"))},
			agent:     agent("desk7", 5),
			admission: []string{`UsernameTaken spec.username: Duplicate value: username "desk7" belongs to Telephone floor`},
		},
		"name of a telephone that has another username": {
			others: []client.Object{deskPhone("desk7", 9, signsInAs("floor2"))},
			agent:  agent("desk7", 5),
		},
		"browser with encryption": {agent: agent("alice", 5, inBrowser(v1alpha1.TransportWSS, ""))},
		"browser without encryption": {
			agent:     agent("alice", 5, inBrowser(v1alpha1.TransportWS, "")),
			admission: []string{"InsecureWebSocket spec.sip.transport: Forbidden: WS is not encrypted: use WSS, or the annotation ringmaster.dev/allow-insecure-ws: \"true\" for a test behind a proxy that ends TLS"},
			reconcile: []string{"InsecureWebSocket spec.sip.transport: Forbidden: WS is not encrypted: use WSS, or the annotation ringmaster.dev/allow-insecure-ws: \"true\" for a test behind a proxy that ends TLS"},
		},
		"browser without encryption, refused by name": {
			agent:     agent("alice", 5, inBrowser(v1alpha1.TransportWS, "false")),
			admission: []string{"InsecureWebSocket spec.sip.transport: Forbidden: WS is not encrypted: use WSS, or the annotation ringmaster.dev/allow-insecure-ws: \"true\" for a test behind a proxy that ends TLS"},
			reconcile: []string{"InsecureWebSocket spec.sip.transport: Forbidden: WS is not encrypted: use WSS, or the annotation ringmaster.dev/allow-insecure-ws: \"true\" for a test behind a proxy that ends TLS"},
		},
		"browser without encryption by permission": {agent: agent("alice", 5, inBrowser(v1alpha1.TransportWS, "true"))},
		"a phone over WebSocket without encryption": {agent: agent("alice", 5, inBrowser(v1alpha1.TransportWS, ""), func(a *v1alpha1.Agent) {
			a.Spec.Typology = v1alpha1.TypologyExternal
		})},
		"hot desk everywhere": {agent: agent("alice", 5, func(a *v1alpha1.Agent) { a.Spec.HotDesk.TelephoneSelector = &metav1.LabelSelector{} })},
		"hot desk by no legal selector": {
			agent: agent("alice", 5, func(a *v1alpha1.Agent) {
				a.Spec.HotDesk.TelephoneSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "floor", Operator: "Is"}}}
			}),
			admission: []string{`Invalid spec.hotDesk.telephoneSelector: Invalid value: "Is" is not a valid label selector operator`},
			reconcile: []string{`Invalid spec.hotDesk.telephoneSelector: Invalid value: "Is" is not a valid label selector operator`},
		},
		"extension of an older agent": {
			others:    []client.Object{agent("bob", 9, asksFor("1001"))},
			agent:     agent("alice", 5, asksFor("1001")),
			admission: []string{"ExtensionTaken spec.extension: Duplicate value: extension 1001 belongs to Agent bob"},
			reconcile: []string{"ExtensionTaken spec.extension: Duplicate value: extension 1001 belongs to Agent bob"},
		},
		"extension allocated to a younger agent: whoever has it keeps it": {
			others:    []client.Object{agent("bob", 3, has("1001"))},
			agent:     agent("alice", 5, asksFor("1001")),
			admission: []string{"ExtensionTaken spec.extension: Duplicate value: extension 1001 belongs to Agent bob"},
			reconcile: []string{"ExtensionTaken spec.extension: Duplicate value: extension 1001 belongs to Agent bob"},
		},
		"allocated extension that an older agent asks for": {
			others:    []client.Object{agent("bob", 9, asksFor("1001"))},
			agent:     agent("alice", 5, has("1001")),
			admission: []string{"ExtensionTaken spec.extension: Duplicate value: extension 1001 belongs to Agent bob"},
		},
		"extension that its holder is leaving": {
			others:    []client.Object{agent("bob", 9, asksFor("1002"), has("1001"))},
			agent:     agent("alice", 5, asksFor("1001")),
			admission: []string{"ExtensionTaken spec.extension: Duplicate value: extension 1001 belongs to Agent bob"},
		},
		"number of a queue": {
			others:    []client.Object{queue("sales", 9, "1001")},
			agent:     agent("alice", 5, asksFor("1001")),
			admission: []string{"ExtensionTaken spec.extension: Duplicate value: extension 1001 belongs to Queue sales"},
			reconcile: []string{"ExtensionTaken spec.extension: Duplicate value: extension 1001 belongs to Queue sales"},
		},
		"in a range": {
			others: []client.Object{center("main", 9, v1alpha1.ExtensionRange{From: "20", To: "29"}, thousands)},
			agent:  agent("alice", 5, asksFor("1999")),
		},
		"outside the ranges": {
			others:    []client.Object{center("main", 9, v1alpha1.ExtensionRange{From: "20", To: "29"}, thousands)},
			agent:     agent("alice", 5, asksFor("2000")),
			admission: []string{"OutOfRange spec.extension: Invalid value: extension 2000 is in no range of ContactCenter main: 20 to 29, 1000 to 1999"},
			reconcile: []string{"OutOfRange spec.extension: Invalid value: extension 2000 is in no range of ContactCenter main: 20 to 29, 1000 to 1999"},
		},
		"more digits than the range": {
			others:    []client.Object{center("main", 9, thousands)},
			agent:     agent("alice", 5, asksFor("10010")),
			admission: []string{"OutOfRange spec.extension: Invalid value: extension 10010 is in no range of ContactCenter main: 1000 to 1999"},
			reconcile: []string{"OutOfRange spec.extension: Invalid value: extension 10010 is in no range of ContactCenter main: 1000 to 1999"},
		},
		"outside the ranges but long allocated": {
			others: []client.Object{center("main", 9, thousands)},
			agent:  agent("alice", 5, asksFor("2000"), has("2000")),
		},
		"the older of two centers counts": {
			others: []client.Object{center("new", 2, v1alpha1.ExtensionRange{From: "20", To: "29"}), center("old", 9, thousands)},
			agent:  agent("alice", 5, asksFor("1500")),
		},
		"named like the allocated extension": {
			agent:     agent("alice", 5, has("1001"), isCalled("1001")),
			admission: []string{"FullNameEqualsExtension spec.fullName: Invalid value: fullName must not equal the extension"},
			reconcile: []string{"FullNameEqualsExtension spec.fullName: Invalid value: fullName must not equal the extension"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := reader(t, test.others...)
			problems, err := Checker{Reader: r}.Agent(t.Context(), test.agent)
			checkProblems(t, problems, err, test.admission)
			problems, err = Checker{Reader: r, Rivals: OlderHolder}.Agent(t.Context(), test.agent)
			checkProblems(t, problems, err, test.reconcile)
		})
	}
}

// Whatever two objects claim, exactly one of them has to give way in a reconcile.
func TestExactlyOneOfTwoWins(t *testing.T) {
	claims := []claim{
		{kind: kindAgent, name: "a", created: metav1.NewTime(born)},
		{kind: kindAgent, name: "b", created: metav1.NewTime(born)},
		{kind: kindAgent, name: "c", created: metav1.NewTime(born.Add(time.Second))},
		{kind: kindAgent, name: "d", created: metav1.NewTime(born.Add(time.Second)), inUse: true},
		{kind: kindQueue, name: "a", created: metav1.NewTime(born)},
		{kind: kindQueue, name: "c", created: metav1.NewTime(born.Add(time.Second))},
	}
	c := Checker{Rivals: OlderHolder}
	for _, one := range claims {
		for _, two := range claims {
			if one == two {
				continue
			}
			_, oneLoses := c.rival(one, []claim{one, two})
			_, twoLoses := c.rival(two, []claim{one, two})
			if oneLoses == twoLoses {
				t.Errorf("%s and %s: %t, %t", one, two, oneLoses, twoLoses)
			}
		}
	}
}

func TestEmailAccountRules(t *testing.T) {
	for name, test := range map[string]struct {
		others    []client.Object
		account   *v1alpha1.EmailAccount
		admission []string
		reconcile []string
	}{
		"another account": {
			others:  []client.Object{account("billing", 9, "BILL", "billing@example.com")},
			account: account("support", 5, "SUPP", "support@example.com"),
		},
		"address in other letter case": {
			others:    []client.Object{account("old", 9, "OLD", "Support@Example.com")},
			account:   account("support", 5, "SUPP", "support@example.com"),
			admission: []string{"AddressTaken spec.address: Duplicate value: address support@example.com belongs to EmailAccount old"},
			reconcile: []string{"AddressTaken spec.address: Duplicate value: address support@example.com belongs to EmailAccount old"},
		},
		"address and key of a younger account": {
			others:  []client.Object{account("new", 3, "SUPP", "support@example.com")},
			account: account("support", 5, "SUPP", "support@example.com"),
			admission: []string{
				"AddressTaken spec.address: Duplicate value: address support@example.com belongs to EmailAccount new",
				"KeyTaken spec.key: Duplicate value: key SUPP belongs to EmailAccount new",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := reader(t, test.others...)
			problems, err := Checker{Reader: r}.EmailAccount(t.Context(), test.account)
			checkProblems(t, problems, err, test.admission)
			problems, err = Checker{Reader: r, Rivals: OlderHolder}.EmailAccount(t.Context(), test.account)
			checkProblems(t, problems, err, test.reconcile)
		})
	}
}

func TestContactCenterRules(t *testing.T) {
	other := `ContactCenterAmbiguous metadata.namespace: Duplicate value: a namespace holds exactly one ContactCenter, and "center" belongs to ContactCenter main`
	r := reader(t, center("main", 9), center("second", 3))
	for name, test := range map[string]struct {
		rivals Rivals
		center *v1alpha1.ContactCenter
		want   []string
	}{
		"third at admission":  {AnyHolder, center("third", -1), []string{other}},
		"second in reconcile": {OlderHolder, center("second", 3), []string{other}},
		"first in reconcile":  {OlderHolder, center("main", 9), nil},
	} {
		t.Run(name, func(t *testing.T) {
			problems, err := Checker{Reader: r, Rivals: test.rivals}.ContactCenter(t.Context(), test.center)
			checkProblems(t, problems, err, test.want)
		})
	}
}

func TestPolicyOf(t *testing.T) {
	with := func(change func(*v1alpha1.SecuritySpec)) *v1alpha1.ContactCenter {
		c := center("main", 0)
		change(&c.Spec.Security)
		return c
	}
	def := security.DefaultPasswordPolicy()
	strict := security.PasswordPolicy{MinLength: 12, MinLowercase: 2, MinUppercase: 0, MinDigits: 3, MinSpecials: 4, SpecialCharacters: "*"}
	for name, test := range map[string]struct {
		center *v1alpha1.ContactCenter
		want   security.PasswordPolicy
	}{
		"no center":   {nil, def},
		"nothing set": {with(func(*v1alpha1.SecuritySpec) {}), def},
		"suite off":   {with(func(s *v1alpha1.SecuritySpec) { s.Suite = v1alpha1.Disabled }), security.PasswordPolicy{}},
		"everything set": {with(func(s *v1alpha1.SecuritySpec) {
			s.PasswordPolicy = v1alpha1.PasswordPolicySpec{
				MinLength: 12, MinLowercase: new(int32(2)), MinUppercase: new(int32(0)), MinDigits: new(int32(3)), MinSpecials: new(int32(4)),
				SpecialCharacters: "*",
			}
		}), strict},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, PolicyOf(test.center)); diff != "" {
				t.Errorf("policy (-want +got):\n%s", diff)
			}
		})
	}
	if got := CheckSecretPassword(nil, "Str0ng~pass"); len(got) != 0 {
		t.Errorf("a good password breaks %v", got)
	}
	if got := CheckSecretPassword(nil, "weak"); len(got) != 4 {
		t.Errorf("a weak password breaks %v", got)
	}
}

// Nothing that is said may contain a value out of a Secret.
func checkSilent(t *testing.T, problems []Problem, values ...string) {
	t.Helper()
	for _, p := range problems {
		for _, v := range values {
			if v != "" && strings.Contains(p.String(), v) {
				t.Errorf("%q repeats a secret value", p)
			}
		}
	}
}
