package controllers

import (
	"context"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// Groups of workers are known by leases: while one is held, some manager works on the accounts of the group.
const (
	groupLease = 30 * time.Second
	groupRenew = groupLease / 3
)

func groupLeaseName(group string) string { return "mail-workers/" + group }

// groupKeeper holds the leases of the groups that this manager serves, or leaves them to another one that does. It runs on every replica.
type groupKeeper struct {
	store interface {
		AcquireLease(ctx context.Context, name, holder string, ttl time.Duration) (store.Lease, bool, error)
		ReleaseLease(ctx context.Context, l store.Lease) error
	}
	groups []string
	holder string
	renew  time.Duration
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (k *groupKeeper) NeedLeaderElection() bool { return false }

// Start implements manager.Runnable.
func (k *groupKeeper) Start(ctx context.Context) error {
	logger := log.FromContext(ctx).WithName("worker-groups")
	held := map[string]store.Lease{}
	ticker := time.NewTicker(k.renew)
	defer ticker.Stop()
	for {
		for _, group := range k.groups {
			lease, ok, err := k.store.AcquireLease(ctx, groupLeaseName(group), k.holder, groupLease)
			if err != nil && ctx.Err() == nil {
				logger.Error(err, "telling that a group of mail workers is there", "group", group)
			}
			if ok {
				held[group] = lease
			}
		}
		select {
		case <-ctx.Done():
			end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			for _, lease := range held {
				if err := k.store.ReleaseLease(end, lease); err != nil {
					logger.Error(err, "giving a group of mail workers back")
				}
			}
			return nil
		case <-ticker.C:
		}
	}
}

// served asks whether some manager works on the accounts of the group of e. Without a group it is not asked again once a worker has e.
func (k *accountKind) served(ctx context.Context, e *v1alpha1.EmailAccount, taken bool, s *scope) (bool, error) {
	group := e.Spec.Placement.WorkerGroup
	if group == "" && taken {
		return true, nil
	}
	held, err := k.store.LeaseHeld(ctx, groupLeaseName(group))
	if err != nil {
		return false, err
	}
	s.within(2 * groupLease)
	return held, nil
}
