package env

import (
	"bufio"
	"cmp"
	"context"
	"crypto/x509/pkix"
	_ "embed"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"text/template"
	"time"
)

// MailDomain is the only domain the mail servers know.
const MailDomain = "example.test"

//go:embed conf/dovecot.conf.tmpl
var dovecotConf string

// DovecotOptions change how Dovecot runs.
type DovecotOptions struct {
	// Name distinguishes several servers of one environment; default "dovecot".
	Name string
	// IntrospectionURL, when not empty, is asked about access tokens (RFC 7662): they sign in beside the passwords.
	IntrospectionURL string
	// BearerMechanisms that take access tokens; default "xoauth2 oauthbearer".
	BearerMechanisms string
}

// DovecotServer is a running Dovecot 2.3 in which every address
// NAME@example.test is a mailbox, made on first use.
type DovecotServer struct {
	*Process
	// IMAPAddr offers IMAP with STARTTLS and also signs in without it;
	// IMAPSAddr is IMAP over TLS; LMTPAddr delivers. Each is host:port.
	IMAPAddr, IMAPSAddr, LMTPAddr string
	// CAFile verifies the certificate, which is that of localhost and 127.0.0.1.
	CAFile string
	// CA is the authority behind CAFile.
	CA *CA

	authAddr string
	mailDir  string
}

// Address of the mailbox called name.
func (*DovecotServer) Address(name string) string { return name + "@" + MailDomain }

// Password of the mailbox called name.
func (*DovecotServer) Password(name string) string { return name + "-secret" }

// Maildir is where the INBOX of the mailbox called name lies on disk.
func (s *DovecotServer) Maildir(name string) string {
	return filepath.Join(s.mailDir, strings.ToLower(name), "Maildir")
}

// StartDovecot starts an IMAP and LMTP server.
func (e *Env) StartDovecot(ctx context.Context, opts DovecotOptions) (*DovecotServer, error) {
	name := opts.Name
	if name == "" {
		name = "dovecot"
	}
	e.say("starting Dovecot")
	root, err := e.servicesRoot()
	if err != nil {
		return nil, err
	}
	dir, err := e.partDir(name, "run", "state", "mail")
	if err != nil {
		return nil, err
	}
	ca, err := e.CA()
	if err != nil {
		return nil, err
	}
	cert, key, err := ca.Issue(name, pkix.Name{CommonName: "localhost"})
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(4)
	if err != nil {
		return nil, err
	}
	uid, gid, err := root.user("mail")
	if err != nil {
		return nil, err
	}
	s := &DovecotServer{
		IMAPAddr: addrOf(ports[0]), IMAPSAddr: addrOf(ports[1]), LMTPAddr: addrOf(ports[2]),
		CA: ca, CAFile: ca.File, authAddr: addrOf(ports[3]), mailDir: filepath.Join(dir, "mail"),
	}
	if err := os.Chown(s.mailDir, uid, gid); err != nil {
		return nil, err
	}
	bearer := ""
	if opts.IntrospectionURL != "" {
		bearer = cmp.Or(opts.BearerMechanisms, "xoauth2 oauthbearer")
		introspection := fmt.Sprintf("introspection_mode = post\nintrospection_url = %s\nusername_attribute = username\nactive_attribute = active\nactive_value = true\n", opts.IntrospectionURL)
		if err := os.WriteFile(filepath.Join(dir, "oauth2.conf"), []byte(introspection), 0o644); err != nil {
			return nil, err
		}
	}
	conf := filepath.Join(dir, "dovecot.conf")
	if err := writeTemplate(conf, dovecotConf, map[string]any{
		"Dir": dir, "Domain": MailDomain, "UID": uid, "GID": gid, "Cert": cert, "Key": key,
		"IMAP": ports[0], "IMAPS": ports[1], "LMTP": ports[2], "Auth": ports[3],
		"Bearer": bearer,
	}); err != nil {
		return nil, err
	}
	s.Process, err = e.Start(ctx, Command{
		Name: name, Path: "/usr/sbin/dovecot", Root: root, Args: []string{"-F", "-c", conf},
		Ready: func(ctx context.Context) error {
			if err := greets(ctx, s.LMTPAddr, "220 "); err != nil {
				return err
			}
			return greets(ctx, s.IMAPAddr, "* OK ")
		},
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// greets tells whether a server's first line begins as it should.
func greets(ctx context.Context, addr, prefix string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(5 * time.Second)
	}
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return fmt.Errorf("greeting of %s: %w", addr, err)
	}
	if !strings.HasPrefix(line, prefix) {
		return fmt.Errorf("%s greets with %q", addr, line)
	}
	return nil
}

// writeTemplate fills one of the configuration templates in.
func writeTemplate(file, text string, data any) error {
	tmpl, err := template.New(filepath.Base(file)).Option("missingkey=error").Parse(text)
	if err != nil {
		return err
	}
	var out strings.Builder
	if err := tmpl.Execute(&out, data); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(out.String()), 0o644)
}
