package pbxlet

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/voice"
)

// handshakeTimeout bounds the look at one listener.
const handshakeTimeout = 3 * time.Second

// checkCertificate asks every TLS listener for its certificate. A SIP listener
// that waits for a restart is left out.
func (a *asterisk) checkCertificate(ctx context.Context, want voice.Expect, httpConf string) error {
	if want.Certificate == "" {
		return nil
	}
	waiting, err := a.transports(ctx, want.Transports)
	if err != nil {
		return err
	}
	var listeners []string
	for _, t := range want.Transports {
		if t.Protocol == "tls" && !slices.Contains(waiting, t.Name) {
			listeners = append(listeners, t.Bind)
		}
	}
	if bind := tlsBind(httpConf); bind != "" {
		listeners = append(listeners, bind)
	}
	for _, address := range listeners {
		served, err := servedCertificate(ctx, address)
		if err != nil {
			return differs("the TLS listener at %s: %v", address, err)
		}
		if served != want.Certificate {
			return differs("the TLS listener at %s serves the certificate %.16s… instead of %.16s…", address, served, want.Certificate)
		}
	}
	return nil
}

// tlsBind is the address of the HTTP server's TLS listener, empty for none.
func tlsBind(httpConf string) string {
	bind, enabled := "", false
	for line := range strings.Lines(httpConf) {
		name, value, _ := strings.Cut(line, "=")
		value = strings.TrimSpace(strings.TrimPrefix(value, ">"))
		switch strings.TrimSpace(name) {
		case "tlsbindaddr":
			bind = value
		case "tlsenable":
			enabled = value == "yes"
		}
	}
	if !enabled {
		return ""
	}
	return bind
}

// servedCertificate is the SHA-256, in hex, of the leaf that a listener shows.
// It is compared with what was sent, so nobody has to vouch for it.
func servedCertificate(ctx context.Context, bind string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}} //nolint:gosec // see above
	conn, err := dialer.DialContext(ctx, "tcp", reachable(bind))
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	secured, ok := conn.(*tls.Conn)
	if !ok || len(secured.ConnectionState().PeerCertificates) == 0 {
		return "", fmt.Errorf("it shows no certificate")
	}
	sum := sha256.Sum256(secured.ConnectionState().PeerCertificates[0].Raw)
	return hex.EncodeToString(sum[:]), nil
}

// reachable turns the address of a listener on all interfaces into one of them.
func reachable(bind string) string {
	at, err := netip.ParseAddrPort(bind)
	if err != nil || !at.Addr().IsUnspecified() {
		return bind
	}
	host := "127.0.0.1"
	if at.Addr().Is6() {
		host = "::1"
	}
	return net.JoinHostPort(host, fmt.Sprint(at.Port()))
}
