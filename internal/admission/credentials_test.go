package admission

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

const weakRules = "the password needs at least 8 characters; the password needs at least 1 uppercase letter; " +
	"the password needs at least 1 digit; the password needs at least 1 character out of ~!@#$%^&-_=+[{]}"

func signsInBy(name, key string) func(*v1alpha1.Agent) {
	return func(a *v1alpha1.Agent) { a.Spec.PasswordSecretRef = ref(name, key) }
}

func pinIn(name, key string) func(*v1alpha1.Agent) {
	return func(a *v1alpha1.Agent) { a.Spec.Voicemail.PINSecretRef = ref(name, key) }
}

func phoneBy(name, key string) func(*v1alpha1.Agent) {
	return func(a *v1alpha1.Agent) { a.Spec.SIP.PasswordSecretRef = ref(name, key) }
}

func TestAgentCredentials(t *testing.T) {
	suiteOff := center("main", 9)
	suiteOff.Spec.Security.Suite = v1alpha1.Disabled
	for name, test := range map[string]struct {
		others []client.Object
		agent  *v1alpha1.Agent
		want   []string
		waits  bool
	}{
		"none": {agent: agent("alice", 1)},
		"all good": {
			others: []client.Object{center("main", 9), secret("alice", "agent", map[string]string{"password": "Str0ng~pass", "pin": "4711", "sip": "12345678"})},
			agent:  agent("alice", 1, signsInBy("alice", "password"), pinIn("alice", "pin"), phoneBy("alice", "sip")),
		},
		"weak password": {
			others: []client.Object{center("main", 9), secret("alice", "x", map[string]string{"password": "qwerty"})},
			agent:  agent("alice", 1, signsInBy("alice", "password")),
			want:   []string{`PasswordPolicyViolated spec.passwordSecretRef: Invalid value: key "password" of Secret alice: ` + weakRules},
		},
		"weak password without a security suite": {
			others: []client.Object{suiteOff, secret("alice", "x", map[string]string{"password": "qwerty"})},
			agent:  agent("alice", 1, signsInBy("alice", "password")),
		},
		"weak password before there is a center": {
			others: []client.Object{secret("alice", "x", map[string]string{"password": "qwerty"})},
			agent:  agent("alice", 1, signsInBy("alice", "password")),
		},
		"empty password before there is a center": {
			others: []client.Object{secret("alice", "x", map[string]string{"password": ""})},
			agent:  agent("alice", 1, signsInBy("alice", "password")),
			want:   []string{`PasswordPolicyViolated spec.passwordSecretRef: Invalid value: key "password" of Secret alice: the password must not be empty`},
		},
		"letters in the PIN": {
			others: []client.Object{secret("alice", "x", map[string]string{"pin": "47ll"})},
			agent:  agent("alice", 1, pinIn("alice", "pin")),
			want:   []string{`PINInvalid spec.voicemail.pinSecretRef: Invalid value: key "pin" of Secret alice: the PIN must be 4 to 10 digits`},
		},
		"PIN equals the allocated extension": {
			others: []client.Object{secret("alice", "x", map[string]string{"pin": "1001"})},
			agent:  agent("alice", 1, pinIn("alice", "pin"), has("1001")),
			want:   []string{`PINInvalid spec.voicemail.pinSecretRef: Invalid value: key "pin" of Secret alice: the PIN must differ from the extension`},
		},
		"short SIP password": {
			others: []client.Object{secret("alice", "x", map[string]string{"sip": "1234567"})},
			agent:  agent("alice", 1, phoneBy("alice", "sip")),
			want:   []string{`Invalid spec.sip.passwordSecretRef: Invalid value: key "sip" of Secret alice: the SIP password needs at least 8 characters`},
		},
		"SIP password with a line break": {
			others: []client.Object{secret("alice", "x", map[string]string{"sip": "12345678\n"})},
			agent:  agent("alice", 1, phoneBy("alice", "sip")),
			want: []string{`Invalid spec.sip.passwordSecretRef: Invalid value: key "sip" of Secret alice: ` +
				"the SIP password must be UTF-8 text without control characters, such as a line break at its end"},
		},
		"no Secret": {
			agent: agent("alice", 1, signsInBy("alice", "password")),
			want:  []string{"SecretNotFound spec.passwordSecretRef.name: Not found: Secret alice is not there or lacks the label ringmaster.dev/credential"},
			waits: true,
		},
		"no label": {
			others: []client.Object{secret("alice", "", map[string]string{"password": "qwerty"})},
			agent:  agent("alice", 1, signsInBy("alice", "password")),
			want:   []string{"SecretNotLabelled spec.passwordSecretRef.name: Forbidden: Secret alice lacks the label ringmaster.dev/credential and is not read"},
			waits:  true,
		},
		"no key": {
			others: []client.Object{secret("alice", "x", map[string]string{"Password": "qwerty"})},
			agent:  agent("alice", 1, signsInBy("alice", "password")),
			want:   []string{`SecretKeyMissing spec.passwordSecretRef.key: Not found: Secret alice has no key "password"`},
			waits:  true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			problems, err := Checker{Reader: reader(t, test.others...)}.AgentCredentials(t.Context(), test.agent)
			checkProblems(t, problems, err, test.want)
			checkSilent(t, problems, "qwerty", "47ll", "1234567")
			for _, p := range problems {
				if p.Waiting() != test.waits {
					t.Errorf("%s: Waiting %t", p, p.Waiting())
				}
			}
		})
	}
}

