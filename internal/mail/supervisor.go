package mail

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"

	"github.com/ringmaster-dev/ringmaster/internal/mail/oauth"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// Store is what mail needs of the store.
type Store interface {
	AcquireLease(ctx context.Context, name, holder string, ttl time.Duration) (store.Lease, bool, error)
	ReleaseLease(ctx context.Context, l store.Lease) error

	GetMailbox(ctx context.Context, account store.Key, mailbox string) (store.MailboxState, error)
	SetMailbox(ctx context.Context, account store.Key, mailbox string, s store.MailboxState) error
	KnownUIDs(ctx context.Context, account store.Key, mailbox string, uidValidity uint32, uids []uint32) (map[uint32]bool, error)
	MailFlags(ctx context.Context, e store.MailboxEpoch, uids []uint32) (map[uint32]store.MailFlag, error)
	WantedFlags(ctx context.Context, e store.MailboxEpoch) (map[uint32]store.MailFlag, error)
	UnconfirmedUIDs(ctx context.Context, e store.MailboxEpoch) ([]uint32, error)
	RecordFlags(ctx context.Context, l store.Lease, e store.MailboxEpoch, flag store.MailFlag, uids []uint32) error
	MailLocations(ctx context.Context, account store.Key, mailbox string, uidValidity uint32) (map[uint32]store.MailLocation, error)
	Ingest(ctx context.Context, l store.Lease, account store.Key, mails []store.IngestMail) ([]store.IngestResult, error)

	PutAccountStatus(ctx context.Context, s store.AccountStatus) error
	GetAccountStatus(ctx context.Context, account store.Key) (store.AccountStatus, error)

	ClaimOutbound(ctx context.Context, l store.Lease, account store.Key, staleAfter time.Duration) (store.Message, []byte, error)
	FinishOutbound(ctx context.Context, l store.Lease, messageID string, state store.MessageState, detail string, retryAfter time.Duration) error
	ClaimSystemMail(ctx context.Context, l store.Lease, account store.Key, staleAfter time.Duration) (store.SystemMail, error)
	FinishSystemMail(ctx context.Context, l store.Lease, id string, state store.MessageState, detail string, retryAfter time.Duration) error

	EventsAfter(ctx context.Context, namespace string, after store.Cursor, limit int) ([]store.Event, error)
	LastCursor(ctx context.Context) (store.Cursor, error)
	Wake() <-chan struct{}
}

// Options of a Supervisor; zero values are the defaults named.
type Options struct {
	// Holder names this process in leases; default the host name and a random part.
	Holder string
	// Log; default slog.Default().
	Log *slog.Logger
	// Registerer of the metrics; default none.
	Registerer prometheus.Registerer
	// Vault keeps the refresh tokens of accounts that sign in with OAuth 2.0; nil if none does.
	Vault oauth.Vault
	// LeaseTTL is how long after the death of a process another takes its accounts over; default 10 s. It
	// grows with more than 200 accounts, so that renewing never costs more than about 60 writes a second.
	LeaseTTL time.Duration
	// MemoryBudget bounds the raw mails held in memory by all accounts together, in bytes; default 64 MiB. A
	// bigger single mail waits until it has the budget to itself.
	MemoryBudget int64
	// Dials and DialsPerHost bound the connections being opened at once; default 32 and 8.
	Dials, DialsPerHost int
	// IdleInterval is when IDLE is issued anew; default 9 min, as NATs forget connections after 10.
	IdleInterval time.Duration
	// Backoff after a failure grows from MinBackoff to MaxBackoff with full jitter; default 1 s and 5 min.
	MinBackoff, MaxBackoff time.Duration
	// After a refused sign-in it grows from MinAuthBackoff to MaxAuthBackoff without jitter, so that the
	// server does not lock the account; default 5 and 30 min.
	MinAuthBackoff, MaxAuthBackoff time.Duration
	// SendRetry is the wait before a mail is tried again; it doubles up to 2 h over ten attempts. Default 30 s.
	SendRetry time.Duration
	// SMTPCheckInterval between proofs that sending would work; default 5 min.
	SMTPCheckInterval time.Duration
}

