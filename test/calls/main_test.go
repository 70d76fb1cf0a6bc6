// Package calls proves what a rendered center does on a real Asterisk: each
// test renders its part of a center, lets Asterisk load it, and observes SIP
// exchanges, audio, the manager interface or files on disk.
package calls

import (
	"context"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"strconv"
	"testing"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/ami"
	"github.com/ringmaster-dev/ringmaster/internal/voice"
	"github.com/ringmaster-dev/ringmaster/test/env"
)

// pbx is the Asterisk that all tests of this package share.
var pbx *stage

// atOnce is how many tests run at the same time: they mostly wait for a
// telephone to ring out or for a message to be spoken.
const atOnce = 32

func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	code, err := 1, error(nil)
	if !given {
		err = flag.Set("test.parallel", strconv.Itoa(atOnce))
	}
	if err == nil {
		code, err = run(m)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "test/calls:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "ringmaster-")
	if err != nil {
		return 1, err
	}
	e, err := env.New(dir)
	if err != nil {
		return 1, errors.Join(err, os.RemoveAll(dir))
	}
	defer func() { err = errors.Join(err, e.Remove()) }()
	if pbx, err = startStage(context.Background(), e); err != nil {
		return 1, err
	}
	defer pbx.close()
	code = m.Run()
	if code != 0 {
		fmt.Fprintf(os.Stderr, "Asterisk wrote:\n%s", logTail(pbx.asterisk))
	}
	return code, nil
}

func startStage(ctx context.Context, e *env.Env) (*stage, error) {
	a, err := e.StartAsterisk(ctx, env.AsteriskOptions{})
	if err != nil {
		return nil, err
	}
	if err := writeSite(a); err != nil {
		return nil, err
	}
	client, err := ami.Dial(ctx, a.AMIAddr, a.AMIUser, a.AMISecret)
	if err != nil {
		return nil, err
	}
	s := &stage{asterisk: a, ami: client, scenes: map[*scene]bool{}, next: firstNumber, roots: x509.NewCertPool(), log: newEventLog(client)}
	ca, err := os.ReadFile(a.CAFile)
	if err != nil {
		return nil, err
	}
	if !s.roots.AppendCertsFromPEM(ca) {
		return nil, errors.New("the CA file holds no certificate")
	}
	s.settings, err = settings(a)
	return s, err
}

// settings are those of the PBX in every test that does not change them.
func settings(a *env.AsteriskServer) (voice.PBX, error) {
	host, port, err := hostPort(a.SIPAddr)
	if err != nil {
		return voice.PBX{}, err
	}
	return voice.PBX{
		Realm: realm, BindAddress: host, UDPPort: port, TCPPort: port,
		AllowedContexts: []string{"special"}, RingTimeout: ringTimeout,
	}, nil
}

func hostPort(addr string) (string, int, error) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, err
	}
	port, err := strconv.Atoi(text)
	return host, port, err
}
