package controllers

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// commandTimeout is how long a PBX may take for what an agent asked of a call; the desk waits five seconds.
const commandTimeout = 4 * time.Second

// errand carries something that desks left in the store to the PBXes. Desks are on every replica, the link is the leader's.
type errand struct {
	name string
	// run carries out all that waits.
	run  func(context.Context) error
	wake chan struct{}
}

// newErrand looks first for what was left before.
func newErrand(name string, run func(context.Context) error) *errand {
	e := &errand{name: name, run: run, wake: make(chan struct{}, 1)}
	e.notice()
	return e
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (e *errand) NeedLeaderElection() bool { return true }

// notice asks for a look into the store; it never blocks.
func (e *errand) notice() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// Start implements manager.Runnable.
func (e *errand) Start(ctx context.Context) error {
	logger := log.FromContext(ctx).WithName(e.name)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-e.wake:
		}
		if err := e.run(ctx); err != nil && ctx.Err() == nil {
			logger.Error(err, "carrying out what desks ask of PBXes")
			time.AfterFunc(time.Second, e.notice)
		}
	}
}

// carryOut does all that waits, a batch at a time and its parts side by side.
func carryOut[T any](ctx context.Context, batch int, claim func(context.Context, int) ([]T, error), do func(context.Context, T) error) error {
	for {
		claimed, err := claim(ctx, batch)
		if err != nil {
			return err
		}
		g, gctx := errgroup.WithContext(ctx)
		for _, c := range claimed {
			g.Go(func() error {
				err := do(gctx, c)
				if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) {
					return nil // who asked no longer waits
				}
				return err
			})
		}
		if err := g.Wait(); err != nil || len(claimed) < batch {
			return err
		}
	}
}

// callCommands are what agents ask of their calls.
type callCommands struct {
	store store.Calls
	link  pbxLink
}

func (c *callCommands) run(ctx context.Context) error {
	return carryOut(ctx, 50, c.store.ClaimCallCommands, func(gctx context.Context, command store.CallCommand) error {
		outcome, detail := c.do(gctx, command)
		return c.store.FinishCallCommand(ctx, command.ID, outcome, detail)
	})
}

func (c *callCommands) do(ctx context.Context, command store.CallCommand) (store.CallOutcome, string) {
	pbx := command.Namespace + "/" + command.PBX
	if status := c.link.Status(pbx); !status.Connected || !status.AsteriskUp {
		return store.OutcomeNotConnected, ""
	}
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	err := c.link.RecordCall(ctx, pbx, command.Uniqueid, pbxlink.RecordVerb(command.Verb))
	switch {
	case err == nil:
		return store.OutcomeDone, ""
	case errors.Is(err, pbxlink.ErrCallEnded):
		return store.OutcomeGone, ""
	case errors.Is(err, pbxlink.ErrRecordingLimit):
		return store.OutcomeLimit, ""
	case errors.Is(err, pbxlink.ErrNotRecording):
		return store.OutcomeNotRecording, ""
	case errors.Is(err, pbxlink.ErrNotAllowed):
		return store.OutcomeDenied, ""
	case errors.Is(err, context.DeadlineExceeded):
		return store.OutcomeNotConnected, ""
	default:
		return store.OutcomeFailed, err.Error()
	}
}
