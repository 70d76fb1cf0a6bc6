// Package desk is the HTTP API that agents' clients use: sign-in, profile, presence, telephones, call forwarding, calls,
// interactions and the event stream. Every path decides on the server what its caller may see; another agent's interaction is not found.
//
// Errors are RFC 9457 problem documents with a stable code (problem.go). The OpenAPI 3.1 document is made from the
// Go types and served at /openapi.json and /openapi.yaml.
package desk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/ringmaster-dev/ringmaster/internal/clientlog"
	"github.com/ringmaster-dev/ringmaster/internal/mail/message"
	"github.com/ringmaster-dev/ringmaster/internal/security"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// Defaults of Options.
const (
	DefaultSessionTTL     = 12 * time.Hour
	DefaultHeartbeat      = 15 * time.Second
	DefaultCommandTimeout = 5 * time.Second
)

// SIPSecret is what a phone registers with.
type SIPSecret struct {
	Username string `json:"username" doc:"Digest user name"`
	Password string `json:"password" doc:"Digest password"`
	Realm    string `json:"realm" doc:"Digest realm"`
	Server   string `json:"server" doc:"host[:port] of the registrar"`
	WSSURL   string `json:"wssURL,omitempty" doc:"WebSocket URL for SIP over WSS (RFC 7118), when the PBX offers one"`
}

// SIPSecrets finds the SIP secret of an agent. Any error makes the profile go out without it.
type SIPSecrets interface {
	SIPSecret(ctx context.Context, agent store.Key) (SIPSecret, error)
}

// ReplyInput is what an answer is composed from.
type ReplyInput struct {
	Account     store.Account
	Interaction store.Interaction
	// Original is the raw mail that is answered: the last inbound one (its header alone when it was too large to be
	// stored). Nil when there is none.
	Original []byte
	Agent    store.Agent
	// Text is plain text as the agent wrote it.
	Text string
	// Forward are whom it goes to instead of the customer; Text then contains what is forwarded.
	Forward []string
	// Forward, Cc and Bcc are plain addresses without display names.
	Cc, Bcc []string
	// Files go with it.
	Files []message.File
}

// ErrNotSendable is what a ReplyComposer wraps when the agent's input, or the mail answered, makes a reply
// impossible; the whole error text is shown to the agent.
var ErrNotSendable = errors.New("the reply cannot be sent")

// ReplyComposer makes the outbound message and its raw bytes: headers and threading. It stores and sends nothing.
type ReplyComposer interface {
	Compose(ctx context.Context, in ReplyInput) (store.Message, []byte, error)
}

// PasswordRules are a center's rules for a changed password.
type PasswordRules struct {
	// Policy is the zero value while the security suite is disabled.
	Policy security.PasswordPolicy
	// History is how many of the last passwords, the present one included, must differ from a new one; 0 allows any.
	History int
	// Age after which a password must be changed before signing in.
	Age security.PasswordAge
	// MaxAttempts is how many wrong passwords in a row lock an account; 0 never.
	MaxAttempts int
}

// PasswordReset sends links to set a password.
type PasswordReset struct {
	// TTL of a link.
	TTL time.Duration
	// Mail that brings the agent the link with this token.
	Mail func(agent store.Agent, token string, expires time.Time) (store.SystemMail, error)
}

// Options of the API. Store, SIPSecrets, Composer and PasswordRules are required.
type Options struct {
	Store      Store
	SIPSecrets SIPSecrets
	Composer   ReplyComposer
	// PasswordRules of a center (namespace).
	PasswordRules func(ctx context.Context, namespace string) (PasswordRules, error)

	// PasswordReset says how agents of a center (namespace) get links to set a password; nil when they get none. Default: none anywhere.
	PasswordReset func(ctx context.Context, namespace string) (*PasswordReset, error)

	// Logger gets requests at debug level and faults at error level, without customer data. Default: discard.
	Logger *slog.Logger
	// SessionTTL is how long a sign-in lasts; default DefaultSessionTTL.
	SessionTTL time.Duration
	// Heartbeat of the event stream; default DefaultHeartbeat. Sessions are checked as often.
	Heartbeat time.Duration
	// CommandTimeout is how long a request waits for a PBX; default DefaultCommandTimeout.
	CommandTimeout time.Duration
	// ClientLogOutput gets what agents' clients log in centers whose sink is Stdout, a JSON object a line; default os.Stdout.
	ClientLogOutput io.Writer
	// ClientLogDirectory is where the files of centers whose sink is Volume go; default none, they are refused.
	ClientLogDirectory string
	// ClientLogExport queues entries for the collector of a center (namespace) whose sink is OTLP, without waiting for it, and says how many there was room
	// for; default none, they are refused.
	ClientLogExport func(ctx context.Context, namespace string, entries []clientlog.Entry) (int, error)
	// AllowedOrigins may call the API from a browser (scheme://host[:port]); default none.
	AllowedOrigins []string
	// ClientAddress names the caller for limiting failed sign-ins; default the peer's IP address. Behind a proxy it
	// should return what that proxy vouches for.
	ClientAddress func(*http.Request) string
	// Version is shown in the OpenAPI document; default "dev".
	Version string
}

