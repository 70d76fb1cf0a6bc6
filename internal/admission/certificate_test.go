package admission

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

// pair makes a certificate for the host with its key, and says when it ends. Only one of an authority is not self-signed.
func pair(t *testing.T, byAuthority bool, host string, ends time.Duration) (map[string]string, time.Time) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-365 * 24 * time.Hour), NotAfter: time.Now().Add(ends).Truncate(time.Second),
	}
	parent, signer := leaf, key
	if byAuthority {
		parent = &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "authority"}}
		if signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		corev1.TLSCertKey:       string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		corev1.TLSPrivateKeyKey: string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})),
	}, leaf.NotAfter.UTC()
}

func servesBy(name string) func(*v1alpha1.PBX) {
	return func(p *v1alpha1.PBX) { p.Spec.TLS = &v1alpha1.PBXTLS{SecretRef: v1alpha1.ObjectReference{Name: name}} }
}

const year = 365 * 24 * time.Hour

func TestPBXCredentials(t *testing.T) {
	good, _ := pair(t, true, "pbx.example.com", year)
	other, _ := pair(t, true, "pbx.example.com", year)
	old, ended := pair(t, true, "pbx.example.com", -time.Hour)
	mixed := map[string]string{"tls.crt": good["tls.crt"], "tls.key": other["tls.key"]}
	for name, test := range map[string]struct {
		others []client.Object
		want   []string
		waits  bool
	}{
		"good":           {others: []client.Object{secret("pbx", "tls", good)}},
		"another's key":  {[]client.Object{secret("pbx", "tls", mixed)}, []string{"Invalid spec.tls.secretRef: Invalid value: Secret pbx: the key does not fit the first certificate: tls: private key does not match public key"}, false},
		"expired":        {[]client.Object{secret("pbx", "tls", old)}, []string{"CertificateExpired spec.tls.secretRef: Invalid value: Secret pbx: the certificate has expired: it was valid until " + ended.Format(time.RFC3339)}, false},
		"no certificate": {[]client.Object{secret("pbx", "tls", map[string]string{"tls.crt": "", "tls.key": good["tls.key"]})}, []string{"Invalid spec.tls.secretRef: Invalid value: Secret pbx: the chain holds no certificate in PEM"}, false},
		"no key":         {[]client.Object{secret("pbx", "tls", map[string]string{"tls.crt": good["tls.crt"]})}, []string{`SecretKeyMissing spec.tls.secretRef: Not found: Secret pbx has no key "tls.key"`}, true},
		"no Secret":      {nil, []string{"SecretNotFound spec.tls.secretRef.name: Not found: Secret pbx is not there or lacks the label ringmaster.dev/credential"}, true},
		"no label":       {[]client.Object{secret("pbx", "", good)}, []string{"SecretNotLabelled spec.tls.secretRef.name: Forbidden: Secret pbx lacks the label ringmaster.dev/credential and is not read"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			problems, err := Checker{Reader: reader(t, test.others...)}.PBXCredentials(t.Context(), pbx("main", servesBy("pbx")))
			checkProblems(t, problems, err, test.want)
			for _, p := range problems {
				if p.Waiting() != test.waits {
					t.Errorf("%s: Waiting %t", p, p.Waiting())
				}
			}
		})
	}
	problems, err := Checker{Reader: reader(t)}.PBXCredentials(t.Context(), pbx("main"))
	checkProblems(t, problems, err, nil)
}

