package main

import (
	"context"
	_ "embed"
	"encoding/csv"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/voice"
	"github.com/ringmaster-dev/ringmaster/test/env"
)

//go:embed register.xml
var registerScenario string

const benchRealm = "ringmaster"

// registrar is an Asterisk whose endpoints register, and the sum of its rounds.
type registrar struct {
	*env.AsteriskServer
	count   int
	elapsed time.Duration
}

func (r *registrar) rate() float64 { return float64(r.count) / r.elapsed.Seconds() }

// measureRegister lets SIPp register every endpoint again and again, in turn at an Asterisk with the files Ringmaster generates
// and at one with the shortest files that do.
func (b *bench) measureRegister(ctx context.Context) (err error) {
	e, err := b.environment()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Remove()) }()
	generated, err := startRegistrar(ctx, e, "generated", b.agents, generatedFiles)
	if err != nil {
		return err
	}
	minimal, err := startRegistrar(ctx, e, "minimal", b.agents, minimalFiles)
	if err != nil {
		return err
	}
	load, err := newLoad(e, b.agents)
	if err != nil {
		return err
	}
	for _, r := range []*registrar{generated, minimal} { // the first contact of an endpoint costs more than the next
		if _, _, err := load.run(ctx, r); err != nil {
			return err
		}
	}
	var ratios []float64
	for round := range b.registerRounds {
		order := []*registrar{generated, minimal}
		if round%2 == 1 {
			order = []*registrar{minimal, generated}
		}
		took := map[*registrar]time.Duration{}
		for _, r := range order {
			count, elapsed, err := load.run(ctx, r)
			if err != nil {
				return err
			}
			r.count += count
			r.elapsed += elapsed
			took[r] = elapsed
		}
		ratios = append(ratios, took[minimal].Seconds()/took[generated].Seconds())
	}
	slices.Sort(ratios)
	say("   ratio of each round: %.3f", ratios)
	work := fmt.Sprintf("%d endpoints register", b.agents)
	b.report.add(work, "REGISTER/s, generated ÷ hand-written files, median of rounds", ratios[len(ratios)/2], "x", atLeast(0.95))
	b.report.add(work, "with generated files", generated.rate(), "REGISTER/s", nil)
	b.report.add(work, "with hand-written files", minimal.rate(), "REGISTER/s", nil)
	return nil
}

func extension(n int) string   { return strconv.Itoa(10000 + n) }
func sipPassword(n int) string { return fmt.Sprintf("phone-%05d", n) }

// startRegistrar starts an Asterisk with the files of a PBX with so many agents.
func startRegistrar(ctx context.Context, e *env.Env, name string, agents int, files func(host string, port, agents int) (map[string][]byte, error)) (*registrar, error) {
	a, err := e.StartAsterisk(ctx, env.AsteriskOptions{Name: name})
	if err != nil {
		return nil, err
	}
	host, portText, err := net.SplitHostPort(a.SIPAddr)
	if err != nil {
		return nil, err
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return nil, err
	}
	content, err := files(host, port, agents)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(a.StateDir, "current")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	for file, text := range content {
		if err := os.WriteFile(filepath.Join(dir, file), text, 0o644); err != nil {
			return nil, err
		}
	}
	return &registrar{AsteriskServer: a}, a.Restart(ctx)
}

// generatedFiles are what Ringmaster gives a PBX for agents that leave every default of the API as it is.
func generatedFiles(host string, port, agents int) (map[string][]byte, error) {
	c := voice.Center{PBX: voice.PBX{Realm: benchRealm, BindAddress: host, UDPPort: port, TCPPort: port}}
	for n := range agents {
		name := agentName(n)
		c.Agents = append(c.Agents, voice.Endpoint{
			Key: "Agent/" + name, Extension: extension(n), Username: name, DisplayName: "Agent " + strconv.Itoa(n),
			HA1: voice.HA1(name, benchRealm, sipPassword(n)), Transport: voice.UDP, NAT: voice.NATForceRportComedia,
			Context: voice.DefaultContext, Expires: time.Hour,
		})
	}
	snapshot, err := voice.Render(c)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, f := range snapshot.Files {
		files[f.Path] = f.Content
	}
	return files, nil
}

