package controllers

import (
	"context"
	"errors"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/admission"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// SignInStore counts wrong passwords.
type SignInStore interface {
	SignInLockOf(ctx context.Context, agent store.Key) (store.SignInLock, error)
	FailSignIn(ctx context.Context, agent store.Key, maxAttempts int) (store.SignInLock, error)
}

// phoneFailure is what was heard of one extension and not counted yet.
type phoneFailure struct {
	count   int
	address string
}

// signInFailures count wrong passwords of phones where those of the desk are counted. What waits is bounded by the extensions of the PBXes.
type signInFailures struct {
	reader client.Reader
	store  SignInStore
	wake   chan struct{}

	mu      sync.Mutex
	pending map[extensionAt]phoneFailure
}

type extensionAt struct{ namespace, extension string }

func newSignInFailures(r client.Reader, s SignInStore) *signInFailures {
	return &signInFailures{reader: r, store: s, wake: make(chan struct{}, 1), pending: map[extensionAt]phoneFailure{}}
}

// note is told by the link, and does not block.
func (f *signInFailures) note(pbx, extension string, count int, address string) {
	namespace, _ := splitKey(pbx)
	f.add(extensionAt{namespace, extension}, phoneFailure{count: count, address: address})
}

func (f *signInFailures) add(at extensionAt, more phoneFailure) {
	f.mu.Lock()
	more.count += f.pending[at].count
	f.pending[at] = more
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// NeedLeaderElection implements manager.LeaderElectionRunnable: the link is the leader's.
func (f *signInFailures) NeedLeaderElection() bool { return true }

// Start implements manager.Runnable.
func (f *signInFailures) Start(ctx context.Context) error {
	logger := log.FromContext(ctx).WithName("sign-ins")
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-f.wake:
		}
		f.mu.Lock()
		pending := f.pending
		f.pending = map[extensionAt]phoneFailure{}
		f.mu.Unlock()
		for at, failed := range pending {
			if err := f.count(ctx, at, failed); err != nil && ctx.Err() == nil {
				logger.Error(err, "counting wrong passwords of a phone", "namespace", at.namespace, "extension", at.extension)
				time.AfterFunc(soon, func() { f.add(at, failed) })
			}
		}
	}
}

// count counts for the agent of the extension. Those of a telephone without a person, and of nobody, are nobody's.
func (f *signInFailures) count(ctx context.Context, at extensionAt, failed phoneFailure) error {
	var agents v1alpha1.AgentList
	if err := f.reader.List(ctx, &agents, client.InNamespace(at.namespace), client.MatchingFields{admission.IndexExtension: at.extension}); err != nil {
		return err
	}
	center, err := onlyCenter(ctx, f.reader, at.namespace)
	if errors.Is(err, errNoCenter) {
		return nil
	}
	if err != nil {
		return err
	}
	lockout := center.Spec.Security.Lockout
	limit := int(value(lockout.MaxAttempts, defaultMaxAttempts))
	if limit == 0 || lockout.PhoneSignIns == v1alpha1.PhoneSignInsIgnored {
		return nil
	}
	for i := range agents.Items {
		if err := f.fail(ctx, storeKey(&agents.Items[i]), limit, failed); err != nil {
			return err
		}
	}
	return nil
}

func (f *signInFailures) fail(ctx context.Context, agent store.Key, limit int, failed phoneFailure) error {
	lock, err := f.store.SignInLockOf(ctx, agent)
	if err != nil || lock.Locked() {
		return err
	}
	for range min(failed.count, limit) {
		lock, err = f.store.FailSignIn(ctx, agent, limit)
		if errors.Is(err, store.ErrNotFound) {
			return nil // not recorded yet, or no more
		}
		if err != nil {
			return err
		}
		if lock.Locked() {
			break
		}
	}
	log.FromContext(ctx).Info("a phone gave a wrong password", "agent", agent.String(), "address", failed.address, "failed", lock.Failed, "locked", lock.Locked())
	return nil
}
