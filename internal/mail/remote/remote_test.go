package remote

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"
)

func TestSecretNeverShows(t *testing.T) {
	a := Auth{Type: AuthBasic, Username: "u", Password: "hunter2"}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "auth", a, "password", a.Password)
	doc, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{fmt.Sprint(a), fmt.Sprintf("%v %+v %#v %s %q", a, a, a, a.Password, a.Password), string(doc), log.String()} {
		if strings.Contains(s, "hunter2") {
			t.Errorf("the password shows in %s", s)
		}
	}
	if a.Password.Reveal() != "hunter2" {
		t.Error("the password is lost")
	}
}

// server answers TLS with a certificate for names, valid until notAfter, and is in roots as PEM.
func server(t *testing.T, notAfter time.Time, names ...string) (addr, roots, fingerprint string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "the issuer"}, DNSNames: names,
		NotBefore: notAfter.Add(-48 * time.Hour), NotAfter: notAfter, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.(*tls.Conn).Handshake()
			_ = c.Close()
		}
	}()
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return l.Addr().String(), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), Fingerprint(c)
}

func handshake(t *testing.T, addr string, s Server) (string, error) {
	t.Helper()
	_, port, _ := net.SplitHostPort(addr)
	dialled := s
	dialled.Host = "127.0.0.1"
	if _, err := fmt.Sscan(port, &dialled.Port); err != nil {
		t.Fatal(err)
	}
	conn, err := Dial(t.Context(), dialled)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	var seen string
	config, err := s.TLSConfig(func(f string) { seen = f })
	if err != nil {
		return "", err
	}
	return seen, Classify(t.Context(), tls.Client(conn, config).HandshakeContext(t.Context()))
}

// The message has all that is needed to decide about the certificate.
func TestCertificates(t *testing.T) {
	tomorrow := time.Now().Add(24 * time.Hour)
	addr, roots, fingerprint := server(t, tomorrow, "mail.test", "imap.test")
	oldAddr, oldRoots, _ := server(t, time.Now().Add(-time.Hour), "mail.test")
	cases := map[string]struct {
		addr   string
		server Server
		says   string
	}{
		"good":           {addr, Server{Host: "mail.test", RootCAs: roots}, ""},
		"accept any":     {addr, Server{Host: "x.test", InsecureSkipVerify: true}, ""},
		"other name":     {addr, Server{Host: "x.test", RootCAs: roots}, `not for "x.test"`},
		"unknown issuer": {addr, Server{Host: "mail.test"}, "unknown authority"},
		"expired":        {oldAddr, Server{Host: "mail.test", RootCAs: oldRoots}, "expired"},
		"no PEM":         {addr, Server{Host: "mail.test", RootCAs: "nonsense"}, "no PEM"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			seen, err := handshake(t, c.addr, c.server)
			if c.says == "" {
				if err != nil || seen != fingerprint {
					t.Fatalf("%v, fingerprint %s, want %s", err, seen, fingerprint)
				}
				return
			}
			if ReasonOf(err) != ReasonCertificateInvalid || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("%v", err)
			}
			if name == "other name" {
				for _, part := range []string{"the issuer", "mail.test,imap.test", tomorrow.UTC().Format("2006-01-02"), fingerprint} {
					if !strings.Contains(err.Error(), part) {
						t.Errorf("%q is not in %q", part, err)
					}
				}
			}
		})
	}
}

func TestClassify(t *testing.T) {
	ended, cancel := context.WithCancelCause(t.Context())
	cancel(&TimeoutError{Step: "connecting", After: 10 * time.Second})
	why := errors.New("lease lost")
	stopped, stop := context.WithCancelCause(t.Context())
	stop(why)
	cases := map[string]struct {
		ctx    context.Context
		err    error
		reason string
		says   string
	}{
		"timeout":         {ended, net.ErrClosed, ReasonTimedOut, "no answer to connecting within 10s"},
		"name":            {t.Context(), &net.DNSError{Name: "mail.invalid", Err: "no such host"}, ReasonDNSFailure, `"mail.invalid"`},
		"closed":          {t.Context(), io.EOF, ReasonConnectionFailed, "closed"},
		"already known":   {ended, &Error{Reason: ReasonMailboxNotFound, Message: "m"}, ReasonMailboxNotFound, "m"},
		"anything else":   {t.Context(), errors.New("u:p@host said no"), ReasonConnectionFailed, "the connection failed"},
		"stopped outside": {stopped, io.EOF, ReasonConnectionFailed, "lease lost"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			err := Classify(c.ctx, c.err)
			if ReasonOf(err) != c.reason || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %v", ReasonOf(err), err)
			}
		})
	}
	if Classify(t.Context(), nil) != nil {
		t.Error("nil is no failure")
	}
	if err := Classify(stopped, io.EOF); !errors.Is(err, why) {
		t.Errorf("the cause is lost: %v", err)
	}
}

// A read may wait as long as Stall says, from its last byte on, and deadlines of others do not count.
func TestStall(t *testing.T) {
	ours, theirs := net.Pipe()
	defer func() { _ = theirs.Close() }()
	c := &Conn{Conn: ours}
	defer func() { _ = c.Close() }()
	if err := c.SetReadDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	c.Stall(300 * time.Millisecond)
	go func() {
		for range 5 {
			time.Sleep(100 * time.Millisecond)
			_, _ = theirs.Write([]byte("x"))
		}
	}()
	b := make([]byte, 1)
	for range 5 {
		if _, err := c.Read(b); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Read(b); err == nil || ReasonOf(Classify(t.Context(), err)) != ReasonTimedOut || c.Err() == nil {
		t.Fatalf("a standstill is not noticed: %v", err)
	}
}
