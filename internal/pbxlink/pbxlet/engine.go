package pbxlet

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink"
	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/pbxlinkv1"
	"github.com/ringmaster-dev/ringmaster/internal/voice"
)

const (
	// resyncInterval is how often everything is read afresh, in case an event
	// never came.
	resyncInterval = 5 * time.Minute
	// lookupInterval and lookupBatch bound the questions for user agents.
	lookupInterval = 500 * time.Millisecond
	lookupBatch    = 50
	// asteriskRetry is the longest wait between two attempts to reach Asterisk.
	asteriskRetry = time.Second
)

// engine does to Asterisk what the manager asks, one thing at a time.
type engine struct {
	cfg    Config
	log    *slog.Logger
	state  *state
	spool  *spool
	tables *tables
	out    *outbox
	wakeup chan struct{}

	mu       sync.Mutex
	snapshot *pbxlinkv1.Snapshot
	received time.Time
	commands []*pbxlinkv1.Command
	// applied is the version read back from the Asterisk that runs now.
	applied string

	// Used by the engine's goroutine alone:
	members map[string]pbxlink.MemberState
	// enforced is what every member was last told, in this run of Asterisk.
	enforced map[memberKey]pause
	// asteriskRun is the run of Asterisk that enforced is about.
	asteriskRun string
	reloads     int64
	// policies are the entries of AstDB as last read; nil when they must be read.
	policies map[string]string
	// seats maps each telephone to the agent who sits there.
	seats map[string]string
	// expect is what the snapshot in force expects.
	expect    voice.Expect
	figuresAt time.Time
	// recordings is the directory of recordings, below Asterisk's monitor directory.
	recordings string
}

func newEngine(cfg Config, st *state, t *tables, out *outbox) (*engine, error) {
	members, err := st.readMembers()
	if err != nil {
		return nil, err
	}
	return &engine{
		cfg: cfg, log: cfg.Logger, state: st, spool: newSpool(cfg.SpoolDir, cfg.StateDir), tables: t, out: out, wakeup: make(chan struct{}, 1),
		members: members, seats: seats(members), enforced: map[memberKey]pause{},
	}, nil
}

func (e *engine) wake() {
	select {
	case e.wakeup <- struct{}{}:
	default:
	}
}

// offer takes over a snapshot; a newer one replaces one not yet begun.
func (e *engine) offer(s *pbxlinkv1.Snapshot) {
	e.mu.Lock()
	e.snapshot, e.received = s, time.Now()
	e.mu.Unlock()
	e.wake()
}

// command takes over a command.
func (e *engine) command(c *pbxlinkv1.Command) {
	e.mu.Lock()
	e.commands = append(e.commands, c)
	e.mu.Unlock()
	e.wake()
}

// reset forgets what a manager asked that is no longer connected; it will ask
// again.
func (e *engine) reset() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.snapshot, e.commands = nil, nil
}

func (e *engine) appliedVersion() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.applied
}

func (e *engine) setApplied(version string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.applied = version
}

// run keeps a connection to Asterisk until the context ends.
func (e *engine) run(ctx context.Context) {
	for attempt := 0; ctx.Err() == nil; attempt++ {
		a, err := dialAsterisk(ctx, e.cfg)
		if err == nil {
			attempt = 0
			err = e.serve(ctx, a)
			a.Close()
		}
		if ctx.Err() != nil {
			return
		}
		e.log.Warn("Asterisk is out of reach", "error", err)
		e.setApplied("")
		e.tables.setAsterisk(func(s *pbxlinkv1.Asterisk) { s.Up, s.Problem = false, problem(err) })
		wait := min(asteriskRetry, 100*time.Millisecond<<min(attempt, 10))
		sleep(ctx, wait/2+rand.N(wait/2))
	}
}

