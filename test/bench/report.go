package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// figure is one row: something measured, and what it may be at most or must be at least.
type figure struct {
	// Work that was done, and the Figure taken of it.
	Work   string `json:"work"`
	Figure string `json:"figure"`
	// Measured value in Unit; ratios have the unit "x".
	Measured float64 `json:"measured"`
	Unit     string  `json:"unit"`
	// Budget is nil for what is only told to explain another figure.
	Budget *budget `json:"budget,omitempty"`
	// Held is nil without a budget.
	Held *bool `json:"held,omitempty"`
}

type budget struct {
	AtMost  *float64 `json:"atMost,omitempty"`
	AtLeast *float64 `json:"atLeast,omitempty"`
}

func atMost(v float64) *budget  { return &budget{AtMost: &v} }
func atLeast(v float64) *budget { return &budget{AtLeast: &v} }

func (b budget) holds(v float64) bool {
	return (b.AtMost == nil || v <= *b.AtMost) && (b.AtLeast == nil || v >= *b.AtLeast)
}

// report collects the figures of a run.
type report struct {
	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished"`
	Machine  machine   `json:"machine"`
	Sizes    sizes     `json:"sizes"`
	Figures  []figure  `json:"figures"`
}

type machine struct {
	CPUs   int    `json:"cpus"`
	Model  string `json:"model,omitempty"`
	Memory string `json:"memory,omitempty"`
	Go     string `json:"go"`
	// Load is the load average of the last minute before the run; absolute figures of a busy machine say little.
	Load string `json:"load,omitempty"`
}

type sizes struct {
	Agents    int `json:"agents"`
	Changes   int `json:"changes"`
	Flood     int `json:"flood"`
	Mails     int `json:"mails"`
	Decisions int `json:"decisions"`
}

func newReport(o options) *report {
	load, _, _ := strings.Cut(fileText("/proc/loadavg"), " ")
	return &report{
		Started: time.Now().UTC(),
		Machine: machine{
			CPUs: runtime.NumCPU(), Go: runtime.Version(), Load: load,
			Model: fieldOf(fileText("/proc/cpuinfo"), "model name"), Memory: fieldOf(fileText("/proc/meminfo"), "MemTotal"),
		},
		Sizes: sizes{Agents: o.agents, Changes: o.changes, Flood: min(o.flood, o.agents), Mails: o.mails, Decisions: o.decisions},
	}
}

// add takes a figure down; a nil budget is for one that explains.
func (r *report) add(work, name string, measured float64, unit string, limit *budget) {
	f := figure{Work: work, Figure: name, Measured: measured, Unit: unit, Budget: limit}
	if limit != nil {
		f.Held = new(limit.holds(measured))
	}
	r.Figures = append(r.Figures, f)
	say("   %s: %s: %s %s", work, name, number(measured), unit)
}

func (r *report) held() bool {
	return !slices.ContainsFunc(r.Figures, func(f figure) bool { return f.Held != nil && !*f.Held })
}

func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, "\n%d CPUs (%s), load before %s, %s\n\n", r.Machine.CPUs, r.Machine.Model, r.Machine.Load, r.Machine.Go)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "WORK\tFIGURE\tMEASURED\tBUDGET\tHELD")
	for _, f := range r.Figures {
		limit, held := "-", "-"
		if f.Budget != nil {
			limit, held = f.Budget.text(f.Unit), "no"
			if *f.Held {
				held = "yes"
			}
		}
		fmt.Fprintf(t, "%s\t%s\t%s %s\t%s\t%s\n", f.Work, f.Figure, number(f.Measured), f.Unit, limit, held)
	}
	_ = t.Flush() // what it writes to is a terminal or a pipe; the file is what counts
}

func (b budget) text(unit string) string {
	if b.AtMost != nil {
		return "<= " + number(*b.AtMost) + " " + unit
	}
	return ">= " + number(*b.AtLeast) + " " + unit
}

// write makes the JSON file.
func (r *report) write(file string) error {
	r.Finished = time.Now().UTC()
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(raw, '\n'), 0o644)
}

// number shows three digits that count.
func number(v float64) string {
	if v == math.Trunc(v) || math.Abs(v) >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

// percentile by nearest rank; durations are sorted in place.
func percentile(durations []time.Duration, p int) time.Duration {
	slices.Sort(durations)
	return durations[(len(durations)*p+99)/100-1]
}

func fileText(path string) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(raw)
}

// fieldOf reads "name : value" lines of /proc files.
func fieldOf(text, name string) string {
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