func TestCertificateWarnings(t *testing.T) {
	good, _ := pair(t, true, "pbx.example.com", year)
	self, _ := pair(t, false, "pbx.example.com", year)
	wrong, _ := pair(t, true, "old.example.com", year)
	ending, ends := pair(t, true, "pbx.example.com", ExpiresSoon-time.Hour)
	longer, _ := pair(t, true, "pbx.example.com", ExpiresSoon+time.Hour)
	old, _ := pair(t, false, "old.example.com", -time.Hour)
	for name, test := range map[string]struct {
		data map[string]string
		want []string
	}{
		"good":                {good, nil},
		"self-signed":         {self, []string{"SelfSigned: browsers and most phones refuse the certificate of PBX main until they are told to trust it"}},
		"for another host":    {wrong, []string{"NameMismatch: the certificate of PBX main is not for its advertisedAddress pbx.example.com"}},
		"at its end":          {ending, []string{"the certificate of PBX main expires in 14 days, at " + ends.Format(time.RFC3339)}},
		"not at its end":      {longer, nil},
		"refused in any case": {old, nil},
	} {
		t.Run(name, func(t *testing.T) {
			in := func(field string) (out []string) {
				for _, w := range test.want {
					out = append(out, field+": "+w)
				}
				return out
			}
			main, tls := pbx("main", servesBy("pbx")), secret("pbx", "tls", test.data)
			c := Checker{Reader: reader(t, main, tls, pbx("without"))}
			warnings, err := c.PBXWarnings(t.Context(), main)
			checkWarnings(t, warnings, err, in("spec.tls.secretRef"))
			warnings, err = c.SecretWarnings(t.Context(), tls)
			checkWarnings(t, warnings, err, in("data[tls.crt]"))
		})
	}
	unread := secret("pbx", "", self)
	c := Checker{Reader: reader(t, unread)}
	for name, of := range map[string]*v1alpha1.PBX{"no TLS": pbx("main"), "no Secret": pbx("main", servesBy("absent")), "no label": pbx("main", servesBy("pbx"))} {
		warnings, err := c.PBXWarnings(t.Context(), of)
		if err != nil || len(warnings) > 0 {
			t.Errorf("%s: %q, %v", name, warnings, err)
		}
	}
	if warnings, err := c.SecretWarnings(t.Context(), unread); err != nil || len(warnings) > 0 {
		t.Errorf("a Secret without the label: %q, %v", warnings, err)
	}
}

// A pair is judged as one: whichever half of it changes, the other one is the reason why it does not fit.
func TestCertificateSecretChanges(t *testing.T) {
	first, _ := pair(t, true, "pbx.example.com", year)
	second, _ := pair(t, true, "pbx.example.com", year)
	old, ended := pair(t, true, "pbx.example.com", -time.Hour)
	of := func(crt, key string) *corev1.Secret {
		return secret("pbx", "tls", map[string]string{"tls.crt": crt, "tls.key": key})
	}
	noted := func(s *corev1.Secret) *corev1.Secret {
		s.Data["ca.crt"] = []byte("x")
		return s
	}
	mismatch := "Invalid data[tls.key]: Invalid value: the key does not fit the first certificate: tls: private key does not match public key (it is the certificate of PBX main)"
	expired := "CertificateExpired data[tls.crt]: Invalid value: the certificate has expired: it was valid until " + ended.Format(time.RFC3339) + " (it is the certificate of PBX main)"
	present := of(first["tls.crt"], first["tls.key"])
	ancient := of(old["tls.crt"], old["tls.key"])
	for name, test := range map[string]struct {
		old, new *corev1.Secret
		problems []string
		known    []string
	}{
		"renewed":                 {present, of(second["tls.crt"], second["tls.key"]), nil, nil},
		"only the certificate":    {present, of(second["tls.crt"], first["tls.key"]), []string{mismatch}, nil},
		"only the key":            {present, of(first["tls.crt"], second["tls.key"]), []string{mismatch}, nil},
		"to an expired one":       {present, ancient, []string{expired}, nil},
		"garbage":                 {present, of("hunter2", "hunter2"), []string{"Invalid data[tls.crt]: Invalid value: the chain holds no certificate in PEM (it is the certificate of PBX main)"}, nil},
		"beside what has expired": {ancient, noted(of(old["tls.crt"], old["tls.key"])), nil, []string{expired}},
	} {
		t.Run(name, func(t *testing.T) {
			problems, known, err := Checker{Reader: reader(t, pbx("main", servesBy("pbx")))}.Secret(t.Context(), test.old, test.new)
			checkProblems(t, problems, err, test.problems)
			checkProblems(t, known, err, test.known)
			checkSilent(t, problems, "hunter2")
		})
	}
	problems, known, err := Checker{Reader: reader(t, pbx("main"))}.Secret(t.Context(), present, of("x", "y"))
	checkProblems(t, problems, err, nil)
	checkProblems(t, known, err, nil)
}
