package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"time"

	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/ringmaster-dev/ringmaster/internal/desk"
	"github.com/ringmaster-dev/ringmaster/internal/mail"
	"github.com/ringmaster-dev/ringmaster/internal/routing"
	"github.com/ringmaster-dev/ringmaster/internal/security"
	"github.com/ringmaster-dev/ringmaster/internal/store"
	"github.com/ringmaster-dev/ringmaster/test/deskclient"
	"github.com/ringmaster-dev/ringmaster/test/env"
)

const (
	streamAgents = 500
	// streamRate in mails a second, over so many connections.
	streamRate     = 50
	streamSenders  = 5
	streamNS       = "bench"
	streamPassword = "Passw0rd!"
	streamMailbox  = "stream"
)

// streamRig is Dovecot, a durable SQLite store, mail worker, router and desk in this process; the agents' clients are in it too,
// so they share its CPUs.
type streamRig struct {
	env   *env.Env
	mail  *mailRig
	store *store.DB
	desk  *httptest.Server
	ca    []byte

	mu     sync.Mutex
	offers map[string]int
	// sinceOffer and sinceStored end when the event is read from an agent's stream.
	sinceOffer, sinceStored []time.Duration
	failed                  error
}

// measureStream has 500 agents on the event stream take 50 mails a second: each offer must reach one stream once and soon.
func (b *bench) measureStream(ctx context.Context) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	e, err := b.environment()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Remove()) }()
	r := &streamRig{env: e, mail: &mailRig{env: e}, offers: map[string]int{}}
	if r.mail.dovecot, err = e.StartDovecot(ctx, env.DovecotOptions{}); err != nil {
		return err
	}
	if r.store, err = store.OpenSQLite(ctx, filepath.Join(e.Dir, "stream.db")); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.store.Close()) }()
	var work errgroup.Group
	defer func() {
		cancel()
		err = errors.Join(err, work.Wait())
	}()
	if err := r.start(ctx, &work); err != nil {
		return err
	}
	defer r.desk.Close()
	defer cancel() // ends the streams, which the desk's end waits for
	if err := r.signIn(ctx, &work); err != nil {
		return err
	}
	sent, took, err := r.send(ctx, b.streamFor)
	if err != nil {
		return err
	}
	_ = await(ctx, "every mail to be offered", func() bool { return r.offered() >= sent }) // those missing are the figure
	return r.report(ctx, b.report, sent, took)
}

// start fills the store and starts what works on it.
func (r *streamRig) start(ctx context.Context, work *errgroup.Group) error {
	hash, err := security.Hash(ctx, streamPassword)
	if err != nil {
		return err
	}
	config, err := r.mail.account(ctx, r.store, streamMailbox)
	if err != nil {
		return err
	}
	queue := store.Queue{
		Key: store.Key{Namespace: streamNS, Name: "mail"}, Channel: store.ChannelEmail, Strategy: string(routing.RRMemory), OfferTimeout: time.Minute,
	}
	for i := range streamAgents {
		key := store.Key{Namespace: streamNS, Name: fmt.Sprintf("agent%d", i)}
		queue.Members = append(queue.Members, store.QueueMember{Agent: key.Name})
		if err := errors.Join(
			r.store.PutAgent(ctx, store.Agent{Key: key, Username: key.Name, Active: true, EmailCapacity: 5, Profile: []byte("{}")}),
			r.store.SetPassword(ctx, store.Credential{Agent: key, Hash: hash, SecretVersion: "1"}, 0, ""),
		); err != nil {
			return err
		}
	}
	if err := r.store.PutQueue(ctx, queue); err != nil {
		return err
	}
	handler, err := desk.New(desk.Options{
		Store: r.store, SIPSecrets: nothing{}, Composer: nothing{},
		PasswordRules: func(context.Context, string) (desk.PasswordRules, error) {
			return desk.PasswordRules{Policy: security.DefaultPasswordPolicy()}, nil
		},
	})
	if err != nil {
		return err
	}
	r.desk = httptest.NewTLSServer(handler)
	r.ca = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.desk.Certificate().Raw})
	supervisor := mail.NewSupervisor(r.store, mail.Options{Log: slog.New(slog.DiscardHandler)})
	supervisor.Apply(config)
	work.Go(func() error { return supervisor.Run(ctx) })
	work.Go(func() error { return routing.NewWorker(r.store, slog.New(slog.DiscardHandler)).Run(ctx) })
	return nil
}

// nothing is what the desk needs for phones and replies, of which there are none here.
type nothing struct{}

func (nothing) SIPSecret(context.Context, store.Key) (desk.SIPSecret, error) {
	return desk.SIPSecret{}, errors.New("no phones in this section")
}

func (nothing) Compose(context.Context, desk.ReplyInput) (store.Message, []byte, error) {
	return store.Message{}, nil, errors.New("no replies in this section")
}

