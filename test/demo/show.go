package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/ringmaster-dev/ringmaster/internal/desk"
	"github.com/ringmaster-dev/ringmaster/test/deskclient"
	"github.com/ringmaster-dev/ringmaster/test/env"
	"github.com/ringmaster-dev/ringmaster/test/phone"
)

// show is the demonstration on a running stack.
type show struct {
	stack  *env.Stack
	client kubernetes.Interface
	ca     []byte
	phones map[string]*phone.Phone
	desks  map[string]*deskclient.Client
}

// people of config/samples, with the passwords of config/samples/agents.yaml.
var people = map[string]struct{ username, password string }{
	"alice": {"alice.r", "Violet-Harbor-41"},
	"bob":   {"bob.m", "Quiet-Meadow-52"},
	"carol": {"carol.o", "Amber-Canyon-63"},
	"erin":  {"erin.t", "Copper-Lagoon-85"},
}

func newShow(stack *env.Stack) (*show, error) {
	client, err := kubernetes.NewForConfig(stack.Control.Config)
	if err != nil {
		return nil, err
	}
	ca, err := os.ReadFile(stack.Vars["RINGMASTER_CA"])
	return &show{stack: stack, client: client, ca: ca, phones: map[string]*phone.Phone{}, desks: map[string]*deskclient.Client{}}, err
}

// play runs every step; the first that does not hold ends it.
func (s *show) play(ctx context.Context) error {
	defer func() {
		for _, p := range s.phones {
			_ = p.Close()
		}
	}()
	for _, step := range []struct {
		title string
		run   func(context.Context) error
	}{
		{"kubectl apply: two teams, two queues, five agents, a telephone without a person, a mailbox with its flow", s.apply},
		{"A phone registers with the password Ringmaster generated; a wrong one is refused", s.register},
		{"Alice calls Bob", s.callEachOther},
		{"Alice and Bob sign in; Bob pauses; a customer calls the hotline; the call is recorded", s.callQueue},
		{"A customer writes to support@example.test: a flow acknowledges, Alice answers", s.mail},
		{"Carol signs in at the telephone in the lobby", s.hotDesk},
		{"What kubectl shows now", s.get},
		{"Erin leaves: kubectl delete agent erin", s.remove},
	} {
		title(step.title)
		if err := step.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.title, err)
		}
	}
	return nil
}

func (s *show) apply(ctx context.Context) error {
	out, err := s.kubectl(ctx, "apply", "--server-side", "-k", s.stack.Samples)
	if err != nil {
		return err
	}
	fmt.Print(indent(out))
	start := time.Now()
	if _, err := s.kubectl(ctx, "wait", "--for=condition=Ready", "--timeout=60s",
		"agent/alice", "agent/bob", "agent/carol", "agent/dave", "agent/erin", "telephone/lobby-1",
		"team/billing", "team/support", "queue/hotline", "queue/mail", "routingflow/incoming", "emailaccount/support", "dispositionset/support", "cannedanswerset/orders", "contactlist/customers", "pbx/main"); err != nil {
		return err
	}
	say("all of them are Ready after %s: Asterisk has the phones and the queue, the mailbox is connected", time.Since(start).Round(100*time.Millisecond))
	return nil
}

func (s *show) register(ctx context.Context) error {
	wrong, err := s.newPhone(ctx, "alice-sip", "not-the-password")
	if err != nil {
		return err
	}
	defer func() { _ = wrong.Close() }()
	if err := refused(wrong.Register(ctx)); err != nil {
		return err
	}
	say("Alice's phone with a wrong password: refused")
	for _, name := range []string{"alice", "bob", "erin"} {
		if err := s.registerPhone(ctx, name, name+"-sip"); err != nil {
			return err
		}
		say("%s's phone with the password of Secret %s-sip: registered", name, name)
	}
	_, err = s.kubectl(ctx, "wait", "--for=condition=Registered", "--timeout=30s", "agent/alice", "agent/bob", "agent/erin")
	return err
}

