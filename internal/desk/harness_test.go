package desk_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ringmaster-dev/ringmaster/internal/desk"
	"github.com/ringmaster-dev/ringmaster/internal/mail/message"
	"github.com/ringmaster-dev/ringmaster/internal/routing"
	"github.com/ringmaster-dev/ringmaster/internal/security"
	"github.com/ringmaster-dev/ringmaster/internal/store"
	"github.com/ringmaster-dev/ringmaster/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	center   = "support"
	password = "Passw0rd!"
)

var queueKey = store.Key{Namespace: center, Name: "mail"}

var accountKey = store.Key{Namespace: center, Name: "info"}

func agentKey(name string) store.Key { return store.Key{Namespace: center, Name: name} }

// fixture is the API on a real SQLite store, with a center of a queue, an account and agents.
type fixture struct {
	*testing.T
	store store.Store
	url   string
	rules desk.PasswordRules
	log   *syncBuffer
	sip   func(store.Key) (desk.SIPSecret, error)
	lease store.Lease
	uid   uint32
}

func newFixture(t *testing.T, change ...func(*desk.Options)) *fixture {
	t.Helper()
	st := storetest.SQLite(t)
	return newFixtureOn(t, st, change...)
}

// newFixtureOn is a fixture on another store.
func newFixtureOn(t *testing.T, st store.Store, change ...func(*desk.Options)) *fixture {
	t.Helper()
	f := &fixture{
		T: t, store: st, log: &syncBuffer{},
		rules: desk.PasswordRules{Policy: security.DefaultPasswordPolicy(), History: 2},
		sip: func(k store.Key) (desk.SIPSecret, error) {
			return desk.SIPSecret{Username: k.Name, Password: "sip-" + k.Name, Realm: "pbx", Server: "192.0.2.1:5060", WSSURL: "wss://192.0.2.1/ws"}, nil
		},
	}
	options := desk.Options{
		Store: st, SIPSecrets: f, Composer: f,
		PasswordRules: func(context.Context, string) (desk.PasswordRules, error) { return f.rules, nil },
		Logger:        slog.New(slog.NewTextHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Heartbeat:     200 * time.Millisecond,
	}
	for _, c := range change {
		c(&options)
	}
	handler, err := desk.New(options)
	if err != nil {
		t.Fatal(err)
	}
	serving, stop := context.WithCancel(context.Background())
	server := httptest.NewUnstartedServer(handler)
	server.Config.BaseContext = func(net.Listener) context.Context { return serving }
	server.Start()
	t.Cleanup(server.Close)
	t.Cleanup(stop)
	f.url = server.URL
	f.seed()
	return f
}

func (f *fixture) seed() {
	f.Helper()
	f.ok(f.store.PutQueue(f.Context(), store.Queue{
		Key: queueKey, DisplayName: "Mail", Channel: store.ChannelEmail, Strategy: string(routing.RRMemory),
		OfferTimeout: time.Minute, Members: []store.QueueMember{{Agent: "alice"}, {Agent: "bob"}},
	}))
	f.ok(f.store.PutAccount(f.Context(), store.Account{
		Key: accountKey, Label: "INFO", DisplayName: "Info", Address: "info@example.com", Queue: "mail", Active: true,
	}))
	f.putAgent("alice", true, `{"typology":"WebRTC","transport":"WSS","codecs":["opus","alaw"],"expiresSeconds":3600,"passwordManagement":"Bootstrap"}`)
	f.putAgent("bob", true, `{"passwordManagement":"Enforced"}`)
	hash, err := security.Hash(f.Context(), password)
	f.ok(err)
	for _, name := range []string{"alice", "bob"} {
		f.ok(f.store.SetPassword(f.Context(), store.Credential{Agent: agentKey(name), Hash: hash, SecretVersion: "7"}, 0, ""))
	}
}

func (f *fixture) putAgent(name string, active bool, profile string) {
	f.Helper()
	f.ok(f.store.PutAgent(f.Context(), store.Agent{
		Key: agentKey(name), Username: name + ".r", DisplayName: strings.ToUpper(name[:1]) + name[1:], Email: name + "@example.com",
		Extension: fmt.Sprintf("10%02d", len(name)), Active: active, EmailCapacity: 2, Profile: []byte(profile),
	}))
}

func (f *fixture) ok(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) SIPSecret(_ context.Context, k store.Key) (desk.SIPSecret, error) { return f.sip(k) }

// Compose adapts the mail package.
func (f *fixture) Compose(_ context.Context, in desk.ReplyInput) (store.Message, []byte, error) {
	m, raw, err := message.BuildReply(message.Reply{
		Account: in.Account.Key, From: mail.Address{Name: in.Account.DisplayName, Address: in.Account.Address}, Agent: in.Agent.Name,
		InteractionID: in.Interaction.ID, Original: in.Original, To: mail.Address{Name: in.Interaction.Name, Address: in.Interaction.Customer},
		Subject: in.Interaction.Subject, Cc: in.Cc, Bcc: in.Bcc, Forward: in.Forward, Files: in.Files, Text: in.Text, At: time.Now(),
	})
	if errors.Is(err, message.ErrNoRecipient) {
		err = fmt.Errorf("%w: %w", desk.ErrNotSendable, err)
	}
	return m, raw, err
}

const customerMail = `From: Zoe <zoe@customer.example>
To: info@example.com
Message-ID: <%s>
Subject: %s
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b

Hello
--b
Content-Type: text/html
Content-Disposition: attachment; filename*=utf-8''Pr%%C3%%BCfung.html

<script>alert(1)</script>
--b--
`

// receive lets a customer's mail arrive and returns the id of its interaction.
func (f *fixture) receive(subject string) string {
	f.Helper()
	ctx := f.Context()
	if f.lease.Name == "" {
		lease, ok, err := f.store.AcquireLease(ctx, "account/"+accountKey.String(), "test", time.Hour)
		f.ok(err)
		if !ok {
			f.Fatal("lease not granted")
		}
		f.lease = lease
		f.ok(f.store.SetMailbox(ctx, accountKey, "INBOX", store.MailboxState{UIDValidity: 1}))
	}
	f.uid++
	id := fmt.Sprintf("m%d@customer.example", f.uid)
	raw := []byte(strings.ReplaceAll(fmt.Sprintf(customerMail, id, subject), "\n", "\r\n"))
	parsed := message.Parse(raw, "info@example.com")
	m := parsed.Message
	m.Namespace, m.Account, m.State = center, accountKey.Name, store.MessageStored
	results, err := f.store.Ingest(ctx, f.lease, accountKey, []store.IngestMail{{
		Mailbox: "INBOX", UIDValidity: 1, UID: f.uid, Kind: store.IngestMessage, Raw: raw, SHA256: security.TokenHash(string(raw)),
		Size: int64(len(raw)), CustomerName: parsed.CustomerName, ThreadKeys: parsed.ThreadKeys, Message: m,
	}})
	f.ok(err)
	return results[0].InteractionID
}

// route runs routing until nothing is due.
func (f *fixture) route() {
	f.Helper()
	for {
		n, err := f.store.Route(f.Context(), 100, routing.Decide)
		f.ok(err)
		if n == 0 {
			return
		}
	}
}

// answer of the API, decoded.
type answer struct {
	status int
	header http.Header
	raw    []byte
	body   map[string]any
}

func (a answer) code() string { s, _ := a.body["code"].(string); return s }

// at follows names and indexes into the JSON body.
func (a answer) at(path ...any) any {
	var v any = a.body
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[p]
		case int:
			list, _ := v.([]any)
			if p >= len(list) {
				return nil
			}
			v = list[p]
		}
	}
	return v
}

