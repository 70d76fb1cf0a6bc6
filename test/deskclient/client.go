// Package deskclient is a small agent client of the desk API, for the demo and for tests.
package deskclient

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/desk"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// Client is one agent's signed-in client.
type Client struct {
	base  string
	http  *http.Client
	token string
}

// Error is an answer of the API other than success.
type Error struct {
	Status int
	// Code is the stable code of the problem document.
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

func (e *Error) Error() string { return fmt.Sprintf("%d %s: %s", e.Status, e.Code, e.Detail) }

// Option of SignIn.
type Option func(body map[string]string)

// As is the kind of client to sign in as; the API's default is Other.
func As(client store.Client) Option {
	return func(body map[string]string) { body["client"] = string(client) }
}

// AtTelephone is where to sit (hot desk).
func AtTelephone(telephone string) Option {
	return func(body map[string]string) { body["telephone"] = telephone }
}

// SignIn signs an agent in at the desk API of base (https://host:port), whose certificate ca (PEM) signed.
func SignIn(ctx context.Context, base string, ca []byte, center, username, password string, options ...Option) (*Client, error) {
	c, err := newClient(base, ca)
	if err != nil {
		return nil, err
	}
	var out struct {
		Token string `json:"token"`
	}
	body := map[string]string{"center": center, "username": username, "password": password}
	for _, option := range options {
		option(body)
	}
	err = c.do(ctx, http.MethodPost, "/v1/login", body, &out)
	c.token = out.Token
	return c, err
}

func newClient(base string, ca []byte) (*Client, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return nil, errors.New("deskclient: no certificate in the CA file")
	}
	return &Client{base: base, http: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}}, nil
}

// ForgetPassword asks for a mail with a link to set a new password, without being signed in.
func ForgetPassword(ctx context.Context, base string, ca []byte, center, user string) error {
	return once(ctx, base, ca, "/v1/password-reset", map[string]string{"center": center, "user": user})
}

// SetPassword by the token of such a link.
func SetPassword(ctx context.Context, base string, ca []byte, token, next string) error {
	return once(ctx, base, ca, "/v1/password-links", map[string]string{"token": token, "new": next})
}

// once posts without a session.
func once(ctx context.Context, base string, ca []byte, path string, body any) error {
	c, err := newClient(base, ca)
	if err != nil {
		return err
	}
	defer c.http.CloseIdleConnections()
	return c.do(ctx, http.MethodPost, path, body, nil)
}

// At is the same session at another replica's address.
func (c *Client) At(base string) *Client { return &Client{base: base, http: c.http, token: c.token} }

// SignOut ends the session; the agent takes no more work.
func (c *Client) SignOut(ctx context.Context) error {
	err := c.do(ctx, http.MethodPost, "/v1/logout", nil, nil)
	c.http.CloseIdleConnections()
	return err
}

// Profile is what the agent's client works with, the SIP secret included.
func (c *Client) Profile(ctx context.Context) (p desk.Profile, err error) {
	return p, c.do(ctx, http.MethodGet, "/v1/me", nil, &p)
}

// SetPresence gets ready or pauses.
func (c *Client) SetPresence(ctx context.Context, state desk.PresenceState, reason string) error {
	body := map[string]string{"state": string(state)}
	if reason != "" {
		body["reason"] = reason
	}
	return c.do(ctx, http.MethodPut, "/v1/me/presence", body, nil)
}

// ChangePassword of the agent.
func (c *Client) ChangePassword(ctx context.Context, current, next string) error {
	return c.do(ctx, http.MethodPost, "/v1/me/password", map[string]string{"current": current, "new": next}, nil)
}

// Interactions lists the agent's interactions; query is for example "state=Offered".
func (c *Client) Interactions(ctx context.Context, query string) ([]desk.Interaction, error) {
	var out struct {
		Interactions []desk.Interaction `json:"interactions"`
	}
	err := c.do(ctx, http.MethodGet, "/v1/interactions?"+query, nil, &out)
	return out.Interactions, err
}

// Detail is an interaction with its messages and history.
type Detail struct {
	desk.Interaction
	Contact  *desk.Contact     `json:"contact"`
	Messages []desk.Message    `json:"messages"`
	History  []desk.Transition `json:"history"`
}

// Interaction reads one.
func (c *Client) Interaction(ctx context.Context, id string) (d Detail, err error) {
	return d, c.do(ctx, http.MethodGet, "/v1/interactions/"+url.PathEscape(id), nil, &d)
}

