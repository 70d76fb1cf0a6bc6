package desk_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/clientlog"
	"github.com/ringmaster-dev/ringmaster/internal/desk"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// wantLogs records what an agent's client is to log; nil: nothing.
func (f *fixture) wantLogs(name string, l *desk.ClientLogs) {
	f.Helper()
	agent, err := f.store.GetAgent(f.Context(), agentKey(name))
	f.ok(err)
	agent.ClientLogs = nil
	if l != nil {
		agent.ClientLogs, err = json.Marshal(l)
		f.ok(err)
	}
	f.ok(f.store.PutAgent(f.Context(), agent))
}

type entries []desk.ClientLogEntry

func (f *fixture) sendLogs(token string, e ...desk.ClientLogEntry) answer {
	f.Helper()
	return f.do(token, "POST", "/v1/me/logs", map[string]any{"entries": e})
}

func entry(level, scope, message string) desk.ClientLogEntry {
	return desk.ClientLogEntry{At: time.Date(2026, 1, 31, 8, 0, 0, 0, time.UTC), Level: level, Scope: scope, Message: message}
}

// kept are the lines of a JSON log without their time.
func kept(t *testing.T, log string) []map[string]any {
	t.Helper()
	var lines []map[string]any
	for line := range strings.Lines(log) {
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		delete(v, "time")
		lines = append(lines, v)
	}
	return lines
}

func TestClientLogLevelsAreCumulative(t *testing.T) {
	out := &syncBuffer{}
	f := newFixture(t, func(o *desk.Options) { o.ClientLogOutput = out })
	token := f.login("alice")
	four := entries{entry("Error", "Phone", "e"), entry("Warning", "Chat", "w"), entry("Info", "Phone", "i"), entry("Debug", "Phone", "d")}
	for _, test := range []struct {
		level  string
		scopes []string
		want   string
	}{
		{"Error", []string{"All"}, "e"},
		{"Warning", []string{"All"}, "ew"},
		{"Info", []string{"All"}, "ewi"},
		{"Debug", []string{"All"}, "ewid"},
		{"Debug", []string{"Phone"}, "eid"},
		{"Warning", []string{"Mail"}, ""},
	} {
		f.wantLogs("alice", &desk.ClientLogs{Level: test.level, Scopes: test.scopes, Sink: "Stdout"})
		before := len(out.String())
		a := f.sendLogs(token, four...)
		var got string
		for _, line := range kept(t, out.String()[before:]) {
			got += fmt.Sprint(line["msg"])
		}
		if a.status != 200 || got != test.want || a.body["accepted"] != float64(len(test.want)) || a.body["dropped"] != float64(4-len(test.want)) {
			t.Errorf("%s %v: %d %s, kept %q, want %q", test.level, test.scopes, a.status, a.raw, got, test.want)
		}
	}
	f.wantLogs("alice", &desk.ClientLogs{Level: "Debug", Scopes: []string{"All"}, Sink: "Stdout"})
	before := len(out.String())
	f.sendLogs(token, entry("Info", "Phone", "two\nlines"))
	want := []map[string]any{{"level": "INFO", "msg": "two\nlines", "logger": "client", "center": "support", "agent": "alice", "role": "agent",
		"username": "alice.r", "client": "Other", "at": "2026-01-31T08:00:00Z", "clientLevel": "Info", "scope": "Phone"}}
	if diff := cmp.Diff(want, kept(t, out.String()[before:])); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
}