func (f *fixture) do(token, method, path string, body any, headers ...string) answer {
	f.Helper()
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	default:
		encoded, err := json.Marshal(b)
		f.ok(err)
		reader = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(f.Context(), method, f.url+path, reader)
	f.ok(err)
	if reader != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Content-Type" {
			request.Header.Del("Content-Type")
		}
		request.Header.Add(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	f.ok(err)
	defer func() { _ = response.Body.Close() }()
	raw, err := io.ReadAll(response.Body)
	f.ok(err)
	a := answer{status: response.StatusCode, header: response.Header, raw: raw}
	if strings.HasSuffix(response.Header.Get("Content-Type"), "json") {
		f.ok(json.Unmarshal(raw, &a.body))
	}
	return a
}

// want does a request that must have this status and code.
func (f *fixture) want(status int, code desk.Code, token, method, path string, body any, headers ...string) answer {
	f.Helper()
	a := f.do(token, method, path, body, headers...)
	if a.status != status || a.code() != string(code) {
		f.Fatalf("%s %s: %d %s %s\nwant %d %s", method, path, a.status, a.code(), a.raw, status, code)
	}
	if code != "" && a.header.Get("Content-Type") != "application/problem+json" {
		f.Errorf("%s %s: a problem of type %s", method, path, a.header.Get("Content-Type"))
	}
	return a
}

func (f *fixture) login(name string) string {
	f.Helper()
	return f.loginWith(name, "", "")
}

// loginWith signs in with a kind of client and at a telephone; both may be empty.
func (f *fixture) loginWith(name, client, telephone string) string {
	f.Helper()
	body := map[string]string{"username": name + ".r", "password": password}
	if client != "" {
		body["client"] = client
	}
	if telephone != "" {
		body["telephone"] = telephone
	}
	a := f.want(http.StatusOK, "", "", "POST", "/v1/login", body)
	token, _ := a.body["token"].(string)
	return token
}

// eventually polls until check returns nil.
func (f *fixture) eventually(what string, check func() error) {
	f.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			f.Fatalf("%s: %v", what, err)
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-f.Context().Done():
			f.Fatal(f.Context().Err())
		}
	}
}

var errUnreachable = errors.New("kubernetes does not answer")

// syncBuffer is a log that may be read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
