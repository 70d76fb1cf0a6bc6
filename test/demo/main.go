// Command demo brings a whole contact center up from nothing and shows that it works: manifests become phones that ring
// and mails that are answered. It stays up until interrupted; with DEMO=once it ends after the proof.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/ringmaster-dev/ringmaster/test/env"
)

// proofTimeout bounds the show, not the time it stays up.
const proofTimeout = 5 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "\ndemo:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	base, err := env.DefaultDir()
	if err != nil {
		return err
	}
	// Beside the development environment, so that both can be up.
	dir := filepath.Join(filepath.Dir(base), ".demo")
	title("Starting everything on this machine: Kubernetes, Asterisk, a mail server, Ringmaster")
	stack, err := env.Up(ctx, dir, env.StackOptions{}, env.Progress(os.Stdout))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stack.Down()) }()

	proof, cancel := context.WithTimeout(ctx, proofTimeout)
	defer cancel()
	s, err := newShow(stack)
	if err != nil {
		return err
	}
	if err := s.play(proof); err != nil {
		return err
	}
	if os.Getenv("DEMO") == "once" {
		title("Every step held. Stopping.")
		return nil
	}
	tryNext(dir, stack)
	<-ctx.Done()
	title("Stopping everything")
	return nil
}

func tryNext(dir string, stack *env.Stack) {
	title("Every step held. The center stays up; press Ctrl-C to stop it")
	fmt.Printf(`In another terminal:

  source %s
  kubectl get agents,telephones,teams,queues,emailaccounts,pbxes
                                                           # who is registered, in which queues, and why not
  kubectl get secret bob-sip -o jsonpath='{.data.password}' | base64 -d
                                                           # put it in a SIP phone: server %s, user 1002, auth user bob.m
  kubectl patch agent bob --type merge -p '{"spec":{"accountState":"Deactivated"}}'
  asterisk-rx "pjsip show contacts"
  asterisk-rx "queue show"
  curl --cacert $RINGMASTER_CA $RINGMASTER_DESK/openapi.yaml

`, filepath.Join(dir, "env"), stack.Vars["RINGMASTER_SIP"])
}

func title(text string) { fmt.Printf("\n\033[1m== %s\033[0m\n", text) }
