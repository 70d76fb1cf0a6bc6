package security

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

// issued is a certificate with its key.
type issued struct {
	der []byte
	crt *x509.Certificate
	key crypto.Signer
}

func (c issued) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.der})
}

func (c issued) keyPEM(t *testing.T) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(c.key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// issue makes a certificate that is valid from an hour before noon to an hour after it. Without an authority it signs itself.
func issue(t *testing.T, authority *issued, key crypto.Signer, change ...func(*x509.Certificate)) issued {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "pbx"}, NotBefore: noon.Add(-time.Hour), NotAfter: noon.Add(time.Hour),
		DNSNames: []string{"pbx.example.com", "*.voice.example.com"}, IPAddresses: []net.IP{net.ParseIP("192.0.2.7"), net.ParseIP("2001:db8::7")},
	}
	for _, f := range change {
		f(template)
	}
	parent, signer := template, key
	if authority != nil {
		parent, signer = authority.crt, authority.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	crt, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return issued{der, crt, key}
}

func ec(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func rsaOf(t *testing.T, bits int) crypto.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func ca(c *x509.Certificate) {
	c.IsCA, c.BasicConstraintsValid, c.Subject.CommonName, c.DNSNames, c.IPAddresses = true, true, "authority", nil, nil
}

func join(parts ...[]byte) []byte { return slices.Concat(parts...) }

func TestCheckCertificateDescribes(t *testing.T) {
	authority := issue(t, nil, ec(t), ca)
	leaf := issue(t, &authority, ec(t))
	sum := sha256.Sum256(leaf.der)
	chain := join([]byte("subject=CN = pbx\n"), leaf.pem(), []byte("issuer\n"), authority.pem())
	for host, covered := range map[string]bool{
		"pbx.example.com": true, "PBX.example.com": true, "a.voice.example.com": true, "192.0.2.7": true, "2001:db8::7": true,
		"example.com": false, "a.b.voice.example.com": false, "192.0.2.8": false, "pbx": false, "": false,
	} {
		info, err := CheckCertificate(chain, leaf.keyPEM(t), host, noon)
		if err != nil {
			t.Fatal(err)
		}
		if info.CoversHost != covered {
			t.Errorf("%q: covered %t", host, info.CoversHost)
		}
		if info.SelfSigned || info.SHA256 != hex.EncodeToString(sum[:]) || !info.NotAfter.Equal(noon.Add(time.Hour)) ||
			!slices.Equal(info.Names, []string{"pbx.example.com", "*.voice.example.com", "192.0.2.7", "2001:db8::7"}) {
			t.Errorf("%q: %+v", host, info)
		}
	}
	self := issue(t, nil, ec(t))
	if info, err := CheckCertificate(self.pem(), self.keyPEM(t), "pbx.example.com", noon); err != nil || !info.SelfSigned || !info.CoversHost {
		t.Errorf("self-signed: %+v, %v", info, err)
	}
	// An authority of the same name is not the certificate itself.
	namesake := issue(t, nil, ec(t), ca, func(c *x509.Certificate) { c.Subject.CommonName = "pbx" })
	leaf = issue(t, &namesake, ec(t))
	if info, err := CheckCertificate(leaf.pem(), leaf.keyPEM(t), "", noon); err != nil || info.SelfSigned {
		t.Errorf("of an authority with the same name: %+v, %v", info, err)
	}
}

func TestCheckCertificateAcceptsKeys(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]crypto.Signer{"RSA": rsaOf(t, MinRSABits), "ECDSA": ec(t), "Ed25519": ed} {
		c := issue(t, nil, key)
		if _, err := CheckCertificate(c.pem(), c.keyPEM(t), "", noon); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The form that `openssl ecparam -genkey` writes.
	c := issue(t, nil, ec(t))
	der, err := x509.MarshalECPrivateKey(c.key.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	key := join(pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{6, 8}}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}))
	if _, err := CheckCertificate(c.pem(), key, "", noon); err != nil {
		t.Error(err)
	}
}

func TestCheckCertificateRefuses(t *testing.T) {
	good, other := issue(t, nil, ec(t)), issue(t, nil, ec(t))
	small := issue(t, nil, rsaOf(t, 1024))
	key := good.keyPEM(t)
	damaged := []byte(strings.Replace(string(other.pem()), "MII", "M!I", 1))
	for name, test := range map[string]struct {
		cert, key []byte
		now       time.Time
		says      string
		described bool
	}{
		"nothing":                        {nil, nil, noon, "no certificate in PEM", false},
		"no PEM":                         {[]byte("garbage"), key, noon, "no certificate in PEM", false},
		"no certificate":                 {pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}), key, noon, "certificate 1 of the chain", false},
		"a damaged issuer":               {join(good.pem(), damaged), key, noon, "damaged PEM", false},
		"an issuer that is none":         {join(good.pem(), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE"})), key, noon, "certificate 2 of the chain", false},
		"the key among the certificates": {join(good.pem(), key), key, noon, "no certificate: PRIVATE KEY", false},
		"no key":                         {good.pem(), nil, noon, "the key does not fit", true},
		"garbage for a key":              {good.pem(), []byte("hunter2"), noon, "the key does not fit", true},
		"another key":                    {good.pem(), other.keyPEM(t), noon, "key does not match public key", true},
		"the key of the issuer":          {join(good.pem(), other.pem()), other.keyPEM(t), noon, "key does not match public key", true},
		"a small key":                    {small.pem(), small.keyPEM(t), noon, "the RSA key has 1024 bits, and at least 2048 are needed", true},
		"expired":                        {good.pem(), key, noon.Add(time.Hour + time.Second), "expired: it was valid until 2030-01-01T13:00:00Z", true},
		"not valid yet":                  {good.pem(), key, noon.Add(-time.Hour - time.Second), "not valid before 2030-01-01T11:00:00Z", true},
	} {
		t.Run(name, func(t *testing.T) {
			info, err := CheckCertificate(test.cert, test.key, "pbx.example.com", test.now)
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Fatalf("the error does not say %q: %v", test.says, err)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error repeats the key: %v", err)
			}
			if errors.Is(err, ErrCertificateExpired) != (name == "expired") {
				t.Errorf("expired: %v", err)
			}
			if mismatch := strings.Contains(test.says, "key does not"); errors.Is(err, ErrKeyMismatch) != mismatch {
				t.Errorf("mismatch: %v", err)
			}
			if (info.SHA256 != "") != test.described {
				t.Errorf("described: %+v", info)
			}
		})
	}
}
