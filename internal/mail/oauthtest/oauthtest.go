// Package oauthtest is an authorization server for tests (RFC 6749, 7662 and 8628) that is as strict as real ones: a refresh token works
// once, and access tokens end.
package oauthtest

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// ClientID and ClientSecret are of the one client that is known.
const (
	ClientID     = "ringmaster"
	ClientSecret = "client-secret"
)

// Server is the authorization server.
type Server struct {
	// TokenURL and DeviceURL speak TLS with a certificate of CA (PEM); IntrospectionURL is for a resource server beside it.
	TokenURL, DeviceURL, IntrospectionURL, CA string

	mu       sync.Mutex
	username string
	life     time.Duration
	refresh  string
	keep     bool
	fault    func(http.ResponseWriter) bool
	access   map[string]time.Time
	issued   int
	polls    int
}

// New starts a server whose tokens are of that user and live for an hour.
func New(t testing.TB, username string) *Server {
	t.Helper()
	s := &Server{username: username, life: time.Hour, access: map[string]time.Time{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", s.token)
	mux.HandleFunc("POST /device", s.device)
	mux.HandleFunc("POST /introspect", s.introspect)
	secure, plain := httptest.NewTLSServer(mux), httptest.NewServer(mux)
	t.Cleanup(secure.Close)
	t.Cleanup(plain.Close)
	s.TokenURL, s.DeviceURL, s.IntrospectionURL = secure.URL+"/token", secure.URL+"/device", plain.URL+"/introspect"
	s.CA = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}))
	return s
}

// Authorize makes a refresh token, the only one that works.
func (s *Server) Authorize() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rotate()
}

func (s *Server) rotate() string {
	s.issued++
	s.refresh = fmt.Sprintf("refresh-%d", s.issued)
	return s.refresh
}

// KeepRefreshToken makes refresh tokens work for ever, and answers without one.
func (s *Server) KeepRefreshToken() { s.set(func() { s.keep = true }) }

// Live is how long access tokens live from now on.
func (s *Server) Live(d time.Duration) { s.set(func() { s.life = d }) }

// Withdraw ends all access tokens.
func (s *Server) Withdraw() { s.set(func() { clear(s.access) }) }

// Fail lets f answer in place of the token endpoint while it returns true; nil ends that.
func (s *Server) Fail(f func(http.ResponseWriter) bool) { s.set(func() { s.fault = f }) }

func (s *Server) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// Issued counts the tokens given out, refresh and access tokens together.
func (s *Server) Issued() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.issued
}

func answer(w http.ResponseWriter, status int, body map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func refuse(w http.ResponseWriter, code string) {
	answer(w, http.StatusBadRequest, map[string]any{"error": code, "error_description": "secret words"})
}

func known(r *http.Request) bool {
	id, secret, ok := r.BasicAuth()
	if !ok {
		id, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	}
	return id == ClientID && secret == ClientSecret
}

func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault != nil && s.fault(w) {
		return
	}
	if !known(r) {
		refuse(w, "invalid_client")
		return
	}
	body := map[string]any{"token_type": "Bearer"}
	switch r.PostFormValue("grant_type") {
	case "client_credentials":
	case "refresh_token":
		if s.refresh == "" || r.PostFormValue("refresh_token") != s.refresh {
			refuse(w, "invalid_grant")
			return
		}
		if !s.keep {
			body["refresh_token"] = s.rotate()
		}
	case "urn:ietf:params:oauth:grant-type:device_code":
		if s.polls++; s.polls == 1 {
			refuse(w, "authorization_pending")
			return
		}
		body["refresh_token"] = s.rotate()
	default:
		refuse(w, "unsupported_grant_type")
		return
	}
	s.issued++
	access := fmt.Sprintf("access-%d", s.issued)
	s.access[access] = time.Now().Add(s.life)
	body["access_token"], body["expires_in"] = access, int(s.life.Seconds())
	answer(w, http.StatusOK, body)
}

func (s *Server) device(w http.ResponseWriter, r *http.Request) {
	if r.PostFormValue("client_id") != ClientID {
		refuse(w, "invalid_client")
		return
	}
	answer(w, http.StatusOK, map[string]any{
		"device_code": "device-1", "user_code": "WDJB-MJHT", "verification_uri": "https://login.example.test/device", "expires_in": 60, "interval": 1,
	})
}

func (s *Server) introspect(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	until, ok := s.access[r.PostFormValue("token")]
	answer(w, http.StatusOK, map[string]any{"active": ok && time.Now().Before(until), "username": s.username})
}
