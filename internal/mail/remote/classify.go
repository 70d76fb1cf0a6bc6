package remote

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// Classify turns an error of the network or of TLS into an *Error. A context that ended with a
// *TimeoutError explains more than the closed connection that followed from it.
func Classify(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	cause := context.Cause(ctx)
	if timeout, ok := errors.AsType[*TimeoutError](cause); ok {
		return &Error{Reason: ReasonTimedOut, Message: timeout.Error(), Err: timeout}
	}
	if cause != nil {
		return cause
	}
	return classifyNetwork(err)
}

func classifyNetwork(err error) error {
	var (
		dns     *net.DNSError
		verify  *tls.CertificateVerificationError
		record  tls.RecordHeaderError
		alert   tls.AlertError
		timeout net.Error
	)
	switch {
	case errors.As(err, &dns):
		return &Error{Reason: ReasonDNSFailure, Message: fmt.Sprintf("the name %q does not resolve", dns.Name), Err: err}
	case errors.As(err, &verify):
		return &Error{Reason: ReasonCertificateInvalid, Message: certificateMessage(verify), Err: err}
	case errors.As(err, &record):
		return &Error{Reason: ReasonConnectionFailed, Message: "the server does not speak TLS on this port", Err: err}
	case errors.As(err, &alert):
		return &Error{Reason: ReasonConnectionFailed, Message: "the TLS handshake was refused: " + alert.Error(), Err: err}
	case errors.Is(err, syscall.ECONNREFUSED):
		return &Error{Reason: ReasonConnectionFailed, Message: "connection refused", Err: err}
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return &Error{Reason: ReasonConnectionFailed, Message: "the server reset the connection", Err: err}
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return &Error{Reason: ReasonTimedOut, Message: "the server stopped sending", Err: err}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return &Error{Reason: ReasonConnectionFailed, Message: "the server closed the connection", Err: err}
	}
	return &Error{Reason: ReasonConnectionFailed, Message: "the connection failed", Err: err}
}

// errNotPinned is why a certificate other than the pinned one is refused.
var errNotPinned = errors.New("not the pinned certificate")

// certificateMessage says what is wrong with the certificate and all one needs to decide about it.
func certificateMessage(v *tls.CertificateVerificationError) string {
	if len(v.UnverifiedCertificates) == 0 {
		return "the server showed no certificate"
	}
	c := v.UnverifiedCertificates[0]
	var (
		host    x509.HostnameError
		unknown x509.UnknownAuthorityError
		invalid x509.CertificateInvalidError
	)
	why := "it cannot be verified"
	switch {
	case errors.As(v.Err, &host):
		why = fmt.Sprintf("it is not for %q", host.Host)
	case errors.As(v.Err, &invalid) && invalid.Reason == x509.Expired:
		why = "it is expired or not yet valid"
	case errors.Is(v.Err, errNotPinned):
		why = "it is not the pinned one"
	case errors.As(v.Err, &unknown):
		why = "it was signed by an unknown authority"
	}
	names := c.DNSNames
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	const most = 5
	if len(names) > most {
		names = append(names[:most:most], "…")
	}
	return fmt.Sprintf("certificate refused: %s; issuer %q, names %q, valid until %s; if it is the right one, pin it: pinnedSHA256: %s",
		why, cut(c.Issuer.String(), 200), cut(strings.Join(names, ","), 300), c.NotAfter.UTC().Format(time.RFC3339), Fingerprint(c))
}

func cut(s string, n int) string {
	s = strings.ToValidUTF8(s, "?")
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}
