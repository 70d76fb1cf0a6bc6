package join

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

// Keys of the Secret <pbx>-link, which are the pbxlet's file names too.
const (
	linkCA     = "ca.crt"
	linkToken  = "token"
	linkServer = "server"
	linkPBX    = "pbx"
)

// linkKeys in the order in which they are written.
var linkKeys = []string{linkCA, linkToken, linkServer, linkPBX}

// Link is the content of the Secret <pbx>-link by key.
type Link map[string][]byte

// maxSecret is more than Kubernetes lets a Secret have, in bytes.
const maxSecret = 4 << 20

// ReadLink reads the Secret as `kubectl get secret -o json` or `-o yaml` prints
// it.
func ReadLink(r io.Reader) (Link, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxSecret))
	if err != nil {
		return nil, fmt.Errorf("join: reading the link's Secret: %w", err)
	}
	var secret struct {
		Kind string
		Data Link
	}
	if err := yaml.Unmarshal(text, &secret); err != nil {
		// The error may quote the text, which is secret.
		return nil, errors.New("join: the link file is neither JSON nor YAML of a Secret")
	}
	if secret.Kind != "Secret" {
		return nil, fmt.Errorf("join: the link file holds %q, not one Secret; use kubectl get secret NAME -o json", secret.Kind)
	}
	return secret.Data, secret.Data.check()
}

// ReadLinkDir reads the Secret from a directory with a file for each key.
func ReadLinkDir(dir string) (Link, error) {
	link := Link{}
	for _, key := range linkKeys {
		text, err := os.ReadFile(filepath.Join(dir, key))
		if err != nil {
			return nil, fmt.Errorf("join: link: %w", err)
		}
		link[key] = text
	}
	return link, link.check()
}

var pbxPattern = regexp.MustCompile(`^[a-z0-9.-]+/[a-z0-9.-]+$`)

func (l Link) check() error {
	for _, key := range linkKeys {
		if len(strings.TrimSpace(string(l[key]))) == 0 {
			return fmt.Errorf("join: link: the Secret has no %q; it is the one whose name ends in -link", key)
		}
	}
	if !x509.NewCertPool().AppendCertsFromPEM(l[linkCA]) {
		return fmt.Errorf("join: link: %q holds no certificate", linkCA)
	}
	if _, _, err := net.SplitHostPort(l.text(linkServer)); err != nil {
		return fmt.Errorf("join: link: %q: %w", linkServer, err)
	}
	if !pbxPattern.MatchString(l.text(linkPBX)) {
		return fmt.Errorf("join: link: %q is not namespace/name", linkPBX)
	}
	return nil
}

func (l Link) text(key string) string { return strings.TrimSpace(string(l[key])) }

// reach opens a TLS connection to the manager's link, as the pbxlet will, and
// closes it.
func (l Link) reach(ctx context.Context, addr, serverName string) error {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(l[linkCA])
	if serverName == "" {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return fmt.Errorf("join: manager %q: %w", addr, err)
		}
		serverName = host
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	d := tls.Dialer{Config: &tls.Config{RootCAs: pool, ServerName: serverName, MinVersion: tls.VersionTLS13, NextProtos: []string{"h2"}}}
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err == nil {
		return conn.Close()
	}
	if name, ok := errors.AsType[x509.HostnameError](err); ok {
		return fmt.Errorf("join: the certificate of the manager at %s is for %s: give one of these names with --server-name: %w",
			addr, strings.Join(name.Certificate.DNSNames, ", "), err)
	}
	return fmt.Errorf("join: the manager cannot be reached at %s, give the address of its link with --manager: %w", addr, err)
}