// Command is accept, reject, close or read.
func (c *Client) Command(ctx context.Context, id, command string) error {
	return c.do(ctx, http.MethodPost, "/v1/interactions/"+url.PathEscape(id)+"/"+command, nil, nil)
}

// Reply answers the customer.
func (c *Client) Reply(ctx context.Context, id, text string) (m desk.Message, err error) {
	return m, c.do(ctx, http.MethodPost, "/v1/interactions/"+url.PathEscape(id)+"/replies", map[string]string{"text": text}, &m)
}

// Close ends the conversation with a disposition.
func (c *Client) Close(ctx context.Context, id, disposition string) error {
	return c.do(ctx, http.MethodPost, "/v1/interactions/"+url.PathEscape(id)+"/close", map[string]string{"disposition": disposition}, nil)
}

// Dispositions an interaction can be closed with.
func (c *Client) Dispositions(ctx context.Context, id string) ([]desk.Disposition, error) {
	var out struct {
		Dispositions []desk.Disposition `json:"dispositions"`
	}
	err := c.do(ctx, http.MethodGet, "/v1/interactions/"+url.PathEscape(id)+"/dispositions", nil, &out)
	return out.Dispositions, err
}

// CannedAnswers are the ready texts for an interaction, by their keys.
func (c *Client) CannedAnswers(ctx context.Context, id string) (map[string]string, error) {
	var out struct {
		CannedAnswers []desk.CannedAnswer `json:"cannedAnswers"`
	}
	err := c.do(ctx, http.MethodGet, "/v1/interactions/"+url.PathEscape(id)+"/canned-answers", nil, &out)
	texts := map[string]string{}
	for _, a := range out.CannedAnswers {
		texts[a.Key] = a.Text
	}
	return texts, err
}

// WaitForOffer returns the first interaction offered to the agent, with a subject if one is given. It watches the event stream.
func (c *Client) WaitForOffer(ctx context.Context, subject string) (desk.Interaction, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	changes, err := c.Events(ctx, "")
	if err != nil {
		return desk.Interaction{}, err
	}
	for {
		offers, err := c.Interactions(ctx, "state=Offered&mine=true")
		if err != nil {
			return desk.Interaction{}, err
		}
		for _, i := range offers {
			if subject == "" || i.Subject == subject {
				return i, nil
			}
		}
		select {
		case _, ok := <-changes:
			if !ok {
				return desk.Interaction{}, errors.New("deskclient: the event stream ended")
			}
		case <-time.After(2 * time.Second): // the list counts; events only make it quick
		case <-ctx.Done():
			return desk.Interaction{}, ctx.Err()
		}
	}
}

// Event of the stream.
type Event struct {
	ID, Kind string
	Data     string
}

// Events opens the event stream after an event id, "" for from now on. The channel closes when the stream or ctx ends.
func (c *Client) Events(ctx context.Context, after string) (<-chan Event, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/v1/events", nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	if after != "" {
		req.Header.Set("Last-Event-ID", after)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		defer func() { _ = resp.Body.Close() }()
		return nil, problem(resp)
	}
	events := make(chan Event)
	go func() {
		defer close(events)
		defer func() { _ = resp.Body.Close() }()
		readEvents(ctx, resp.Body, events)
	}()
	return events, nil
}

// readEvents parses server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).
func readEvents(ctx context.Context, r io.Reader, events chan<- Event) {
	var e Event
	for lines := bufio.NewScanner(r); lines.Scan(); {
		field, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case lines.Text() == "":
			if e.Kind != "" || e.Data != "" {
				select {
				case events <- e:
				case <-ctx.Done():
					return
				}
			}
			e = Event{}
		case field == "id":
			e.ID = value
		case field == "event":
			e.Kind = value
		case field == "data":
			e.Data += value
		}
	}
}

func (c *Client) do(ctx context.Context, method, path string, in, out any) error {
	resp, err := c.send(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if out == nil || resp.StatusCode == http.StatusNoContent {
		_, err := io.Copy(io.Discard, resp.Body)
		return err
	}
	return json.NewDecoder(resp.Body).Decode(out)
}

// send returns an answer that is no problem; its body must be closed.
func (c *Client) send(ctx context.Context, method, path string, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err == nil && resp.StatusCode >= http.StatusBadRequest {
		err = problem(resp)
		_ = resp.Body.Close()
		resp = nil
	}
	return resp, err
}

func problem(resp *http.Response) error {
	e := &Error{Status: resp.StatusCode}
	if err := json.NewDecoder(resp.Body).Decode(e); err != nil {
		e.Detail = "no problem document: " + err.Error()
	}
	return e
}