// signIn makes every agent ready and listen.
func (r *streamRig) signIn(ctx context.Context, work *errgroup.Group) error {
	begin := time.Now()
	var g errgroup.Group
	g.SetLimit(8)
	for i := range streamAgents {
		g.Go(func() error {
			c, err := deskclient.SignIn(ctx, r.desk.URL, r.ca, streamNS, fmt.Sprintf("agent%d", i), streamPassword)
			if err != nil {
				return err
			}
			events, err := c.Events(ctx, "")
			if err != nil {
				return err
			}
			work.Go(func() error {
				r.listen(ctx, work, c, events)
				return nil
			})
			return c.SetPresence(ctx, desk.PresenceReady, "")
		})
	}
	err := g.Wait()
	say("   %d agents signed in after %s", streamAgents, time.Since(begin).Round(time.Millisecond))
	return err
}

// listen takes and closes what the agent is offered.
func (r *streamRig) listen(ctx context.Context, work *errgroup.Group, c *deskclient.Client, events <-chan deskclient.Event) {
	for e := range events {
		if e.Kind != store.EventOffered {
			continue
		}
		id, err := r.note(e)
		if err != nil {
			r.fail(err)
			return
		}
		work.Go(func() error {
			for _, command := range []string{"accept", "close"} {
				if err := c.Command(ctx, id, command); err != nil && ctx.Err() == nil {
					r.fail(fmt.Errorf("%s: %w", command, err))
				}
			}
			return nil
		})
	}
	if ctx.Err() == nil {
		r.fail(errors.New("an event stream ended"))
	}
}

// note takes an offer down.
func (r *streamRig) note(e deskclient.Event) (string, error) {
	now := time.Now()
	var offer struct {
		Subject string
		At      time.Time
	}
	if err := json.Unmarshal([]byte(e.Data), &offer); err != nil {
		return "", err
	}
	id, err := uuid.Parse(offer.Subject)
	if err != nil {
		return "", err
	}
	created := time.Unix(id.Time().UnixTime()) // version 7: it was made when the mail was stored
	r.mu.Lock()
	defer r.mu.Unlock()
	r.offers[offer.Subject]++
	r.sinceOffer = append(r.sinceOffer, now.Sub(offer.At))
	r.sinceStored = append(r.sinceStored, now.Sub(created))
	return offer.Subject, nil
}

func (r *streamRig) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = errors.Join(r.failed, err)
}

func (r *streamRig) offered() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.offers)
}

// send appends mails to the mailbox at an even pace.
func (r *streamRig) send(ctx context.Context, d time.Duration) (sent int, took time.Duration, err error) {
	numbers := make(chan int)
	g, ctx := errgroup.WithContext(ctx)
	for range streamSenders {
		g.Go(func() error { return r.sender(ctx, numbers) })
	}
	begin := time.Now()
	g.Go(func() error {
		defer close(numbers)
		for ; time.Since(begin) < d; sent++ {
			if err := sleep(ctx, time.Until(begin.Add(time.Duration(sent)*time.Second/streamRate))); err != nil {
				return err
			}
			select {
			case numbers <- sent:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	err = g.Wait()
	return sent, time.Since(begin), err
}

func (r *streamRig) sender(ctx context.Context, numbers <-chan int) error {
	d := r.mail.dovecot
	c, err := imapclient.DialInsecure(d.IMAPAddr, nil)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	if err := c.Login(d.Address(streamMailbox), d.Password(streamMailbox)).Wait(); err != nil {
		return err
	}
	for n := range numbers {
		var raw bytes.Buffer
		fmt.Fprintf(&raw, "From: Casey <casey%[1]d@customers.test>\r\nTo: support@example.test\r\nSubject: question %[1]d\r\n"+
			"Message-ID: <stream.%[1]d@customers.test>\r\nDate: Sat, 21 Nov 2026 09:00:00 +0100\r\n\r\nWhere is order %[1]d?\r\n", n)
		cmd := c.Append("INBOX", int64(raw.Len()), nil)
		_, writeErr := cmd.Write(raw.Bytes())
		closeErr := cmd.Close()
		_, err := cmd.Wait()
		if err := errors.Join(writeErr, closeErr, err, ctx.Err()); err != nil {
			return err
		}
	}
	return nil
}

func (r *streamRig) report(ctx context.Context, rep *report, sent int, took time.Duration) error {
	stored, err := r.store.CountInteractions(ctx, store.InteractionFilter{Namespace: streamNS})
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed != nil {
		return r.failed
	}
	if stored != sent || len(r.sinceOffer) == 0 {
		return fmt.Errorf("%d mails sent, %d interactions, %d offers", sent, stored, len(r.sinceOffer))
	}
	wrong := sent - len(r.offers)
	for _, times := range r.offers {
		if times != 1 {
			wrong++
		}
	}
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	work := fmt.Sprintf("%d agents on the event stream, %d mails", streamAgents, sent)
	rep.add(work, "offers not delivered exactly once", float64(wrong), "offers", atMost(0))
	rep.add(work, "offer made until on the agent's stream, p99", ms(percentile(r.sinceOffer, 99)), "ms", atMost(1000))
	rep.add(work, "mail stored until on the agent's stream, p99", ms(percentile(r.sinceStored, 99)), "ms", atMost(1000))
	rep.add(work, "mail stored until on the agent's stream, p50", ms(percentile(r.sinceStored, 50)), "ms", nil)
	rep.add(work, "pace", float64(sent)/took.Seconds(), "mails/s", nil)
	return nil
}
