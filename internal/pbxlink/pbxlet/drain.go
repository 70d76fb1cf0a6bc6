package pbxlet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/ami"
)

// Drain asks the Asterisk of this machine to end when its calls have: new calls
// are refused (503) from now on, those there are go on. It returns when Asterisk
// has ended or ctx has, and how many calls there were left: those that are cut
// when the supervisor ends the process next, as a kubelet does after a preStop
// hook. Asterisk obeys nobody else any more. An Asterisk that does not answer is
// an error, and nothing is done. Of cfg only the manager interface and the
// logger are used. Registrations, messages and states are on disk and there
// again after the next start.
func Drain(ctx context.Context, cfg Config) (cut int, err error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	secret, err := cfg.amiSecret()
	if err != nil {
		return 0, err
	}
	// The command is answered only when Asterisk ends, so it has a connection of
	// its own.
	var conns [2]*ami.Client
	for i := range conns {
		dialCtx, cancel := context.WithTimeout(ctx, actionTimeout)
		conns[i], err = ami.Dial(dialCtx, cfg.AMIAddr, cfg.AMIUser, secret)
		cancel()
		if err != nil {
			return 0, err
		}
		defer conns[i].Close()
	}
	watching, stopping := conns[0], conns[1]
	// From here on events tell what changes: an Asterisk that ends answers no
	// questions.
	calls, err := listedCalls(ctx, watching)
	if err != nil {
		return 0, err
	}
	if _, err := stopping.Action(ctx, "Events", ami.Header{Name: "EventMask", Value: "off"}); err != nil {
		return 0, err
	}
	refused := make(chan error, 1)
	go func() {
		// Ends with the connection.
		answer, err := stopping.Command(context.WithoutCancel(ctx), "core stop gracefully")
		if err == nil {
			err = fmt.Errorf("pbxlet: drain: %s", answer)
		}
		refused <- err
	}()
	cfg.Logger.Info("draining", "calls", calls.count())
	return calls.await(ctx, cfg.Logger, watching, refused)
}

// draining maps the channels by their Uniqueid to the call they belong to.
type draining map[string]string

func listedCalls(ctx context.Context, c *ami.Client) (draining, error) {
	ctx, cancel := context.WithTimeout(ctx, actionTimeout)
	defer cancel()
	list, err := c.List(ctx, "CoreShowChannels")
	if err := ignoreEmpty(err); err != nil {
		return nil, err
	}
	calls := draining{}
	for _, m := range list {
		calls[m.Get("Uniqueid")] = m.Get("Linkedid")
	}
	return calls, nil
}

func (d draining) count() int {
	distinct := map[string]bool{}
	for _, call := range d {
		distinct[call] = true
	}
	return len(distinct)
}

// await follows the calls until Asterisk has ended or ctx has.
func (d draining) await(ctx context.Context, log *slog.Logger, c *ami.Client, refused <-chan error) (cut int, err error) {
	for {
		select {
		case <-ctx.Done():
			log.Warn("calls outlast the drain", "calls", d.count())
			return d.count(), nil
		case err := <-refused:
			if !errors.Is(err, ami.ErrClosed) {
				return 0, err
			}
			refused = nil
		case m, open := <-c.Events():
			if !open {
				return 0, nil
			}
			before := d.count()
			switch m.Event() {
			case "Newchannel":
				d[m.Get("Uniqueid")] = m.Get("Linkedid")
			case "Hangup":
				delete(d, m.Get("Uniqueid"))
			}
			if n := d.count(); n != before {
				log.Info("draining", "calls", n)
			}
		}
	}
}