func (o *Options) complete() error {
	if o.Store == nil || o.SIPSecrets == nil || o.Composer == nil || o.PasswordRules == nil {
		return errors.New("desk: Store, SIPSecrets, Composer and PasswordRules are required")
	}
	if o.PasswordReset == nil {
		o.PasswordReset = func(context.Context, string) (*PasswordReset, error) { return nil, nil }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.SessionTTL <= 0 {
		o.SessionTTL = DefaultSessionTTL
	}
	if o.Heartbeat <= 0 {
		o.Heartbeat = DefaultHeartbeat
	}
	if o.CommandTimeout <= 0 {
		o.CommandTimeout = DefaultCommandTimeout
	}
	if o.ClientLogOutput == nil {
		o.ClientLogOutput = os.Stdout
	}
	if o.ClientAddress == nil {
		o.ClientAddress = peerAddress
	}
	if o.Version == "" {
		o.Version = "dev"
	}
	return nil
}

func peerAddress(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

type server struct {
	Options
	signIns *attemptLimiter
	hub     *hub
	// uploads has room for as many requests with a large body as are served at a time.
	uploads chan struct{}
	// recordings has room for as many parts of recordings as are asked for at a time.
	recordings chan struct{}
}

// New returns the handler of the whole API. It starts nothing: the one reader of the store's events runs while
// event streams are connected. Streams end with their request's context, so a server that shuts down must cancel it
// (http.Server.BaseContext), since Shutdown alone waits for them.
func New(o Options) (http.Handler, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	s := &server{Options: o, signIns: newAttemptLimiter(), hub: newHub(o.Store, o.Logger), uploads: make(chan struct{}, uploadsAtOnce),
		recordings: make(chan struct{}, recordingsAtOnce)}
	mux := http.NewServeMux()
	if err := serveOpenAPI(mux, s.register(mux)); err != nil {
		return nil, fmt.Errorf("desk: OpenAPI document: %w", err)
	}
	return s.wrap(mux), nil
}

// register adds all operations to mux.
func (s *server) register(mux *http.ServeMux) huma.API {
	api := humago.New(mux, apiConfig(s.Version))
	api.UseMiddleware(s.authenticate, s.authorize)
	s.registerSignIn(api)
	s.registerReset(api)
	s.registerProfile(api)
	s.registerAvatars(api)
	s.registerPermissions(api)
	s.registerClientLogs(api)
	s.registerTelephones(api)
	s.registerForwarding(api)
	s.registerCalls(api)
	s.registerRecordings(api)
	s.registerLists(api)
	s.registerExport(api)
	s.registerContacts(api)
	s.registerInteractions(api)
	s.registerTransfer(api)
	s.registerMarks(api)
	s.registerDispositions(api)
	s.registerCannedAnswers(api)
	s.registerMessages(api)
	s.registerReplies(api)
	s.registerUploads(api)
	s.registerDrafts(api)
	s.registerEvents(api)
	return api
}

// fail turns an error into the problem a client gets, and logs what the client does not get to see.
func (s *server) fail(ctx context.Context, doing string, err error) error {
	var p *Problem
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, store.ErrNotFound):
		return problem(CodeNotFound, "")
	case errors.Is(err, ErrNotSendable):
		return problem(CodeNotSendable, err.Error())
	case errors.Is(err, store.ErrDisposing):
		return problem(CodeDisposing, "")
	case errors.Is(err, store.ErrPasswordReused):
		return problem(CodePasswordReused, "choose a password that was not used before")
	case errors.Is(err, store.ErrTooMuch):
		return problem(CodeTooMuch, fmt.Sprintf("%d files and %d bytes per answer, %d bytes per file", store.MaxUploads, store.MaxUploadBytes, store.MaxUpload))
	case errors.Is(err, store.ErrKeyReused):
		return problem(CodeKeyReused, "")
	case errors.Is(err, store.ErrVersion):
		return problem(CodeDraftChanged, "")
	case errors.Is(err, store.ErrCapacity):
		return problem(CodeCapacityReached, "")
	case errors.Is(err, store.ErrConflict):
		return problem(CodeConflict, "")
	}
	level := slog.LevelError
	if errors.Is(err, context.Canceled) {
		level = slog.LevelDebug // the client has gone, nothing is wrong
	}
	s.Logger.Log(ctx, level, "desk request failed", "doing", doing, "requestID", requestID(ctx), "error", err)
	return problem(CodeUnavailable, "").withHeader("Retry-After", "2")
}

// asProblem is fail for those who answer themselves.
func (s *server) asProblem(ctx context.Context, doing string, err error) *Problem {
	var p *Problem
	errors.As(s.fail(ctx, doing, err), &p)
	return p
}

// request body limits and how long a body may take to arrive. The read deadline also ends the request, so it must
// not be shorter than a sign-in may wait for its turn to be verified.
const (
	maxBodyBytes      = 64 << 10
	maxReplyBodyBytes = 1 << 20
	bodyReadTimeout   = requestTimeout
)

// operation fills in what all operations share. Public ones need no session.
func operation(id, method, path, summary string) huma.Operation {
	return huma.Operation{
		OperationID:     id,
		Method:          method,
		Path:            path,
		Summary:         summary,
		MaxBodyBytes:    maxBodyBytes,
		BodyReadTimeout: bodyReadTimeout,
		Security:        []map[string][]string{{bearerScheme: {}}},
		// A misspelt filter must not silently widen a list.
		RejectUnknownQueryParameters: true,
	}
}