// minimalFiles are what somebody writes who wants nothing but phones that register.
func minimalFiles(host string, port, agents int) (map[string][]byte, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "[udp]\ntype=transport\nprotocol=udp\nbind=%s:%d\n", host, port)
	for n := range agents {
		fmt.Fprintf(&b, "\n[%[1]s]\ntype=endpoint\nauth=%[1]s\naors=%[1]s\nallow=ulaw\n[%[1]s]\ntype=auth\nusername=%[2]s\npassword=%[3]s\n[%[1]s]\ntype=aor\nmax_contacts=1\n",
			extension(n), agentName(n), sipPassword(n))
	}
	return map[string][]byte{voice.PJSIPFile: []byte(b.String())}, nil
}

// load is SIPp with one phone for each agent, eight of them at a time.
type load struct {
	env                     *env.Env
	agents                  int
	dir, scenario, accounts string
	// port is that of all the phones, the same in every run: they register again, as phones do.
	port, runs int
}

func newLoad(e *env.Env, agents int) (*load, error) {
	port, err := env.FreePort()
	if err != nil {
		return nil, err
	}
	l := &load{env: e, agents: agents, port: port, dir: filepath.Join(e.Dir, "sipp")}
	l.scenario, l.accounts = filepath.Join(l.dir, "register.xml"), filepath.Join(l.dir, "accounts.csv")
	var accounts strings.Builder
	accounts.WriteString("SEQUENTIAL\n")
	for n := range agents {
		fmt.Fprintf(&accounts, "%s;[authentication username=%s password=%s]\n", extension(n), agentName(n), sipPassword(n))
	}
	return l, errors.Join(
		os.MkdirAll(l.dir, 0o755),
		os.WriteFile(l.scenario, []byte(registerScenario), 0o644),
		os.WriteFile(l.accounts, []byte(accounts.String()), 0o644),
	)
}

// run registers every agent once and returns how many that were and how long it took, by SIPp's own clock.
func (l *load) run(ctx context.Context, r *registrar) (int, time.Duration, error) {
	l.runs++
	statistics := filepath.Join(l.dir, fmt.Sprintf("%d.csv", l.runs))
	out, err := l.env.RunTool(ctx, "/usr/bin/sipp", r.SIPAddr, "-sf", l.scenario, "-inf", l.accounts,
		"-i", env.Loopback, "-p", strconv.Itoa(l.port), "-m", strconv.Itoa(l.agents), "-l", "8", "-r", "100000", "-cid_str", fmt.Sprintf("run%d-%%u", l.runs),
		"-nostdin", "-trace_stat", "-stf", statistics, "-fd", "1", "-timeout", "120", "-timeout_error")
	if err != nil {
		return 0, 0, fmt.Errorf("%w\n%s", err, out)
	}
	return readStatistics(statistics, l.agents)
}

// readStatistics reads the last line of SIPp's statistics; (C) marks its cumulative columns.
func readStatistics(file string, want int) (int, time.Duration, error) {
	r := csv.NewReader(strings.NewReader(fileText(file)))
	r.Comma, r.FieldsPerRecord = ';', -1
	rows, err := r.ReadAll()
	if err != nil || len(rows) < 2 {
		return 0, 0, errors.Join(fmt.Errorf("%s: no statistics of SIPp", file), err)
	}
	last := map[string]string{}
	for i, name := range rows[0] {
		if i < len(rows[len(rows)-1]) {
			last[name] = rows[len(rows)-1][i]
		}
	}
	if ok := last["SuccessfulCall(C)"]; ok != strconv.Itoa(want) {
		return 0, 0, fmt.Errorf("%s of %d phones registered, %s failed", ok, want, last["FailedCall(C)"])
	}
	rate, err := strconv.ParseFloat(last["CallRate(C)"], 64)
	if err != nil || rate <= 0 {
		return 0, 0, fmt.Errorf("%s: no rate: %w", file, err)
	}
	return want, time.Duration(float64(want) / rate * float64(time.Second)), nil
}
