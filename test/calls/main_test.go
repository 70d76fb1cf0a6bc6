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
	"path/filepath"
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
	return newStage(ctx, a)
}

// newStage prepares a running Asterisk.
func newStage(ctx context.Context, a *env.AsteriskServer) (*stage, error) {
	if err := writeSite(a); err != nil {
		return nil, err
	}
	client, err := ami.Dial(ctx, a.AMIAddr, a.AMIUser, a.AMISecret)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(filepath.Dir(a.StateDir), "sounds")
	for name, hz := range sounds {
		file := filepath.Join(dir, name+".wav")
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), writeTone(file, hz)); err != nil {
			return nil, err
		}
	}
	s := &stage{asterisk: a, ami: client, scenes: map[*scene]bool{}, next: firstNumber, roots: x509.NewCertPool(), log: newEventLog(client)}
	ca, err := os.ReadFile(a.CAFile)
	if err != nil {
		return nil, err
	}
	if !s.roots.AppendCertsFromPEM(ca) {
		return nil, errors.New("the CA file holds no certificate")
	}
	s.soundDir = dir
	return s, s.configure()
}

// configure sets what the PBX is in every test that does not change it.
func (p *stage) configure() error {
	host, port, err := hostPort(p.asterisk.SIPAddr)
	if err != nil {
		return err
	}
	_, tlsPort, err := hostPort(p.asterisk.SIPTLSAddr)
	if err != nil {
		return err
	}
	_, wssPort, err := hostPort(wssAddr(p.asterisk))
	if err != nil {
		return err
	}
	wsPort, err := env.FreePort()
	if err != nil {
		return err
	}
	p.wsAddr = net.JoinHostPort(host, strconv.Itoa(wsPort))
	cert, err := os.ReadFile(p.asterisk.CertFile)
	if err != nil {
		return err
	}
	key, err := os.ReadFile(p.asterisk.KeyFile)
	if err != nil {
		return err
	}
	p.settings = voice.PBX{
		Realm: realm, BindAddress: host, UDPPort: port, TCPPort: port, TLSPort: tlsPort, WSPort: wsPort, WSSPort: wssPort,
		Certificate: &voice.Certificate{CertPEM: cert, KeyPEM: key}, StateDir: p.asterisk.StateDir,
		AllowedContexts: []string{"special"}, RingTimeout: ringTimeout,
		OutboundContext: outboundContext, ServicePrefixes: []string{servicePrefix}, ForbiddenPrefixes: []string{forbiddenPrefix},
		MusicClasses: []voice.MusicClass{{Name: music, Directory: filepath.Join(p.soundDir, "music")}}, RecordingDirectory: recordingDirectory,
	}
	return nil
}

func hostPort(addr string) (string, int, error) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, err
	}
	port, err := strconv.Atoi(text)
	return host, port, err
}
