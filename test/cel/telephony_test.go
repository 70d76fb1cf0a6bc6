package cel

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"maps"
	"math/big"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

// pair is a self-signed certificate for pbx.example.com with its key, and how long it is valid.
func pair(t *testing.T, ends time.Duration) map[string][]byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "pbx"}, DNSNames: []string{"pbx.example.com"},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(ends),
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, leaf, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{
		corev1.TLSCertKey:       pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		corev1.TLSPrivateKeyKey: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
	}
}

func (h *hooks) certificate(name string, data map[string][]byte) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: h.namespace, Name: name, Labels: map[string]string{v1alpha1.CredentialLabel: "tls"}},
		Type:       corev1.SecretTypeTLS, Data: data,
	}
}

func (h *hooks) pbx(t *testing.T, address, secret string) client.Object {
	return h.object(t, &v1alpha1.PBX{}, "{metadata: {name: main}, spec: {advertisedAddress: "+address+", tls: {secretRef: {name: "+secret+"}}, transports: {tls: {port: 5061}}}}")
}

const (
	year         = 365 * 24 * time.Hour
	mismatch     = "the key does not fit the first certificate: tls: private key does not match public key"
	selfSigned   = "SelfSigned: browsers and most phones refuse the certificate of PBX main until they are told to trust it"
	noEncryption = "spec.sip.transport: Forbidden: WS is not encrypted: use WSS, or the annotation ringmaster.dev/allow-insecure-ws"
)

func TestTelephonyIsRefused(t *testing.T) {
	h := serveHooks(t)
	telephone := func(name, spec string) client.Object {
		return h.object(t, &v1alpha1.Telephone{}, "metadata: {name: "+name+"}\nspec: {"+spec+"}")
	}
	good, other := pair(t, year), pair(t, year)
	mixed := maps.Clone(good)
	mixed[corev1.TLSPrivateKeyKey] = other[corev1.TLSPrivateKeyKey]
	h.mustCreate(t,
		h.object(t, &v1alpha1.ContactCenter{}, "metadata: {name: main}"),
		h.agent(t, "alice", "username: alice.r"), h.agent(t, "dora", "sip: {role: User}"),
		telephone("desk7", "sip: {passwordSecretRef: {name: desk7, key: sip}}"), telephone("floor-2", "username: floor2"),
		h.certificate("mixed", mixed), h.certificate("expired", pair(t, -time.Hour)),
		h.certificate("garbage", map[string][]byte{corev1.TLSCertKey: []byte("garbage"), corev1.TLSPrivateKeyKey: []byte("garbage")}),
	)
	for name, test := range map[string]struct {
		object client.Object
		says   string
	}{
		"username of a telephone":       {h.agent(t, "bob", "username: floor2"), `spec.username: Duplicate value: username "floor2" belongs to Telephone floor-2`},
		"name of a telephone":           {h.agent(t, "desk7", ""), `spec.username: Duplicate value: username "desk7" belongs to Telephone desk7`},
		"username of another telephone": {telephone("desk8", "username: desk7"), `spec.username: Duplicate value: username "desk7" belongs to Telephone desk7`},
		"username of an agent":          {telephone("desk8", "username: alice.r"), `spec.username: Duplicate value: username "alice.r" belongs to Agent alice`},
		"short password of a telephone": {h.secret(t, "desk7", "x", "sip: short"), "data[sip]: Invalid value: the SIP password needs at least 8 characters (it is the SIP password of Telephone desk7)"},
		"unencrypted browser":           {h.agent(t, "bob", "typology: WebRTC, sip: {transport: WS}"), noEncryption},
		"selector of telephones":        {h.agent(t, "bob", "typology: External, hotDesk: {state: Enabled, telephoneSelector: {matchExpressions: [{key: floor, operator: Is}]}}"), "spec.hotDesk.telephoneSelector: Invalid value"},
		"member who cannot be called":   {h.object(t, &v1alpha1.Queue{}, `{metadata: {name: sales}, spec: {number: "2600", members: [{agentRef: {name: dora}}]}}`), "spec.members[0].agentRef: Invalid value: Agent dora has sip.role User and cannot be called"},
		"key of another certificate":    {h.pbx(t, "pbx.example.com", "mixed"), "spec.tls.secretRef: Invalid value: Secret mixed: " + mismatch},
		"expired certificate":           {h.pbx(t, "pbx.example.com", "expired"), "spec.tls.secretRef: Invalid value: Secret expired: the certificate has expired: it was valid until 20"},
		"certificate that is none":      {h.pbx(t, "pbx.example.com", "garbage"), "spec.tls.secretRef: Invalid value: Secret garbage: the chain holds no certificate in PEM"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, h.tryCreate(t, test.object), test.says) })
	}
}

