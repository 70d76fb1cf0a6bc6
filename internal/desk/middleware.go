package desk

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

const (
	// requestTimeout bounds every request but the event stream and downloads.
	requestTimeout = 30 * time.Second
	// downloadTimeout lets a 50 MiB message through a slow line.
	downloadTimeout = 10 * time.Minute
)

type contextKey int

const (
	requestIDKey contextKey = iota
	callerKey
	addressKey
)

func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey).(string)
	return id
}

// acceptableRequestID keeps a client from writing what it likes into the log.
var acceptableRequestID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// wrap puts around the operations what all requests share.
func (s *server) wrap(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		id := r.Header.Get("X-Request-Id")
		if !acceptableRequestID.MatchString(id) {
			id = uuid.NewString()
		}
		ctx := context.WithValue(r.Context(), requestIDKey, id)
		ctx = context.WithValue(ctx, addressKey, s.ClientAddress(r))
		rec := &statusRecorder{ResponseWriter: w}
		securityHeaders(rec.Header(), r, id)

		_, pattern := mux.Handler(r)
		defer func() {
			s.recoverPanic(r.Context(), id, recover(), rec, pattern)
			// The pattern, not the path: a log line holds no identifiers of customers' conversations.
			s.Logger.LogAttrs(ctx, slog.LevelDebug, "desk request", slog.String("method", r.Method), slog.String("pattern", pattern),
				slog.Int("status", rec.status), slog.Duration("duration", time.Since(began)), slog.String("requestID", id))
		}()

		if s.allowOrigin(rec, r) {
			return
		}
		ctx, cancel := limitTime(ctx, rec, pattern)
		defer cancel()
		if pattern == "" {
			noSuchOperation(mux, rec, r)
			return
		}
		mux.ServeHTTP(rec, r.WithContext(ctx))
	})
}

func securityHeaders(h http.Header, r *http.Request, id string) {
	h.Set("X-Request-Id", id)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	// Nothing here is a page; a downloaded attachment opened in a browser must not run as one.
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox")
	if r.TLS != nil {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// allowOrigin answers CORS for the allowed origins (Fetch standard, section 3.3) and reports whether the request was a
// preflight, which is then done. Credentials are never allowed: the token travels in a header.
func (s *server) allowOrigin(w http.ResponseWriter, r *http.Request) (done bool) {
	if len(s.AllowedOrigins) == 0 {
		return false
	}
	w.Header().Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if origin == "" || !slices.Contains(s.AllowedOrigins, origin) {
		return false
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", "X-Request-Id, Retry-After, Content-Disposition, Content-Range, ETag")
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	h.Set("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE")
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Idempotency-Key, If-Match, Last-Event-ID, X-Request-Id")
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
	return true
}

// limitTime ends slow work and slow readers. The event stream sets its own deadlines.
func limitTime(ctx context.Context, w http.ResponseWriter, pattern string) (context.Context, context.CancelFunc) {
	if pattern == http.MethodGet+" "+eventsPath {
		return ctx, func() {}
	}
	limit := requestTimeout
	if strings.HasSuffix(pattern, rawSuffix) || strings.HasSuffix(pattern, attachmentSuffix) || strings.HasSuffix(pattern, uploadsSuffix) ||
		strings.HasSuffix(pattern, exportPath) || strings.HasSuffix(pattern, recordingSuffix) {
		limit = downloadTimeout
	}
	// A writer without deadlines (a test recorder) has no slow reader either.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(limit + time.Second))
	return context.WithTimeout(ctx, limit)
}

// noSuchOperation lets the mux decide between 404 and 405 and says it as a problem.
func noSuchOperation(mux *http.ServeMux, w http.ResponseWriter, r *http.Request) {
	probe := &statusProbe{header: http.Header{}}
	mux.ServeHTTP(probe, r)
	if probe.status == http.StatusMethodNotAllowed {
		problem(CodeMethodNotAllowed, "").withHeader("Allow", probe.header.Get("Allow")).write(w)
		return
	}
	problem(CodeNotFound, "there is no such path").write(w)
}

func (s *server) recoverPanic(ctx context.Context, id string, cause any, w *statusRecorder, pattern string) {
	if cause == nil {
		return
	}
	if ctx.Err() != nil {
		return // huma panics when it cannot write to a client that has gone
	}
	if cause == http.ErrAbortHandler { //nolint:errorlint // net/http compares it, too
		panic(cause) // the connection must break off
	}
	s.Logger.ErrorContext(ctx, "desk request panicked", "pattern", pattern, "requestID", id,
		"panic", fmt.Sprint(cause), "stack", string(debug.Stack()))
	if w.status == 0 {
		problem(CodeInternal, "").write(w)
	}
}

// statusRecorder remembers the status for the log and for recoverPanic.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (w *statusRecorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusRecorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach deadlines and flushing.
func (w *statusRecorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// statusProbe takes an answer's status and headers and drops its body.
type statusProbe struct {
	header http.Header
	status int
}

func (p *statusProbe) Header() http.Header         { return p.header }
func (p *statusProbe) Write(b []byte) (int, error) { return len(b), nil }
func (p *statusProbe) WriteHeader(status int)      { p.status = status }
