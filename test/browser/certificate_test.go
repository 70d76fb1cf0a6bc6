package browser_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"strconv"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/ringmaster-dev/ringmaster/internal/voice"
	"github.com/ringmaster-dev/ringmaster/test/env"
)

// fingerprint is the SHA-256 of a certificate.
func fingerprint(c voice.Certificate) string {
	block, _ := pem.Decode(c.CertPEM)
	sum := sha256.Sum256(block.Bytes)
	return hex.EncodeToString(sum[:])
}

// certificate is a new one of the environment's CA.
func (r *rig) certificate(t *testing.T, name string) voice.Certificate {
	t.Helper()
	certFile, keyFile, err := r.pbx.CA.Issue(name, pkix.Name{CommonName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	var c voice.Certificate
	if c.CertPEM, err = os.ReadFile(certFile); err != nil {
		t.Fatal(err)
	}
	if c.KeyPEM, err = os.ReadFile(keyFile); err != nil {
		t.Fatal(err)
	}
	return c
}

// selfSigned is a certificate for localhost that no authority has signed.
func selfSigned(t *testing.T) voice.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.ParseIP(env.Loopback)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return voice.Certificate{
		CertPEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		KeyPEM:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
	}
}

// served is the SHA-256 of the certificate that a new connection is shown.
func (r *rig) served(t *testing.T) string {
	t.Helper()
	dialer := tls.Dialer{Config: &tls.Config{
		// It is looked at, not relied upon.
		InsecureSkipVerify: true,
	}}
	conn, err := dialer.DialContext(soon(t), "tcp", net.JoinHostPort(env.Loopback, strconv.Itoa(r.pbx.WSSPort)))
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	sum := sha256.Sum256(conn.(*tls.Conn).ConnectionState().PeerCertificates[0].Raw)
	return hex.EncodeToString(sum[:])
}

// rotate changes the certificate under the running Asterisk and waits until a
// new connection is served it.
func (r *rig) rotate(t *testing.T, cert voice.Certificate) {
	t.Helper()
	r.write(t, cert)
	r.rx(t, "module reload http")
	NewWithT(t).Eventually(func() string { return r.served(t) }).WithTimeout(patience).
		WithPolling(50 * time.Millisecond).Should(Equal(fingerprint(cert)))
}

// TestCertificateRotation changes the certificate of the PBX while a browser
// talks: the call, its audio and its WebSocket stay, new connections get the
// new certificate, and the browser checks it.
func TestCertificateRotation(t *testing.T) {
	r := newRig(t)
	g := NewWithT(t)
	first := r.served(t)
	dario := r.deskPhone(t)
	alice := r.registered(t, "1001")
	g.Expect(alice.Call(soon(t), "1004")).To(Succeed())
	call := upAt(t, dario)
	hears(t, alice, "audio/opus")

	stays := func(t *testing.T) {
		t.Helper()
		s := hears(t, alice, "audio/opus")
		NewWithT(t).Expect(s.Connected && s.Registered).To(BeTrue())
		NewWithT(t).Expect(s.Sockets).To(Equal(1), "WebSockets that the client had to open")
		r.passes(t, "1001", "1004")
		phoneHears(t, call)
	}

	second := r.certificate(t, "pbx-second")
	g.Expect(fingerprint(second)).NotTo(Equal(first))
	r.rotate(t, second)
	stays(t)
	bruno := r.registered(t, "1002")
	g.Expect(bruno.Unregister(soon(t))).To(Succeed())

	// Neither does a change of endpoints touch who is connected.
	r.write(t, second)
	r.rx(t, "module reload res_pjsip.so")
	stays(t)

	// Browsers refuse a certificate that no authority signed; who is connected
	// stays so.
	r.rotate(t, selfSigned(t))
	g.Expect(alice.Connects(soon(t), r.pbx.WSSURL)).To(BeFalse())
	g.Expect(r.browser.Page(t).Register(soon(t), r.account(t, "1002"))).To(MatchError(ContainSubstring("WebSocket")))
	stays(t)

	r.rotate(t, r.certificate(t, "pbx-third"))
	g.Expect(alice.Connects(soon(t), r.pbx.WSSURL)).To(BeTrue())
	stays(t)

	// The old WebSocket still carries SIP: the hangup reaches the phone.
	g.Expect(alice.Hangup(soon(t))).To(Succeed())
	g.Eventually(call.Done()).WithTimeout(patience).Should(BeClosed())
	r.over(t, dario, alice)
}
