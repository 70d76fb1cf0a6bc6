package voice

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strconv"
)

// httpSessions is how many WebSockets may be open; Asterisk's own limit is 100.
const httpSessions = 10000

// renderHTTP writes http.conf, the listeners of WS and WSS. What the PBX does
// not ask for is left to the machine's own file, which includes this one. Of
// several sections [general] Asterisk heeds the first, and of an option that is
// there twice the last: so there is one for the case that this file comes
// first, and what counts is added to whichever that is.
func renderHTTP(c Center, _ *Expect) (File, error) {
	p := c.PBX
	var b bytes.Buffer
	b.WriteString(banner)
	set := func(key, value string) { fmt.Fprintf(&b, "%s=%s\n", key, value) }
	secure := p.WSSPort != 0 && p.Certificate != nil
	if p.WSPort != 0 || secure {
		b.WriteString("\n[general]\n[general](+)\n")
		set("sessionlimit", strconv.Itoa(httpSessions))
	}
	if p.WSPort != 0 {
		set("enabled", "yes")
		set("bindaddr", p.bindAddress())
		set("bindport", strconv.Itoa(p.WSPort))
	}
	if secure {
		set("tlsenable", "yes")
		set("tlsbindaddr", net.JoinHostPort(p.bindAddress(), strconv.Itoa(p.WSSPort)))
		set("tlscertfile", p.statePath(CertificateFile))
		set("tlsprivatekey", p.statePath(KeyFile))
	}
	return NewFile(HTTPFile, b.Bytes()), nil
}

// renderMusic writes musiconhold.conf.
func renderMusic(c Center, expect *Expect) (File, error) {
	var b bytes.Buffer
	b.WriteString(banner)
	for _, m := range c.PBX.MusicClasses {
		fmt.Fprintf(&b, "\n[%s]\nmode=files\nsort=alpha\ndirectory=%s\n", m.Name, m.Directory)
	}
	expect.MusicClasses = c.PBX.MusicClasses
	return NewFile(MusicFile, b.Bytes()), nil
}

// renderCertificate gives the certificate and its key as they were given.
func renderCertificate(c Center, expect *Expect) ([]File, error) {
	p := c.PBX
	if p.Certificate == nil {
		return nil, nil
	}
	leaf, err := p.Certificate.leaf()
	if err != nil {
		return nil, &FieldError{Object: pbxObject, Field: "Certificate", Reason: err.Error()}
	}
	expect.Certificate = leaf
	return []File{NewFile(CertificateFile, p.Certificate.CertPEM), NewFile(KeyFile, p.Certificate.KeyPEM)}, nil
}

// leaf is the SHA-256 of the leaf certificate, in hex. The error tells nothing
// of the key.
func (c Certificate) leaf() (string, error) {
	pair, err := tls.X509KeyPair(c.CertPEM, c.KeyPEM)
	if err != nil {
		return "", errors.New("is no PEM certificate with its private key")
	}
	sum := sha256.Sum256(pair.Certificate[0])
	return hex.EncodeToString(sum[:]), nil
}