func (s *show) callEachOther(ctx context.Context) error {
	call, err := s.phones["alice"].Call(ctx, "1002")
	if err != nil {
		return err
	}
	defer func() { _ = call.Hangup(ctx) }()
	if err := heard(ctx, call); err != nil {
		return err
	}
	sent, received := call.Audio()
	say("1002 rang, Bob answered; they talk: %d audio packets out, %d in", sent, received)
	return call.Hangup(ctx)
}

func (s *show) callQueue(ctx context.Context) error {
	for _, name := range []string{"alice", "bob"} {
		if err := s.signIn(ctx, name); err != nil {
			return err
		}
		say("%s signs in at the desk", name)
	}
	if err := s.desks["bob"].SetPresence(ctx, desk.PresencePaused, "lunch"); err != nil {
		return err
	}
	say("bob pauses: lunch. Erin has a phone but is not signed in")
	if err := s.awaitDuty(ctx); err != nil {
		return err
	}
	before := map[string]int{"alice": s.phones["alice"].Rings(), "bob": s.phones["bob"].Rings()}
	call, err := s.phones["erin"].Call(ctx, "600")
	if err != nil {
		return err
	}
	defer func() { _ = call.Hangup(ctx) }()
	for s.phones["alice"].Rings() == before["alice"] || s.phones["alice"].Calls() == 0 {
		if err := pause(ctx); err != nil {
			return fmt.Errorf("waiting for Alice's phone to ring: %w", err)
		}
	}
	if s.phones["bob"].Rings() != before["bob"] {
		return errors.New("a paused agent's phone rang")
	}
	say("600 dialled: Alice's phone rang and she answered; Bob's stayed silent")
	file, err := s.recorded(ctx, "1001")
	if err != nil {
		return err
	}
	say("Alice's manifest says sip.recording: on the PBX there is %s", file)
	return call.Hangup(ctx)
}

func (s *show) signIn(ctx context.Context, name string, options ...deskclient.Option) error {
	d, err := deskclient.SignIn(ctx, s.stack.Vars["RINGMASTER_DESK"], s.ca, env.CenterNamespace, people[name].username, people[name].password, options...)
	if err != nil {
		return fmt.Errorf("signing %s in: %w", name, err)
	}
	s.desks[name] = d
	return nil
}

// recorded waits until a recording of the agent has a second of audio: 8000 samples of 16 bit.
func (s *show) recorded(ctx context.Context, extension string) (string, error) {
	monitor := filepath.Join(s.stack.Asterisk.SpoolDir, "monitor")
	for {
		files, err := filepath.Glob(filepath.Join(monitor, "ringmaster", extension, "*.wav"))
		if err != nil {
			return "", err
		}
		for _, file := range files {
			if info, err := os.Stat(file); err == nil && info.Size() > 16000 {
				return filepath.Rel(monitor, file)
			}
		}
		if err := pause(ctx); err != nil {
			return "", fmt.Errorf("waiting for a recording of %s: %w", extension, err)
		}
	}
}

// hotDesk: Carol has a number but no phone of her own; a telephone rings for her while she sits there.
func (s *show) hotDesk(ctx context.Context) error {
	const telephone = "lobby-1"
	if err := s.registerPhone(ctx, telephone, telephone+"-telephone-sip"); err != nil {
		return err
	}
	if err := s.signIn(ctx, "carol", deskclient.AtTelephone(telephone)); err != nil {
		return err
	}
	profile, err := s.desks["carol"].Profile(ctx)
	if err != nil {
		return err
	}
	extension := profile.Agent.Extension
	say("carol signs in at %s; her extension is %s", telephone, extension)
	// The seat reaches Asterisk a moment after the sign-in.
	for {
		call, err := s.phones["alice"].Call(ctx, extension)
		if err == nil {
			err = errors.Join(heard(ctx, call), call.Hangup(ctx))
			if err == nil && s.phones[telephone].Rings() == 0 {
				err = errors.New("somebody answered, and not in the lobby")
			}
			if err == nil {
				say("Alice dials %s: the telephone in the lobby rings, and they talk", extension)
			}
			return err
		}
		if refused(err) != nil {
			return err
		}
		if err := pause(ctx); err != nil {
			return fmt.Errorf("waiting for the telephone to ring for Carol: %w", err)
		}
	}
}

