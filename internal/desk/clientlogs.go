package desk

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"golang.org/x/time/rate"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// ClientLogs is the JSON in store.Agent.ClientLogs: what the agent's client is to send of its own log. Absent: nothing.
type ClientLogs struct {
	Level  string   `json:"level" example:"Warning" doc:"The least important entries that are kept: Error, Warning, Info or Debug"`
	Scopes []string `json:"scopes" example:"All" doc:"Parts of the client whose entries are kept; All is every one"`
	// Sink and RetentionDays are for the notice that the client shows.
	Sink          string `json:"sink" example:"Stdout" doc:"Where the server keeps them: Stdout (its own log), Volume (files) or OTLP (an OpenTelemetry collector)"`
	RetentionDays int    `json:"retentionDays,omitempty" doc:"Volume: how long"`
}

// Values of ClientLogs.
const (
	scopeAll         = "All"
	clientLogsStdout = "Stdout"
	clientLogsVolume = "Volume"
	clientLogsOTLP   = "OTLP"
)

// clientLogLevels, the most important first.
var clientLogLevels = []string{"Error", "Warning", "Info", "Debug"}

func parseClientLogs(raw []byte) (*ClientLogs, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	var l ClientLogs
	if err := json.Unmarshal(raw, &l); err != nil {
		return nil, fmt.Errorf("stored client log settings: %w", err)
	}
	return &l, nil
}

// keeps tells whether an entry is wanted.
func (l *ClientLogs) keeps(e ClientLogEntry) bool {
	return slices.Index(clientLogLevels, e.Level) <= slices.Index(clientLogLevels, l.Level) &&
		(slices.Contains(l.Scopes, scopeAll) || slices.Contains(l.Scopes, e.Scope))
}

// ClientLogEntry is one line of a client's log.
type ClientLogEntry struct {
	At      time.Time `json:"at" doc:"By the client's clock"`
	Level   string    `json:"level" enum:"Error,Warning,Info,Debug"`
	Scope   string    `json:"scope" maxLength:"40" pattern:"^[A-Za-z][A-Za-z0-9._-]*$" example:"Phone" doc:"Part of the client"`
	Message string    `json:"message" minLength:"1" maxLength:"4096"`
}

type clientLogsInput struct {
	Body struct {
		Entries []ClientLogEntry `json:"entries" minItems:"1" maxItems:"100" doc:"Oldest first"`
	}
}

type clientLogsOutput struct {
	Body struct {
		Accepted int `json:"accepted" doc:"Entries that were kept"`
		Dropped  int `json:"dropped" doc:"Entries below the level, of other scopes, or over what is kept a day or waits for a collector"`
	}
}

const (
	// One client sends this many entries at once, and so many a second for long.
	clientLogBurst = 500
	clientLogRate  = 10
	// maxClientLogBody is above what 100 of the longest ASCII entries need.
	maxClientLogBody = 512 << 10
)

func (s *server) registerClientLogs(api huma.API) {
	op := operation("sendClientLogs", http.MethodPost, "/v1/me/logs", "Send entries of the client's own log")
	op.Description = "Only while `clientLogs` is in the profile. Levels are cumulative: Warning keeps Error and Warning. Passwords, tokens, addresses " +
		"and telephone numbers are blotted out."
	op.MaxBodyBytes = maxClientLogBody
	op.Errors = []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusTooManyRequests, http.StatusServiceUnavailable}
	limits := &clientLogLimits{agents: map[store.Key]*rate.Limiter{}}
	huma.Register(api, op, func(ctx context.Context, in *clientLogsInput) (*clientLogsOutput, error) {
		out, err := s.keepClientLogs(ctx, in.Body.Entries, limits)
		if err != nil {
			return nil, s.fail(ctx, "keeping client logs", err)
		}
		return out, nil
	})
}

func (s *server) keepClientLogs(ctx context.Context, entries []ClientLogEntry, limits *clientLogLimits) (*clientLogsOutput, error) {
	c := callerOf(ctx)
	wanted, err := parseClientLogs(c.ClientLogs)
	if err != nil {
		return nil, err
	}
	if wanted == nil {
		return nil, problem(CodeClientLogsOff, "")
	}
	if wait := limits.take(c.Key, len(entries)); wait > 0 {
		return nil, problem(CodeRateLimited, "").withHeader("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	}
	var kept []ClientLogEntry
	for _, e := range entries {
		if wanted.keeps(e) {
			e.Message = scrub(e.Message)
			kept = append(kept, e)
		}
	}
	out := &clientLogsOutput{}
	if len(kept) > 0 {
		if out.Body.Accepted, err = s.clientLogSink(wanted).keep(ctx, c, kept); err != nil {
			return nil, err
		}
	}
	out.Body.Dropped = len(entries) - out.Body.Accepted
	return out, nil
}

// clientLogLimits bound what one agent's clients send to this process.
type clientLogLimits struct {
	mu     sync.Mutex
	agents map[store.Key]*rate.Limiter
}

// take returns how long to wait before n entries may be sent; 0 when they may now.
func (l *clientLogLimits) take(agent store.Key, n int) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	limiter := l.agents[agent]
	if limiter == nil {
		if len(l.agents) >= maxTracked {
			clear(l.agents) // agents come and go for years; to begin anew lets through one burst
		}
		limiter = rate.NewLimiter(clientLogRate, clientLogBurst)
		l.agents[agent] = limiter
	}
	r := limiter.ReserveN(time.Now(), n)
	wait := r.Delay()
	if wait > 0 {
		r.Cancel()
	}
	return wait
}

// secrets as programs write them: in headers, URLs, JSON, forms and SIP.
var secrets = []struct {
	found *regexp.Regexp
	as    string
}{
	{regexp.MustCompile(`(?i)((?:authorization|cookie)["']?\s*[:=]\s*)[^\r\n]+`), "$1[removed]"},
	{regexp.MustCompile(`(?i)\bbearer\s+[\w.~+/=-]{8,}`), "Bearer [removed]"},
	{regexp.MustCompile(`(?i)((?:password|passwd|pwd|passphrase|secret|token|api[_-]?key|\bpin|\bresponse)["']?\s*[:=]\s*)(?:"(?:[^"\\]|\\.)*"|'[^']*'|[^\s,;&}]+)`), "$1[removed]"},
	{regexp.MustCompile(`(://[^/\s:@]*:)[^/\s@]+@`), "$1[removed]@"},
	{regexp.MustCompile(`\beyJ[\w-]+\.[\w-]+\.[\w-]*`), "[removed]"},
}

// scrub takes out of a line what no log may hold.
func scrub(line string) string {
	for _, s := range secrets {
		line = s.found.ReplaceAllString(line, s.as)
	}
	return (&masking{characters: maxMaskedCharacters}).text(line)
}
