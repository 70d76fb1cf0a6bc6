package env

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
)

// BuildRingmaster compiles cmd/ringmaster into bin/ and returns its path. Go
// does nothing when it is up to date.
func (e *Env) BuildRingmaster(ctx context.Context) (string, error) {
	e.say("building ringmaster")
	out := filepath.Join(e.checkout, "bin", "ringmaster")
	c := exec.CommandContext(ctx, "go", "build", "-o", out, "./cmd/ringmaster")
	c.Dir = e.checkout
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build ringmaster: %w\n%s", err, text)
	}
	return out, nil
}

// ReadyHTTP is ready when a URL answers 200. A nil client is the default one.
func ReadyHTTP(client *http.Client, url string) func(context.Context) error {
	if client == nil {
		client = http.DefaultClient
	}
	return func(ctx context.Context) error { return httpOK(ctx, client, url) }
}

// ReadyTCP is ready when an address accepts connections.
func ReadyTCP(addr string) func(context.Context) error {
	return func(ctx context.Context) error {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err != nil {
			return err
		}
		return conn.Close()
	}
}