func TestClientLogsHoldNoSecrets(t *testing.T) {
	out := &syncBuffer{}
	f := newFixture(t, func(o *desk.Options) { o.ClientLogOutput = out })
	token := f.login("alice")
	f.wantLogs("alice", &desk.ClientLogs{Level: "Debug", Scopes: []string{"All"}, Sink: "Stdout"})
	for _, line := range []string{
		"Authorization: Bearer hunter2hunter2", `{"password":"hunter2"}`, `{"newPassword": "hun\"ter2"}`, "login?user=x&password=hunter2&y=1",
		"wss://alice:hunter2@pbx.example.com/ws", "sip secret = hunter2", `Digest username="a", response="hunter2"`, "bearer hunter2hunter2",
		"eyJhunter2.eyJhunter2.hunter2", "Cookie: a=1; session=hunter2", "access_token=hunter2", "pin: hunter2",
		"caller hunter2@customer.example", "calling +39 333 1234567",
	} {
		before := len(out.String())
		f.sendLogs(token, entry("Info", "Phone", line))
		got := out.String()[before:]
		if len(got) == 0 || strings.Contains(got, "hunter2") || strings.Contains(got, "ter2") || strings.Contains(got, "1234567") {
			t.Errorf("%s is kept as %s", line, got)
		}
	}
	before := len(out.String())
	f.sendLogs(token, entry("Info", "Phone", "registered at pbx.example.com, expires 3600, transport wss"))
	if !strings.Contains(out.String()[before:], `"registered at pbx.example.com, expires 3600, transport wss"`) {
		t.Errorf("a harmless line is kept as %s", out.String()[before:])
	}
}

func TestClientLogsAreBounded(t *testing.T) {
	f := newFixture(t, func(o *desk.Options) { o.ClientLogOutput = &syncBuffer{} })
	token := f.login("alice")
	if a := f.sendLogs(token, entry("Error", "Phone", "x")); a.status != 409 || a.code() != string(desk.CodeClientLogsOff) {
		t.Errorf("logs that nobody asked for: %d %s", a.status, a.raw)
	}
	f.wantLogs("alice", &desk.ClientLogs{Level: "Error", Scopes: []string{"All"}, Sink: "Stdout"})
	full := make(entries, 100)
	for i := range full {
		full[i] = entry("Debug", "Phone", "x")
	}
	for range 5 {
		if a := f.sendLogs(token, full...); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.raw)
		}
	}
	// What is dropped counts as well: sending it is the load.
	if a := f.sendLogs(token, full...); a.status != 429 || a.header.Get("Retry-After") == "" {
		t.Errorf("the sixth hundred: %d %s", a.status, a.raw)
	}
	f.wantLogs("bob", &desk.ClientLogs{Level: "Error", Scopes: []string{"All"}, Sink: "Stdout"})
	bob := f.login("bob")
	for name, a := range map[string]answer{
		"101 entries":     f.sendLogs(bob, append(full, full[0])...),
		"none":            f.sendLogs(bob),
		"a long message":  f.sendLogs(bob, entry("Error", "Phone", strings.Repeat("x", 4097))),
		"a bad level":     f.sendLogs(bob, entry("Disabled", "Phone", "x")),
		"a path as scope": f.sendLogs(bob, entry("Error", "../x", "x")),
	} {
		if a.status != 422 {
			t.Errorf("%s: %d %s", name, a.status, a.raw)
		}
	}
	if a := f.do(bob, "POST", "/v1/me/logs", `{"entries":[{"message":"`+strings.Repeat("x", 600<<10)+`"}]}`); a.status != 413 {
		t.Errorf("a huge body: %d", a.status)
	}
}

