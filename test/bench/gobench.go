package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/ringmaster-dev/ringmaster/test/env"
)

// Some figures are Go benchmarks of the package they are about; here they are only run and held to their budgets.

// measureRouting offers waiting interactions with two workers, which are two replicas on PostgreSQL.
func (b *bench) measureRouting(ctx context.Context) error {
	found, err := goBenchmark(ctx, "./internal/store", "^BenchmarkRoute$", b.decisions)
	if err != nil {
		return err
	}
	work := fmt.Sprintf("%d interactions routed by 2 workers", b.decisions)
	for _, s := range []struct {
		name, benchmark string
		least           float64
	}{{"SQLite", "BenchmarkRoute/sqlite", 1500}, {"PostgreSQL", "BenchmarkRoute/postgres", 1000}} {
		rate, ok := found[s.benchmark]["decisions/s"]
		if !ok {
			return fmt.Errorf("%s reports no decisions/s", s.benchmark)
		}
		b.report.add(work, "decisions on "+s.name, rate, "decisions/s", atLeast(s.least))
	}
	return nil
}

// measureMailbox looks at accounts that wait in IDLE: how soon a mail is stored, and what waiting costs.
func (b *bench) measureMailbox(ctx context.Context) error {
	const notices = 500
	noticed, err := goBenchmark(ctx, "./internal/mail", "^BenchmarkNoticeToStored$", notices)
	if err != nil {
		return err
	}
	idle, err := goBenchmark(ctx, "./internal/mail", "^BenchmarkIdleAccounts$", 1)
	if err != nil {
		return err
	}
	for _, f := range []struct {
		found            map[string]float64
		work, name, unit string
		reported         string
		limit            *budget
	}{
		{noticed["BenchmarkNoticeToStored"], "mail noticed in IDLE", "server's notice until stored, p99", "ms", "p99-ms", atMost(20)},
		{noticed["BenchmarkNoticeToStored"], "mail noticed in IDLE", "server's notice until stored, p50", "ms", "p50-ms", nil},
		{idle["BenchmarkIdleAccounts"], "2000 idle TLS accounts", "memory each", "KiB", "KiB/account", atMost(45)},
	} {
		v, ok := f.found[f.reported]
		if !ok {
			return fmt.Errorf("no %s was reported", f.reported)
		}
		b.report.add(f.work, f.name, v, f.unit, f.limit)
	}
	return nil
}

// goBenchmark runs a benchmark so many times and returns its values by name and unit.
func goBenchmark(ctx context.Context, pkg, pattern string, times int) (map[string]map[string]float64, error) {
	base, err := env.DefaultDir()
	if err != nil {
		return nil, err
	}
	c := exec.CommandContext(ctx, "go", "test", "-vet=off", "-run=^$", "-bench="+pattern, "-benchtime="+strconv.Itoa(times)+"x", pkg)
	c.Dir = filepath.Dir(base)
	// An interrupt lets the test end its servers.
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Run(); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w\n%s", pattern, err, out.String()), ctx.Err())
	}
	return parseBenchmarks(out.String()), nil
}

// parseBenchmarks reads lines such as "BenchmarkX/sub-2  100  123 ns/op  4.5 unit".
func parseBenchmarks(text string) map[string]map[string]float64 {
	found := map[string]map[string]float64{}
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		name := fields[0]
		if cut := strings.LastIndexByte(name, '-'); cut > 0 {
			name = name[:cut]
		}
		values := map[string]float64{}
		for i := 2; i+1 < len(fields); i += 2 {
			if v, err := strconv.ParseFloat(fields[i], 64); err == nil {
				values[fields[i+1]] = v
			}
		}
		found[name] = values
	}
	return found
}
