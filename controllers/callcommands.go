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

// callCommands carries what agents ask of their calls from the store to the PBXes. Desks are on every replica, the link is the leader's.
type callCommands struct {
	store store.Calls
	link  pbxLink
	wake  chan struct{}
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (c *callCommands) NeedLeaderElection() bool { return true }

// notice asks for a look into the store; it never blocks.
func (c *callCommands) notice() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Start implements manager.Runnable.
func (c *callCommands) Start(ctx context.Context) error {
	logger := log.FromContext(ctx).WithName("call-commands")
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.wake:
		}
		if err := c.run(ctx); err != nil && ctx.Err() == nil {
			logger.Error(err, "carrying out what agents ask of calls")
			time.AfterFunc(time.Second, c.notice)
		}
	}
}

func (c *callCommands) run(ctx context.Context) error {
	const batch = 50
	for {
		commands, err := c.store.ClaimCallCommands(ctx, batch)
		if err != nil {
			return err
		}
		g, gctx := errgroup.WithContext(ctx)
		for _, command := range commands {
			g.Go(func() error {
				outcome, detail := c.do(gctx, command)
				err := c.store.FinishCallCommand(ctx, command.ID, outcome, detail)
				if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) {
					return nil // who asked no longer waits
				}
				return err
			})
		}
		if err := g.Wait(); err != nil || len(commands) < batch {
			return err
		}
	}
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