func (o Options) withDefaults() Options {
	if o.Holder == "" {
		host, _ := os.Hostname()
		o.Holder = host + "/" + uuid.NewString()
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	defaults := []struct {
		d     *time.Duration
		value time.Duration
	}{
		{&o.LeaseTTL, 10 * time.Second}, {&o.IdleInterval, 9 * time.Minute},
		{&o.MinBackoff, time.Second}, {&o.MaxBackoff, 5 * time.Minute},
		{&o.MinAuthBackoff, 5 * time.Minute}, {&o.MaxAuthBackoff, 30 * time.Minute},
		{&o.SMTPCheckInterval, 5 * time.Minute}, {&o.SendRetry, 30 * time.Second},
	}
	for _, f := range defaults {
		if *f.d <= 0 {
			*f.d = f.value
		}
	}
	if o.MemoryBudget <= 0 {
		o.MemoryBudget = 64 << 20
	}
	if o.Dials <= 0 {
		o.Dials = 32
	}
	if o.DialsPerHost <= 0 {
		o.DialsPerHost = 8
	}
	return o
}

// Supervisor runs the accounts it is told about.
type Supervisor struct {
	store   Store
	opts    Options
	metrics *metrics
	budget  *semaphore.Weighted
	dials   *dialLimits
	tokens  *oauth.Tokens

	mu       sync.Mutex
	ctx      context.Context // nil before Run
	accounts map[store.Key]*entry
	gates    map[string]*pollGate // by namespace
	running  sync.WaitGroup
}

// entry is one account; done is closed when what ran for it last has ended.
type entry struct {
	cfg     Config
	removed bool
	account *account // nil before Run
	cancel  context.CancelFunc
	done    chan struct{}
}

// NewSupervisor makes a Supervisor; nothing happens before Run.
func NewSupervisor(st Store, o Options) *Supervisor {
	o = o.withDefaults()
	return &Supervisor{
		store: st, opts: o, metrics: newMetrics(o.Registerer), budget: semaphore.NewWeighted(o.MemoryBudget),
		dials: newDialLimits(o.Dials, o.DialsPerHost), tokens: oauth.NewTokens(o.Vault), accounts: map[store.Key]*entry{},
		gates: map[string]*pollGate{},
	}
}

// Run runs the accounts until ctx ends and all of them have let go of their leases.
func (s *Supervisor) Run(ctx context.Context) error {
	s.mu.Lock()
	s.ctx = ctx
	for _, e := range s.accounts {
		if !e.removed {
			s.start(e, false)
		}
	}
	s.mu.Unlock()
	s.watchOutbox(ctx)
	// Apply sees that ctx has ended and starts nothing more.
	s.mu.Lock()
	s.mu.Unlock() //nolint:staticcheck // waits for an Apply under way
	s.running.Wait()
	return nil
}

// Apply starts an account, or restarts it when its configuration changed; otherwise it does nothing. It
// does not wait.
func (s *Supervisor) Apply(cfg Config) {
	cfg = cfg.WithDefaults()
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.accounts[cfg.Account]
	if ok && !e.removed && e.cfg.equal(cfg) {
		return
	}
	if !ok {
		e = &entry{}
		s.accounts[cfg.Account] = e
	}
	changed := e.account != nil
	e.cfg, e.removed = cfg, false
	if s.ctx != nil {
		s.start(e, changed)
	}
}

// Remove stops an account and forgets it; what is stored stays.
func (s *Supervisor) Remove(key store.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.accounts[key]
	if !ok || e.removed {
		return
	}
	e.removed = true
	if e.cancel != nil {
		e.cancel()
	}
	s.metrics.forget(key)
}

// Wake makes the account look for mails to send now.
func (s *Supervisor) Wake(key store.Key) {
	s.tell(key, (*account).kick)
}

// tell does something with the account that runs under a name.
func (s *Supervisor) tell(key store.Key, do func(*account)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.accounts[key]; ok && e.account != nil {
		do(e.account)
	}
}

// start replaces what runs for an account; s.mu is held. changed says that the configuration is another one than
// before, which ends the patience with a refused password.
func (s *Supervisor) start(e *entry, changed bool) {
	if s.ctx.Err() != nil {
		return
	}
	if e.cancel != nil {
		e.cancel()
	}
	before := e.done
	ctx, cancel := context.WithCancel(s.ctx)
	a := newAccount(s, e.cfg, changed)
	e.account, e.cancel, e.done = a, cancel, make(chan struct{})
	done := e.done
	s.running.Go(func() {
		defer close(done)
		defer cancel()
		if before != nil {
			<-before // two runs of one account would share its lease
		}
		a.run(ctx)
	})
}

// leaseTTL: see Options.LeaseTTL.
func (s *Supervisor) leaseTTL() time.Duration {
	s.mu.Lock()
	n := len(s.accounts)
	s.mu.Unlock()
	return max(s.opts.LeaseTTL, time.Duration(n)*50*time.Millisecond)
}