func problem(err error) string {
	return "Asterisk is out of reach: " + err.Error()
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// serve uses one connection until it breaks.
func (e *engine) serve(ctx context.Context, a *asterisk) error {
	if a.run != e.asteriskRun {
		e.asteriskRun = a.run
		e.enforced = map[memberKey]pause{}
	}
	e.policies = nil
	all, transcodable, err := a.codecs(ctx)
	if err != nil {
		return err
	}
	e.tables.setAsterisk(func(s *pbxlinkv1.Asterisk) { s.Codecs, s.Transcodable = all, transcodable })
	var events sync.WaitGroup
	events.Go(func() {
		for m := range a.Events() {
			e.tables.event(m)
		}
	})
	defer events.Wait()
	defer a.Close()

	if err := e.adopt(ctx, a); err != nil {
		return err
	}
	if err := e.resync(ctx, a); err != nil {
		return err
	}
	e.tables.setAsterisk(func(s *pbxlinkv1.Asterisk) {
		s.Up, s.Version, s.StartedAt = true, a.version, timestamppb.New(a.started)
	})
	e.log.Info("Asterisk is reached", "version", a.version, "started", a.started, "applied", e.appliedVersion())
	return e.work(ctx, a)
}

func (e *engine) work(ctx context.Context, a *asterisk) error {
	resync := time.NewTicker(resyncInterval)
	defer resync.Stop()
	lookup := time.NewTicker(lookupInterval)
	defer lookup.Stop()
	err := e.pending(ctx, a)
	for err == nil {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-a.Done():
			return a.Err()
		case <-e.wakeup:
			err = e.pending(ctx, a)
		case <-e.tables.naming:
			err = e.nameRecordings(ctx, a)
		case <-resync.C:
			if err = e.resync(ctx, a); err == nil {
				err = e.survey(ctx, a, e.expect)
			}
		case <-lookup.C:
			switch {
			case a.Lost():
				err = e.resync(ctx, a)
			case e.tables.contactsDoubtful():
				err = e.syncContacts(ctx, a)
			}
			err = errors.Join(err, e.lookup(ctx, a), e.syncFigures(ctx, a))
		}
	}
	return err
}

// pending does what has been asked. Commands come first: they are quick. What
// a broken connection interrupts is done again on the next one.
func (e *engine) pending(ctx context.Context, a *asterisk) error {
	for {
		e.mu.Lock()
		var c *pbxlinkv1.Command
		var snapshot *pbxlinkv1.Snapshot
		received := e.received
		if len(e.commands) > 0 {
			c, e.commands = e.commands[0], e.commands[1:]
		} else {
			snapshot, e.snapshot = e.snapshot, nil
		}
		e.mu.Unlock()
		switch {
		case c != nil:
			if err := e.do(ctx, a, c); err != nil {
				e.again(c, nil)
				return err
			}
		case snapshot != nil:
			if err := e.apply(ctx, a, snapshot, received); err != nil {
				e.again(nil, snapshot)
				return err
			}
		default:
			return nil
		}
	}
}

// again puts back what was interrupted, unless something newer has come.
func (e *engine) again(c *pbxlinkv1.Command, s *pbxlinkv1.Snapshot) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if c != nil {
		e.commands = append([]*pbxlinkv1.Command{c}, e.commands...)
	}
	if e.snapshot == nil {
		e.snapshot = s
	}
}

// do carries out one command. An error is returned only when the connection to
// Asterisk has broken.
func (e *engine) do(ctx context.Context, a *asterisk, c *pbxlinkv1.Command) error {
	var err error
	switch action := c.GetAction().(type) {
	case *pbxlinkv1.Command_SetMembers:
		err = e.setMembers(ctx, a, action.SetMembers)
	case *pbxlinkv1.Command_DropContacts:
		err = e.dropContacts(ctx, a, action.DropContacts.GetExtension())
	case *pbxlinkv1.Command_RecordCall:
		err = e.recordCall(ctx, a, c.GetId(), action.RecordCall)
	case *pbxlinkv1.Command_PurgeMailbox:
		err = e.purgeMailbox(action.PurgeMailbox)
	default:
		err = errors.New("this pbxlet does not know the command")
	}
	if broken(ctx, a) {
		return errors.Join(err, a.Err(), ctx.Err())
	}
	result := &pbxlinkv1.CommandResult{Id: c.GetId()}
	if err != nil {
		result.Error, result.Refusal = err.Error(), pbxlink.RefusalOf(err)
	}
	e.out.put(&pbxlinkv1.SyncRequest{Message: &pbxlinkv1.SyncRequest_CommandResult{CommandResult: result}})
	return nil
}

func broken(ctx context.Context, a *asterisk) bool {
	return ctx.Err() != nil || a.Err() != nil
}

// allFiles are the files that every snapshot has.
var allFiles = map[string]bool{
	voice.PJSIPFile: true, voice.PJSIPAuthFile: true, voice.PJSIPAORFile: true, voice.PJSIPEndpointFile: true, voice.QueuesFile: true, voice.VoicemailFile: true, voice.ExtensionsFile: true,
	voice.FeaturesFile: true, voice.MusicFile: true, voice.HTTPFile: true,
}
