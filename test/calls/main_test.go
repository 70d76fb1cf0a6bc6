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
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"go.uber.org/goleak"

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
	defer func() {
		// Whatever is still at work when all servers are gone was left behind.
		// sipgo opens a socket for the answer to a request that came as its
		// phone was closed, and nothing closes that.
		err = errors.Join(err, e.Remove(), goleak.Find(goleak.IgnoreAnyFunction("github.com/emiago/sipgo/sip.(*TransportUDP).readUDPConnection")))
	}()
	if pbx, err = startStage(context.Background(), e); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, pbx.close()) }()
	code = m.Run()
	if code != 0 {
		fmt.Fprintf(os.Stderr, "Asterisk wrote:\n%s", logTail(pbx.asterisk))
	}
	return code, nil
}

func startStage(ctx context.Context, e *env.Env) (*stage, error) {
	a, err := e.StartAsterisk(ctx, env.AsteriskOptions{Dialplan: site})
	if err != nil {
		return nil, err
	}
	return newStage(ctx, a)
}

// newStage prepares a running Asterisk.
func newStage(ctx context.Context, a *env.AsteriskServer) (*stage, error) {
	client, err := ami.Dial(ctx, a.AMIAddr, a.AMIUser, a.AMISecret)
	if err != nil {
		return nil, err
	}
	s := &stage{
		asterisk: a, ami: client, log: newEventLog(client), scenes: map[*scene]bool{}, next: firstNumber,
		roots: x509.NewCertPool(), soundDir: filepath.Join(filepath.Dir(a.StateDir), "sounds"),
	}
	ca, err := os.ReadFile(a.CAFile)
	if err != nil {
		return nil, err
	}
	if !s.roots.AppendCertsFromPEM(ca) {
		return nil, errors.New("the CA file holds no certificate")
	}
	for name, hz := range sounds {
		file := soundFileOf(s, name) + ".wav"
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), writeTone(file, hz)); err != nil {
			return nil, err
		}
	}
	if err := s.configure(); err != nil {
		return nil, err
	}
	s.link, err = newLink(a)
	return s, err
}

// configure sets what the PBX is in every test that does not change it.
func (p *stage) configure() error {
	a := p.asterisk
	cert, err := os.ReadFile(a.CertFile)
	if err != nil {
		return err
	}
	key, err := os.ReadFile(a.KeyFile)
	if err != nil {
		return err
	}
	p.settings = voice.PBX{
		Realm: realm, BindAddress: env.Loopback, UDPPort: a.UDPPort, TCPPort: a.TCPPort, TLSPort: a.TLSPort, WSPort: a.WSPort, WSSPort: a.WSSPort,
		Certificate: &voice.Certificate{CertPEM: cert, KeyPEM: key}, StateDir: a.StateDir,
		AllowedContexts: []string{"special"}, RingTimeout: ringTimeout,
		OutboundContext: outboundContext, ServicePrefixes: []string{servicePrefix}, ForbiddenPrefixes: []string{forbiddenPrefix},
		MusicClasses: []voice.MusicClass{{Name: music, Directory: filepath.Join(p.soundDir, "music")}}, RecordingDirectory: recordingDirectory,
	}
	return nil
}