func mailbox(name, secretName string) *v1alpha1.EmailAccount {
	a := account(name, 1, "SUPP", "support@example.com")
	a.Spec.Authentication.Basic = &v1alpha1.BasicAuthentication{PasswordSecretRef: *ref(secretName, "password")}
	a.Spec.IMAP.CASecretRef = ref(secretName, "ca.crt")
	return a
}

func TestEmailAccountCredentials(t *testing.T) {
	problems, err := Checker{Reader: reader(t, secret("mail", "mailbox", map[string]string{"password": "hunter2\n", "ca.crt": "no PEM"}))}.
		EmailAccountCredentials(t.Context(), mailbox("support", "mail"))
	checkProblems(t, problems, err, []string{
		`Invalid spec.authentication.basic.passwordSecretRef: Invalid value: key "password" of Secret mail: ` +
			"the password must be UTF-8 text without control characters, such as a line break at its end",
		`Invalid spec.imap.caSecretRef: Invalid value: key "ca.crt" of Secret mail: the CA bundle must hold at least one certificate in PEM`,
	})
	checkSilent(t, problems, "hunter2", "no PEM")
}

func TestSecretRules(t *testing.T) {
	main := center("main", 9)
	for name, test := range map[string]struct {
		others []client.Object
		secret *corev1.Secret
		want   []string
	}{
		"nobody refers to it": {
			others: []client.Object{main},
			secret: secret("alice", "sip", map[string]string{"password": "qwerty"}),
		},
		"an agent's by its label": {
			others: []client.Object{main},
			secret: secret("alice", "agent", map[string]string{"password": "qwerty", "pin": "12", "note": "x"}),
			want: []string{
				"PasswordPolicyViolated data[password]: Invalid value: " + weakRules + " (it is the sign-in password of an agent)",
				"PINInvalid data[pin]: Invalid value: the PIN must be 4 to 10 digits (it is the voicemail PIN of an agent)",
			},
		},
		"an agent's by its label, before there is a center": {
			secret: secret("alice", "agent", map[string]string{"password": "qwerty"}),
		},
		"one of two agents": {
			others: []client.Object{main, agent("alice", 1, signsInBy("both", "alice")), agent("bob", 1, signsInBy("both", "bob"))},
			secret: secret("both", "x", map[string]string{"alice": "Str0ng~pass", "bob": "qwerty"}),
			want:   []string{"PasswordPolicyViolated data[bob]: Invalid value: " + weakRules + " (it is the sign-in password of Agent bob)"},
		},
		"two agents share a password": {
			others: []client.Object{main, agent("alice", 1, signsInBy("both", "password")), agent("bob", 1, signsInBy("both", "password"))},
			secret: secret("both", "agent", map[string]string{"password": "qwerty"}),
			want:   []string{"PasswordPolicyViolated data[password]: Invalid value: " + weakRules + " (it is the sign-in password of Agent alice)"},
		},
		"the PIN is the extension of one of two agents": {
			others: []client.Object{agent("alice", 1, pinIn("both", "pin"), has("1001")), agent("bob", 1, pinIn("both", "pin"), has("1002"))},
			secret: secret("both", "x", map[string]string{"pin": "1002"}),
			want:   []string{"PINInvalid data[pin]: Invalid value: the PIN must differ from the extension (it is the voicemail PIN of Agent bob)"},
		},
		"a phone's": {
			others: []client.Object{agent("alice", 1, phoneBy("alice", "sip"))},
			secret: secret("alice", "agent", map[string]string{"sip": "short"}),
			want:   []string{"Invalid data[sip]: Invalid value: the SIP password needs at least 8 characters (it is the SIP password of Agent alice)"},
		},
		"a telephone's": {
			others: []client.Object{deskPhone("desk7", 1, func(p *v1alpha1.Telephone) { p.Spec.SIP.PasswordSecretRef = ref("desk7", "sip") })},
			secret: secret("desk7", "agent", map[string]string{"sip": "short"}),
			want:   []string{"Invalid data[sip]: Invalid value: the SIP password needs at least 8 characters (it is the SIP password of Telephone desk7)"},
		},
		"a mailbox's": {
			others: []client.Object{mailbox("support", "mail")},
			secret: secret("mail", "x", map[string]string{"password": "", "ca.crt": "no PEM"}),
			want: []string{
				"Invalid data[password]: Invalid value: the password must not be empty (it is the password of EmailAccount support)",
				"Invalid data[ca.crt]: Invalid value: the CA bundle must hold at least one certificate in PEM (it is the IMAP CA bundle of EmailAccount support)",
			},
		},
		"a key that is used is gone": {
			others: []client.Object{main, agent("alice", 1, signsInBy("alice", "password"))},
			secret: secret("alice", "x", nil),
			want:   []string{"SecretKeyMissing data[password]: Not found: the key is missing (it is the sign-in password of Agent alice)"},
		},
		"without the label": {
			others: []client.Object{main, agent("alice", 1, signsInBy("alice", "password"))},
			secret: secret("alice", "", map[string]string{"password": "qwerty"}),
		},
		"of the same name elsewhere": {
			others: []client.Object{main, agent("alice", 1, signsInBy("alice", "password"))},
			secret: func() *corev1.Secret {
				s := secret("alice", "x", map[string]string{"password": "qwerty"})
				s.Namespace = "other"
				return s
			}(),
		},
	} {
		t.Run(name, func(t *testing.T) {
			problems, known, err := Checker{Reader: reader(t, test.others...)}.Secret(t.Context(), nil, test.secret)
			checkProblems(t, problems, err, test.want)
			checkProblems(t, known, err, nil)
			checkSilent(t, problems, "qwerty", "hunter2", "no PEM", "short")
		})
	}
}