func TestTelephonyWarns(t *testing.T) {
	h := serveHooks(t)
	h.mustCreate(t,
		h.object(t, &v1alpha1.PBX{}, "{metadata: {name: other}, spec: {advertisedAddress: h, transports: {udp: {port: 5060}}}}"),
		h.object(t, &v1alpha1.Queue{}, `{metadata: {name: sales}, spec: {number: "2600", members: [{agentSelector: {}}]}}`),
		h.certificate("week", pair(t, 7*24*time.Hour+time.Minute)),
	)
	h.warned()
	for name, test := range map[string]struct {
		object client.Object
		warns  []string
	}{
		"no Secret": {h.pbx(t, "pbx.example.com", "absent"),
			[]string{"spec.tls.secretRef.name: Not found: Secret absent is not there or lacks the label ringmaster.dev/credential"}},
		"certificate": {h.pbx(t, "192.0.2.7", "week"), []string{
			"spec.tls.secretRef: " + selfSigned,
			"spec.tls.secretRef: NameMismatch: the certificate of PBX main is not for its advertisedAddress 192.0.2.7",
			"spec.tls.secretRef: the certificate of PBX main expires in 7 days, at 20",
		}},
		"old word":        {h.object(t, &v1alpha1.Telephone{}, "{metadata: {name: desk7}, spec: {sip: {nat: Route}}}"), []string{"RouteIsLegacy: spec.sip.nat: Route"}},
		"port of nobody":  {h.agent(t, "bob", "phonebar: {sipPort: 5099}"), []string{"spec.phonebar.sipPort: no transport of a PBX listens on port 5099"}},
		"queue of a user": {h.agent(t, "bob", "sip: {role: User}"), []string{"spec.sip.role: User cannot be called, so these queues leave the agent out: sales"}},
		"browser by permission": {h.object(t, &v1alpha1.Agent{}, `{metadata: {name: bob, annotations: {ringmaster.dev/allow-insecure-ws: "true"}},
			spec: {fullName: Bob, typology: WebRTC, sip: {transport: WS}}}`), nil},
	} {
		t.Run(name, func(t *testing.T) {
			// What a warning is about reaches the cache of the manager a moment after it is stored.
			NewWithT(t).Eventually(func() (string, error) {
				h.warned()
				err := h.tryCreate(t, test.object)()
				return h.warned(), err
			}).WithTimeout(timeout).Should(saysAll(test.warns))
		})
	}
}

// saysAll matches a text of just as many lines as parts, which contains all of them.
func saysAll(parts []string) OmegaMatcher {
	if len(parts) == 0 {
		return BeEmpty()
	}
	matchers := []OmegaMatcher{WithTransform(func(s string) int { return len(strings.Split(s, "\n")) }, Equal(len(parts)))}
	for _, part := range parts {
		matchers = append(matchers, ContainSubstring(part))
	}
	return And(matchers...)
}

// The certificate in use cannot be replaced by one that no listener could serve.
func TestCertificateInUseIsKept(t *testing.T) {
	h := serveHooks(t)
	g := NewWithT(t)
	good, other := pair(t, year), pair(t, year)
	secret := h.certificate("pbx", maps.Clone(good))
	h.mustCreate(t, secret)
	NewWithT(t).Eventually(func() (string, error) {
		h.warned()
		err := h.tryCreate(t, h.pbx(t, "pbx.example.com", "pbx"))()
		return h.warned(), err
	}).WithTimeout(timeout).Should(Equal("spec.tls.secretRef: " + selfSigned))
	h.mustCreate(t, h.pbx(t, "pbx.example.com", "pbx"))

	change := func(data map[string][]byte) func() error {
		return func() error {
			changed := secret.DeepCopy()
			changed.Data = data
			return h.Update(t.Context(), changed, client.DryRunAll)
		}
	}
	garbage := []byte("-----BEGIN CERTIFICATE-----\nhunter2\n-----END CERTIFICATE-----\n")
	refused(t, change(map[string][]byte{corev1.TLSCertKey: garbage, corev1.TLSPrivateKeyKey: good[corev1.TLSPrivateKeyKey]}),
		"data[tls.crt]: Invalid value: the chain holds no certificate in PEM (it is the certificate of PBX main)")
	refused(t, change(map[string][]byte{corev1.TLSCertKey: other[corev1.TLSCertKey], corev1.TLSPrivateKeyKey: good[corev1.TLSPrivateKeyKey]}),
		"data[tls.key]: Invalid value: "+mismatch+" (it is the certificate of PBX main)")
	refused(t, change(map[string][]byte{corev1.TLSCertKey: good[corev1.TLSCertKey], corev1.TLSPrivateKeyKey: other[corev1.TLSPrivateKeyKey]}),
		"data[tls.key]: Invalid value: "+mismatch)
	refused(t, change(pair(t, -time.Hour)), "data[tls.crt]: Invalid value: the certificate has expired")

	secret.Data = map[string][]byte{corev1.TLSCertKey: garbage, corev1.TLSPrivateKeyKey: []byte("hunter2")}
	g.Expect(h.Update(t.Context(), secret)).To(MatchError(And(ContainSubstring("data[tls.crt]"), Not(ContainSubstring("hunter2")))))
	g.Expect(h.Get(t.Context(), client.ObjectKeyFromObject(secret), secret)).To(Succeed())
	g.Expect(secret.Data).To(Equal(good))
	h.warned()
	secret.Data = other
	g.Expect(h.Update(t.Context(), secret)).To(Succeed())
	g.Expect(h.warned()).To(Equal("data[tls.crt]: " + selfSigned))
}