// awaitDuty waits until Asterisk knows who takes calls: Alice does, Bob and Erin do not.
func (s *show) awaitDuty(ctx context.Context) error {
	for {
		out, err := s.stack.Asterisk.RX(ctx, "queue show hotline")
		if err != nil {
			return err
		}
		if !strings.Contains(lineWith(out, "PJSIP/1001"), "paused") && strings.Contains(lineWith(out, "PJSIP/1002"), "paused") {
			return nil
		}
		if err := pause(ctx); err != nil {
			return fmt.Errorf("waiting for the queue to follow presence:\n%s%w", out, err)
		}
	}
}

func (s *show) get(ctx context.Context) error {
	// Statuses follow runtime state within ten seconds.
	if _, err := s.kubectl(ctx, "wait", "--for=jsonpath={.status.presence.state}=Ready", "--timeout=30s", "agent/alice"); err != nil {
		return err
	}
	if _, err := s.kubectl(ctx, "wait", "--for=jsonpath={.status.registered}=4", "--timeout=30s", "pbx/main"); err != nil {
		return err
	}
	if _, err := s.kubectl(ctx, "wait", "--for=jsonpath={.status.agent}=carol", "--timeout=30s", "telephone/lobby-1"); err != nil {
		return err
	}
	if _, err := s.kubectl(ctx, "wait", "--for=condition=Registered", "--timeout=30s", "telephone/lobby-1"); err != nil {
		return err
	}
	if _, err := s.kubectl(ctx, "wait", "--for=jsonpath={.status.contacts}=1", "--timeout=30s", "contactlist/customers"); err != nil {
		return err
	}
	out, err := s.kubectl(ctx, "get", "agents,telephones,teams,queues,emailaccounts,contactlists,pbxes")
	fmt.Print(indent(out))
	return err
}

func (s *show) remove(ctx context.Context) error {
	if _, err := s.kubectl(ctx, "delete", "agent", "erin", "--timeout=60s"); err != nil {
		return err
	}
	if err := refused(s.phones["erin"].Register(ctx)); err != nil {
		return err
	}
	say("Erin's phone, with the password that was right a moment ago: refused")
	return nil
}

// registerPhone brings a phone up from the Secret Ringmaster made for it.
func (s *show) registerPhone(ctx context.Context, name, secret string) error {
	p, err := s.newPhone(ctx, secret, "")
	if err != nil {
		return err
	}
	s.phones[name] = p
	if err := p.Register(ctx); err != nil {
		return fmt.Errorf("registering %s: %w", name, err)
	}
	return nil
}

// newPhone makes the phone of a Secret; a password replaces the one in it.
func (s *show) newPhone(ctx context.Context, secretName, password string) (*phone.Phone, error) {
	secret, err := s.client.CoreV1().Secrets(env.CenterNamespace).Get(ctx, secretName, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	if password == "" {
		password = string(secret.Data["password"])
	}
	return phone.New(phone.Options{
		Server: string(secret.Data["server"]), Transport: strings.ToLower(string(secret.Data["transport"])),
		User: string(secret.Data["extension"]), AuthUser: string(secret.Data["username"]), Password: password,
	})
}

func (s *show) kubectl(ctx context.Context, args ...string) (string, error) {
	return s.stack.Env.Kubectl(ctx, s.stack.Control, nil, args...)
}

// refused turns a refusal into success and everything else into an error.
func refused(err error) error {
	var status *phone.StatusError
	switch {
	case errors.As(err, &status):
		return nil
	case err != nil:
		return err
	}
	return errors.New("the registration was accepted and should not have been")
}

// heard waits until audio has come in.
func heard(ctx context.Context, call *phone.Call) error {
	for {
		if _, received := call.Audio(); received >= 25 {
			return nil
		}
		if err := pause(ctx); err != nil {
			return fmt.Errorf("waiting for audio: %w", err)
		}
	}
}

func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(50 * time.Millisecond):
		return nil
	}
}

func lineWith(text, part string) string {
	for line := range strings.Lines(text) {
		if strings.Contains(line, part) {
			return line
		}
	}
	return ""
}

func say(format string, args ...any) { fmt.Printf("   "+format+"\n", args...) }

func indent(text string) string {
	return "   " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n   ") + "\n"
}
