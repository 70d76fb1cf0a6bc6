package security

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"
)

// MinRSABits is the size of the smallest RSA key that a listener is given: OpenSSL at security level 2, which Debian sets,
// refuses smaller ones ("ee key too small"), and the listener would not start.
const MinRSABits = 2048

// ErrCertificateExpired is what CheckCertificate returns when the time of the leaf is over.
var ErrCertificateExpired = errors.New("the certificate has expired")

// ErrKeyMismatch is what CheckCertificate returns for a key that is none or not the one of the leaf.
var ErrKeyMismatch = errors.New("the key does not fit the first certificate")

// CertificateInfo describes the first certificate of a chain, the leaf.
type CertificateInfo struct {
	// SHA256 of the leaf in DER form, in lower-case hex.
	SHA256 string
	// NotAfter is when it expires.
	NotAfter time.Time
	// Names are the host names and IP addresses the leaf is valid for (subject alternative names, RFC 5280, 4.2.1.6).
	Names []string
	// SelfSigned leaves are trusted by nobody who was not told to.
	SelfSigned bool
	// CoversHost says whether Names match the host that was asked about (RFC 6125).
	CoversHost bool
}

// CheckCertificate judges what a TLS listener is to serve: certPEM is the chain with the leaf first, keyPEM the key of the
// leaf, host the name or IP address that clients use. It returns an error when a listener could not serve the pair or
// every client would refuse it: no PEM, ErrKeyMismatch, an RSA key below MinRSABits, not valid yet, or
// ErrCertificateExpired. A certificate for other names or one that signed itself is no error: the info says so, and it is
// filled as soon as the chain can be read, also beside an error. No error repeats any part of the key.
func CheckCertificate(certPEM, keyPEM []byte, host string, now time.Time) (CertificateInfo, error) {
	chain, err := parseChain(certPEM)
	if err != nil {
		return CertificateInfo{}, err
	}
	leaf := chain[0]
	info := describe(leaf, host)
	if _, err := tls.X509KeyPair(certPEM, keyPEM); err != nil {
		return info, fmt.Errorf("%w: %w", ErrKeyMismatch, err)
	}
	if key, ok := leaf.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() < MinRSABits {
		return info, fmt.Errorf("the RSA key has %d bits, and at least %d are needed", key.N.BitLen(), MinRSABits)
	}
	if now.After(info.NotAfter) {
		return info, fmt.Errorf("%w: it was valid until %s", ErrCertificateExpired, info.NotAfter.UTC().Format(time.RFC3339))
	}
	if now.Before(leaf.NotBefore) {
		return info, fmt.Errorf("the certificate is not valid before %s", leaf.NotBefore.UTC().Format(time.RFC3339))
	}
	return info, nil
}

// parseChain reads every certificate. Text between them, as some authorities write it, is skipped as OpenSSL does.
func parseChain(certPEM []byte) ([]*x509.Certificate, error) {
	var chain []*x509.Certificate
	for block, rest := pem.Decode(certPEM); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("the chain holds a PEM block that is no certificate: %s", block.Type)
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d of the chain: %w", len(chain)+1, err)
		}
		chain = append(chain, certificate)
	}
	if len(chain) == 0 {
		return nil, errors.New("the chain holds no certificate in PEM")
	}
	if bytes.Count(certPEM, []byte("-----BEGIN ")) != len(chain) {
		return nil, errors.New("the chain holds a damaged PEM block")
	}
	return chain, nil
}

func describe(leaf *x509.Certificate, host string) CertificateInfo {
	sum := sha256.Sum256(leaf.Raw)
	info := CertificateInfo{
		SHA256:     hex.EncodeToString(sum[:]),
		NotAfter:   leaf.NotAfter,
		Names:      slices.Clone(leaf.DNSNames),
		CoversHost: leaf.VerifyHostname(host) == nil,
		SelfSigned: bytes.Equal(leaf.RawSubject, leaf.RawIssuer) &&
			leaf.CheckSignature(leaf.SignatureAlgorithm, leaf.RawTBSCertificate, leaf.Signature) == nil,
	}
	for _, ip := range leaf.IPAddresses {
		info.Names = append(info.Names, ip.String())
	}
	return info
}