// The permission for WebSockets without encryption cannot be taken away under an agent that uses them, and an agent that
// slipped past admission can still be repaired.
func TestInsecureWebSocketByPermission(t *testing.T) {
	h := serveHooks(t)
	g := NewWithT(t)
	alice := h.agent(t, "alice", "typology: WebRTC, sip: {transport: WS}").(*v1alpha1.Agent)
	refused(t, h.tryCreate(t, alice), noEncryption)
	alice.Annotations = map[string]string{v1alpha1.AllowInsecureWSAnnotation: "true"}
	h.mustCreate(t, alice)
	alice.Annotations = nil
	g.Expect(h.Update(t.Context(), alice)).To(MatchError(ContainSubstring(noEncryption)))
	alice.Spec.SIP.Transport = v1alpha1.TransportWSS
	g.Expect(h.Update(t.Context(), alice)).To(Succeed())
}

// One apply moves an agent from the desktop to the browser and back: what the API server filled in for the old client
// does not stay behind. Both ways of kubectl to apply do it.
func TestKubectlApplyChangesTheClient(t *testing.T) {
	h := serveHooks(t)
	const (
		desktop = `{apiVersion: ringmaster.dev/v1alpha1, kind: Agent, metadata: {name: NAME}, spec: {fullName: Alice, phonebar: {}}}`
		browser = `{apiVersion: ringmaster.dev/v1alpha1, kind: Agent, metadata: {name: NAME}, spec: {fullName: Alice, typology: WebRTC, webrtc: {}, sip: {transport: WSS}}}`
		desk    = `{apiVersion: ringmaster.dev/v1alpha1, kind: Agent, metadata: {name: NAME}, spec: {fullName: Alice, typology: External,
			hotDesk: {state: Enabled}, sip: {registration: {mode: Static, host: 192.0.2.7}}}}`
	)
	for name, flags := range map[string][]string{"alice": nil, "bob": {"--server-side"}} {
		for _, manifest := range []string{desktop, browser, desk, browser, desktop} {
			manifest = strings.Replace(manifest, "NAME", name, 1)
			kubectl(t, []byte(manifest), append([]string{"apply", "-n", h.namespace, "-f", "-"}, flags...)...)
		}
		var agent v1alpha1.Agent
		if err := h.Get(t.Context(), client.ObjectKey{Namespace: h.namespace, Name: name}, &agent); err != nil {
			t.Fatal(err)
		}
		if s := agent.Spec; s.Phonebar == nil || s.WebRTC != nil || s.SIP.Transport != v1alpha1.TransportUDP || s.SIP.Role != v1alpha1.RoleFriend ||
			s.SIP.Registration != (v1alpha1.SIPRegistration{Mode: v1alpha1.RegistrationDynamic}) || s.HotDesk.State != v1alpha1.Disabled {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// Every manifest of config/samples is accepted as it is, without a refusal and without a word about unknown fields.
func TestSamplesAreAccepted(t *testing.T) {
	newClient(t)
	samples, err := filepath.Abs("../../config/samples")
	if err != nil {
		t.Fatal(err)
	}
	// The namespace has to be there for the rest, even in a dry run.
	kubectl(t, []byte("{apiVersion: v1, kind: Namespace, metadata: {name: contact-center}}"), "apply", "-f", "-")
	out := kubectl(t, nil, "apply", "--dry-run=server", "--validate=strict", "-k", samples)
	for _, kind := range []string{"contactcenter", "pbx", "agent", "agentprofile", "telephone", "team", "queue", "emailaccount",
		"routingflow", "schedule", "messagetemplate", "dispositionset", "cannedanswerset", "contactlist"} {
		if !strings.Contains(out, kind+".ringmaster.dev/") {
			t.Errorf("no %s: %s", kind, out)
		}
	}
}