func TestClientLogsOnAVolume(t *testing.T) {
	directory := t.TempDir()
	f := newFixture(t, func(o *desk.Options) { o.ClientLogDirectory = directory })
	token := f.login("alice")
	f.wantLogs("alice", &desk.ClientLogs{Level: "Info", Scopes: []string{"All"}, Sink: "Volume", RetentionDays: 2})
	folder := filepath.Join(directory, "support", "agent-alice.r")
	f.ok(os.MkdirAll(folder, 0o700))
	day := func(ago int) string { return time.Now().UTC().AddDate(0, 0, -ago).Format(time.DateOnly) + ".log" }
	for _, name := range []string{day(1), day(3), day(400), "notes.txt"} {
		f.ok(os.WriteFile(filepath.Join(folder, name), []byte("{}\n"), 0o600))
	}
	for n := range 2 {
		if a := f.sendLogs(token, entry("Error", "Phone", fmt.Sprint("line ", n))); a.body["accepted"] != 1.0 {
			t.Fatalf("%d %s", a.status, a.raw)
		}
	}
	files, err := os.ReadDir(folder)
	f.ok(err)
	var names []string
	for _, file := range files {
		names = append(names, file.Name())
	}
	if diff := cmp.Diff([]string{day(1), day(0), "notes.txt"}, names); diff != "" {
		t.Errorf("files after retention (-want +got):\n%s", diff)
	}
	raw, err := os.ReadFile(filepath.Join(folder, day(0)))
	f.ok(err)
	if lines := kept(t, string(raw)); len(lines) != 2 || lines[1]["msg"] != "line 1" {
		t.Errorf("kept %s", raw)
	}
	// A full day takes nothing more.
	f.ok(os.Truncate(filepath.Join(folder, day(0)), 32<<20))
	if a := f.sendLogs(token, entry("Error", "Phone", "more")); a.status != 200 || a.body["dropped"] != 1.0 {
		t.Errorf("over the day's size: %d %s", a.status, a.raw)
	}
	none := newFixture(t)
	none.wantLogs("alice", &desk.ClientLogs{Level: "Info", Scopes: []string{"All"}, Sink: "Volume", RetentionDays: 2})
	if a := none.sendLogs(none.login("alice"), entry("Error", "Phone", "x")); a.status != 503 {
		t.Errorf("without a directory: %d %s", a.status, a.raw)
	}
}

func TestClientLogsToACollector(t *testing.T) {
	var got []clientlog.Entry
	room := 2
	f := newFixture(t, func(o *desk.Options) {
		o.ClientLogExport = func(_ context.Context, namespace string, entries []clientlog.Entry) (int, error) {
			if namespace != "support" {
				t.Errorf("the collector of %s", namespace)
			}
			if room < 0 {
				return 0, errors.New("no collector")
			}
			n := min(room, len(entries))
			got = append(got, entries[:n]...)
			return n, nil
		}
	})
	token := f.login("alice")
	f.wantLogs("alice", &desk.ClientLogs{Level: "Info", Scopes: []string{"All"}, Sink: "OTLP"})
	a := f.sendLogs(token, entry("Error", "Phone", "password=hunter2"), entry("Info", "Chat", "i"), entry("Info", "Chat", "too much"), entry("Debug", "Phone", "d"))
	if a.status != 200 || a.body["accepted"] != 2.0 || a.body["dropped"] != 2.0 {
		t.Errorf("%d %s", a.status, a.raw)
	}
	about := func(scope string) map[string]string {
		return map[string]string{"ringmaster.center": "support", "ringmaster.agent": "alice", "ringmaster.role": "agent", "ringmaster.username": "alice.r",
			"ringmaster.client": "Other", "ringmaster.scope": scope}
	}
	at := entry("", "", "").At
	want := []clientlog.Entry{{At: at, Level: "Error", Message: "password=[removed]", Attributes: about("Phone")}, {At: at, Level: "Info", Message: "i", Attributes: about("Chat")}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	room = -1
	if a := f.sendLogs(token, entry("Error", "Phone", "x")); a.status != 503 {
		t.Errorf("without a collector: %d %s", a.status, a.raw)
	}
}

func TestClientIsToldOfLogs(t *testing.T) {
	f := newFixture(t)
	token := f.login("alice")
	if got := f.want(200, "", token, "GET", "/v1/me", nil).at("clientLogs"); got != nil {
		t.Errorf("clientLogs while disabled: %v", got)
	}
	s := f.stream(token, "")
	s.expect("hello", "")
	f.wantLogs("alice", &desk.ClientLogs{Level: "Info", Scopes: []string{"All"}, Sink: "Stdout"})
	want := map[string]any{"level": "Info", "scopes": []any{"All"}, "sink": "Stdout"}
	if diff := cmp.Diff(want, s.expect(store.EventClientLogsEnabled, "alice").data["data"]); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(any(want), f.want(200, "", token, "GET", "/v1/me", nil).at("clientLogs")); diff != "" {
		t.Errorf("profile (-want +got):\n%s", diff)
	}
	f.wantLogs("alice", nil)
	s.expect(store.EventClientLogsDisabled, "alice")
}
