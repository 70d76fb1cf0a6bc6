package deskclient

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/ringmaster-dev/ringmaster/internal/desk"
)

// Telephones lists those the agent may sit at; query is for example "state=Registered&state=Free".
func (c *Client) Telephones(ctx context.Context, query string) ([]desk.Telephone, error) {
	var out struct {
		Telephones []desk.Telephone `json:"telephones"`
	}
	err := c.do(ctx, http.MethodGet, "/v1/telephones?"+query, nil, &out)
	return out.Telephones, err
}

// SitAt a telephone.
func (c *Client) SitAt(ctx context.Context, telephone string) error {
	return c.do(ctx, http.MethodPut, "/v1/me/telephone", map[string]string{"telephone": telephone}, nil)
}

// LeaveTelephone gives the seat up.
func (c *Client) LeaveTelephone(ctx context.Context) error {
	return c.do(ctx, http.MethodDelete, "/v1/me/telephone", nil, nil)
}

// Forwarding of the agent's direct calls.
func (c *Client) Forwarding(ctx context.Context) (f desk.Forwarding, err error) {
	return f, c.do(ctx, http.MethodGet, "/v1/me/forwarding", nil, &f)
}

// Forward direct calls to a number; an empty one ends forwarding.
func (c *Client) Forward(ctx context.Context, number string) error {
	if number == "" {
		return c.do(ctx, http.MethodDelete, "/v1/me/forwarding", nil, nil)
	}
	return c.do(ctx, http.MethodPut, "/v1/me/forwarding", map[string]string{"number": number}, nil)
}

// Calls lists the agent's calls, newest first; query is for example "state=Up" or "missed=true".
func (c *Client) Calls(ctx context.Context, query string) ([]desk.Call, error) {
	var out struct {
		Calls []desk.Call `json:"calls"`
	}
	err := c.do(ctx, http.MethodGet, "/v1/calls?"+query, nil, &out)
	return out.Calls, err
}

// Record is start, pause, resume or restart; it returns the call as the PBX shows it then.
func (c *Client) Record(ctx context.Context, callID, verb string) (call desk.Call, err error) {
	return call, c.do(ctx, http.MethodPost, "/v1/calls/"+url.PathEscape(callID)+"/recording:"+verb, nil, &call)
}

// Recordings lists recorded calls, newest first; query is for example "agent=alice".
func (c *Client) Recordings(ctx context.Context, query string) ([]desk.RecordedCall, error) {
	var out struct {
		Recordings []desk.RecordedCall `json:"recordings"`
	}
	err := c.do(ctx, http.MethodGet, "/v1/recordings?"+query, nil, &out)
	return out.Recordings, err
}

// Recording downloads the n-th recording of a call, from 0.
func (c *Client) Recording(ctx context.Context, callID string, n int) ([]byte, error) {
	resp, err := c.send(ctx, http.MethodGet, "/v1/calls/"+url.PathEscape(callID)+"/recordings/"+strconv.Itoa(n), nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	return io.ReadAll(resp.Body)
}

// RecordingDownloads are who downloaded the recordings of a call.
func (c *Client) RecordingDownloads(ctx context.Context, callID string) ([]desk.RecordingDownload, error) {
	var out struct {
		Downloads []desk.RecordingDownload `json:"downloads"`
	}
	err := c.do(ctx, http.MethodGet, "/v1/calls/"+url.PathEscape(callID)+"/recording-downloads", nil, &out)
	return out.Downloads, err
}

// Voicemail counts of the agent.
func (c *Client) Voicemail(ctx context.Context) (v desk.VoicemailCounts, err error) {
	return v, c.do(ctx, http.MethodGet, "/v1/me/voicemail", nil, &v)
}
