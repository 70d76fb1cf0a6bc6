package servingcert

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Lifetimes. Each leaves the next one room: an authority is replaced while every certificate it could have signed has
// expired long before it does, and its successor is in every bundle for a month before it signs anything.
const (
	// AuthorityLifetime of a certificate authority.
	AuthorityLifetime = 10 * 365 * 24 * time.Hour
	// AuthorityOverlap is how long before its end an authority gets a successor.
	AuthorityOverlap = 2 * 365 * 24 * time.Hour
	// CertificateLifetime of a serving certificate, which is replaced after two thirds of it.
	CertificateLifetime = 365 * 24 * time.Hour
	// SettleTime is how long a new authority is published before it signs a certificate, as long as the present
	// certificate is good.
	SettleTime = 30 * 24 * time.Hour

	// clockSkew that clients may have.
	clockSkew = 5 * time.Minute
)

// Keys of the Secret. Bundle holds the authorities in PEM, the newest, which signs, first.
const (
	BundleKey       = "ca.crt"
	AuthorityKeyKey = "ca.key"
	CertificateKey  = corev1.TLSCertKey
	PrivateKeyKey   = corev1.TLSPrivateKeyKey
)

// names are what the serving certificate is valid for.
type names struct {
	dns []string
	ips []net.IP
}

// material is the content of the Secret.
type material struct {
	// authorities that clients trust, the newest first.
	authorities []*x509.Certificate
	// signer is the key of authorities[0].
	signer *ecdsa.PrivateKey
	// leaf is the serving certificate with its key, nil when there is none.
	leaf *tls.Certificate
}

// parse reads a Secret. What cannot be read or does not fit together is left out, and so replaced by renewed.
func parse(data map[string][]byte) material {
	var m material
	for rest := data[BundleKey]; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if cert, err := x509.ParseCertificate(block.Bytes); err == nil && cert.IsCA {
			m.authorities = append(m.authorities, cert)
		}
	}
	if block, _ := pem.Decode(data[AuthorityKeyKey]); block != nil && len(m.authorities) > 0 {
		if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
			if signer, ok := key.(*ecdsa.PrivateKey); ok && signer.PublicKey.Equal(m.authorities[0].PublicKey) {
				m.signer = signer
			}
		}
	}
	if leaf, err := tls.X509KeyPair(data[CertificateKey], data[PrivateKeyKey]); err == nil {
		m.leaf = &leaf
	}
	return m
}

// encode is the inverse of parse.
func (m material) encode() (map[string][]byte, error) {
	signer, err := x509.MarshalPKCS8PrivateKey(m.signer)
	if err != nil {
		return nil, err
	}
	key, err := x509.MarshalPKCS8PrivateKey(m.leaf.PrivateKey)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{
		BundleKey:       m.bundle(),
		AuthorityKeyKey: encodePEM("PRIVATE KEY", signer),
		CertificateKey:  encodePEM("CERTIFICATE", m.leaf.Certificate[0]),
		PrivateKeyKey:   encodePEM("PRIVATE KEY", key),
	}, nil
}

// bundle is what clients trust.
func (m material) bundle() []byte {
	var out bytes.Buffer
	for _, authority := range m.authorities {
		out.Write(encodePEM("CERTIFICATE", authority.Raw))
	}
	return out.Bytes()
}

func encodePEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// renewed returns what is to be used from now on, and whether that is something new.
func (m material) renewed(now time.Time, n names) (material, bool, error) {
	changed := false
	alive := slices.DeleteFunc(slices.Clone(m.authorities), func(a *x509.Certificate) bool { return now.After(a.NotAfter) })
	if len(alive) != len(m.authorities) {
		m.authorities, changed = alive, true
	}
	if m.signer == nil || len(m.authorities) == 0 || now.After(m.authorities[0].NotAfter.Add(-AuthorityOverlap)) {
		authority, key, err := newAuthority(now)
		if err != nil {
			return m, false, fmt.Errorf("make a certificate authority: %w", err)
		}
		m.authorities, m.signer, changed = append([]*x509.Certificate{authority}, m.authorities...), key, true
	}
	if m.leafIsGood(now, n) && (!m.leafIsDue(now) || m.signerIsSettling(now)) {
		return m, changed, nil
	}
	leaf, err := newLeaf(now, n, m.authorities[0], m.signer)
	if err != nil {
		return m, false, fmt.Errorf("make a serving certificate: %w", err)
	}
	m.leaf = leaf
	return m, true, nil
}

// leafIsGood tells whether clients that have the bundle accept the certificate now, under every name.
func (m material) leafIsGood(now time.Time, n names) bool {
	if m.leaf == nil {
		return false
	}
	pool := x509.NewCertPool()
	for _, authority := range m.authorities {
		pool.AddCert(authority)
	}
	cert := m.leaf.Leaf
	if _, err := cert.Verify(x509.VerifyOptions{Roots: pool, CurrentTime: now}); err != nil {
		return false
	}
	for _, name := range n.dns {
		if !slices.Contains(cert.DNSNames, name) {
			return false
		}
	}
	for _, ip := range n.ips {
		if !slices.ContainsFunc(cert.IPAddresses, ip.Equal) {
			return false
		}
	}
	return true
}

func (m material) leafIsDue(now time.Time) bool {
	cert := m.leaf.Leaf
	return !now.Before(cert.NotBefore.Add(cert.NotAfter.Sub(cert.NotBefore) / 3 * 2))
}

func (m material) signerIsSettling(now time.Time) bool {
	return now.Before(m.authorities[0].NotBefore.Add(SettleTime))
}

func newAuthority(now time.Time) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "Ringmaster " + now.UTC().Format(time.DateOnly)},
		NotBefore:             now.Add(-clockSkew),
		NotAfter:              now.Add(AuthorityLifetime),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	return sign(template, nil, nil)
}

func newLeaf(now time.Time, n names, authority *x509.Certificate, signer *ecdsa.PrivateKey) (*tls.Certificate, error) {
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "ringmaster"},
		NotBefore:   now.Add(-clockSkew),
		NotAfter:    now.Add(CertificateLifetime),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    n.dns,
		IPAddresses: n.ips,
	}
	cert, key, err := sign(template, authority, signer)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}, nil
}

// sign makes a key and a certificate for it, self-signed without a parent.
func sign(template, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)); err != nil {
		return nil, nil, err
	}
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return cert, key, err
}