// Values that stay as they are are not judged again, except with a value they belong to.
func TestSecretChanges(t *testing.T) {
	main := center("main", 9)
	signsIn := agent("alice", 1, signsInBy("alice", "password"), phoneBy("alice", "sip"))
	weak := "PasswordPolicyViolated data[password]: Invalid value: " + weakRules + " (it is the sign-in password of Agent alice)"
	with := func(password, sip string) *corev1.Secret {
		return secret("alice", "x", map[string]string{"password": password, "sip": sip})
	}
	for name, test := range map[string]struct {
		old, new *corev1.Secret
		problems []string
		known    []string
	}{
		"another value":         {with("qwerty", "12345678"), with("qwerty", "87654321"), nil, []string{weak}},
		"another weak one":      {with("qwerty", "12345678"), with("ytrewq", "12345678"), []string{weak}, nil},
		"a good one":            {with("qwerty", "12345678"), with("Str0ng~pass", "12345678"), nil, nil},
		"the label for the key": {secret("alice", "", map[string]string{"password": "qwerty", "sip": "12345678"}), with("qwerty", "12345678"), []string{weak}, nil},
		"one goes": {with("Str0ng~pass", "12345678"), secret("alice", "x", map[string]string{"password": "Str0ng~pass"}),
			[]string{"SecretKeyMissing data[sip]: Not found: the key is missing (it is the SIP password of Agent alice)"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			problems, known, err := Checker{Reader: reader(t, main, signsIn)}.Secret(t.Context(), test.old, test.new)
			checkProblems(t, problems, err, test.problems)
			checkProblems(t, known, err, test.known)
		})
	}
}

func TestTelephoneCredentials(t *testing.T) {
	phone := deskPhone("desk7", 1, func(p *v1alpha1.Telephone) { p.Spec.SIP.PasswordSecretRef = ref("desk7", "sip") })
	for name, test := range map[string]struct {
		others []client.Object
		want   []string
	}{
		"good": {[]client.Object{secret("desk7", "x", map[string]string{"sip": "12345678"})}, nil},
		"short": {[]client.Object{secret("desk7", "x", map[string]string{"sip": "1234567"})},
			[]string{`Invalid spec.sip.passwordSecretRef: Invalid value: key "sip" of Secret desk7: the SIP password needs at least 8 characters`}},
		"absent": {nil, []string{"SecretNotFound spec.sip.passwordSecretRef.name: Not found: Secret desk7 is not there or lacks the label ringmaster.dev/credential"}},
	} {
		t.Run(name, func(t *testing.T) {
			problems, err := Checker{Reader: reader(t, test.others...)}.TelephoneCredentials(t.Context(), phone)
			checkProblems(t, problems, err, test.want)
			checkSilent(t, problems, "1234567")
		})
	}
	problems, err := Checker{Reader: reader(t)}.TelephoneCredentials(t.Context(), deskPhone("desk8", 1))
	checkProblems(t, problems, err, nil)
}
