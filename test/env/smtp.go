package env

import (
	"context"
	"crypto/x509/pkix"
	_ "embed"
	"errors"
	"os"
	"path/filepath"
	"time"
)

var (
	//go:embed conf/postfix-main.cf.tmpl
	postfixMain string
	//go:embed conf/postfix-master.cf.tmpl
	postfixMaster string
)

// SMTPOptions change how the mail server runs.
type SMTPOptions struct {
	// Name distinguishes several servers of one environment; default "postfix".
	Name string
}

// SMTPServer is a running Postfix that delivers into a Dovecot. It accepts
// mail to addresses of example.test only, up to 100 MiB each.
type SMTPServer struct {
	*Process
	// Addr takes mail without sign-in. SubmissionAddr requires one, with or
	// without STARTTLS; SMTPSAddr requires one and is TLS from the first byte.
	// Names and passwords are those of the Dovecot. Each is host:port.
	Addr, SubmissionAddr, SMTPSAddr string
	// CAFile verifies the certificate, which is that of localhost and 127.0.0.1.
	CAFile string
	// CA is the authority behind CAFile.
	CA *CA
}

// StartSMTP starts a mail server that delivers into d.
func (e *Env) StartSMTP(ctx context.Context, d *DovecotServer, opts SMTPOptions) (*SMTPServer, error) {
	name := opts.Name
	if name == "" {
		name = "postfix"
	}
	e.say("starting Postfix")
	root, err := e.servicesRoot()
	if err != nil {
		return nil, err
	}
	ca, err := e.CA()
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	conf, err := e.postfixConfig(root, name, d, ca, ports)
	if err != nil {
		return nil, err
	}
	s := &SMTPServer{
		Addr: addrOf(ports[0]), SubmissionAddr: addrOf(ports[1]), SMTPSAddr: addrOf(ports[2]),
		CA: ca, CAFile: ca.File,
	}
	s.Process, err = e.Start(ctx, Command{
		Name: name, Path: "/usr/lib/postfix/sbin/master", Root: root, Args: []string{"-c", conf, "-s"},
		Ready: func(ctx context.Context) error {
			if err := greets(ctx, s.Addr, "220 "); err != nil {
				return err
			}
			return greets(ctx, s.SubmissionAddr, "220 ")
		},
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (e *Env) postfixConfig(root *Root, name string, d *DovecotServer, ca *CA, ports []int) (string, error) {
	dir, err := e.partDir(name, "conf", "queue")
	if err != nil {
		return "", err
	}
	cert, key, err := ca.Issue(name, pkix.Name{CommonName: "localhost"})
	if err != nil {
		return "", err
	}
	if err := postfixDirs(root, dir); err != nil {
		return "", err
	}
	data := map[string]any{
		"Dir": dir, "Domain": MailDomain, "Cert": cert, "Key": key,
		"LMTP": d.LMTPAddr, "Auth": d.authAddr,
		"SMTP": ports[0], "Submission": ports[1], "SMTPS": ports[2],
	}
	conf := filepath.Join(dir, "conf")
	for name, text := range map[string]string{"main.cf": postfixMain, "master.cf": postfixMaster} {
		file := filepath.Join(conf, name)
		if err := writeTemplate(file, text, data); err != nil {
			return "", err
		}
		// Postfix waits two seconds for a file just written to settle.
		old := time.Now().Add(-time.Minute)
		if err := os.Chtimes(file, old, old); err != nil {
			return "", err
		}
	}
	return conf, nil
}

// postfixDirs makes the queue as postfix-script would, which is skipped: its
// checks of the installation take seconds.
func postfixDirs(root *Root, dir string) error {
	uid, _, err := root.user("postfix")
	if err != nil {
		return err
	}
	postdrop, err := root.group("postdrop")
	if err != nil {
		return err
	}
	type queueDir struct {
		mode os.FileMode
		gid  int
	}
	dirs := map[string]queueDir{
		"data":           {0o700, 0},
		"queue/maildrop": {0o730, postdrop},
		"queue/public":   {0o710, postdrop},
	}
	for _, name := range []string{"active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace"} {
		dirs["queue/"+name] = queueDir{0o700, 0}
	}
	for name, d := range dirs {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(path, d.mode); err != nil {
			return err
		}
		// The process's umask does not count here.
		if err := errors.Join(os.Chmod(path, d.mode), os.Chown(path, uid, d.gid)); err != nil {
			return err
		}
	}
	return os.MkdirAll(filepath.Join(dir, "queue", "pid"), 0o755)
}
