package pbxlet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/ami"
)

const (
	// drainPoll is how often the calls are counted.
	drainPoll = 250 * time.Millisecond
	// cutGrace is how long Asterisk has to end once its calls were cut.
	cutGrace = 5 * time.Second
)

// Drain ends the Asterisk of this machine: it refuses new calls (503) from now
// on, lets those there are come to their end, and stops when the last has. When
// ctx ends before that, they are hung up. It returns how many channels were cut.
// Registrations, messages and states are on disk and are there again after the
// next start. An Asterisk that does not answer is an error, and nothing is done.
func Drain(ctx context.Context, cfg Config) (cut int, err error) {
	log := cfg.Logger
	if log == nil {
		log = slog.Default()
	}
	secret, err := cfg.amiSecret()
	if err != nil {
		return 0, err
	}
	dial := func() (*ami.Client, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), actionTimeout)
		defer cancel()
		return ami.Dial(ctx, cfg.AMIAddr, cfg.AMIUser, secret)
	}
	// The command is answered only when Asterisk ends, so it has a connection of
	// its own.
	stopping, err := dial()
	if err != nil {
		return 0, err
	}
	defer stopping.Close()
	watching, err := dial()
	if err != nil {
		return 0, err
	}
	defer watching.Close()
	for _, c := range []*ami.Client{stopping, watching} {
		go func() { // ends with the connection
			for range c.Events() { //nolint:revive // nothing of it is needed
			}
		}()
	}
	refused := make(chan error, 1)
	go func() {
		answer, err := stopping.Command(context.WithoutCancel(ctx), "core stop gracefully")
		if err == nil && answer != "" {
			err = fmt.Errorf("pbxlet: drain: %s", answer)
		}
		refused <- err
	}()
	return await(ctx, log, watching, refused)
}

// await counts the channels until there are none, or until ctx ends.
func await(ctx context.Context, log *slog.Logger, c *ami.Client, refused <-chan error) (cut int, err error) {
	tick := time.NewTicker(drainPoll)
	defer tick.Stop()
	last := -1
	for {
		select {
		case <-c.Done():
			return 0, nil
		case err := <-refused:
			if err == nil || errors.Is(err, ami.ErrClosed) {
				continue // it has done as it was told
			}
			return 0, err
		case <-ctx.Done():
			return hangUpAll(context.WithoutCancel(ctx), log, c)
		case <-tick.C:
		}
		channels, err := channelNames(ctx, c)
		if err != nil {
			continue // the connection ends with Asterisk, and ctx with our patience
		}
		if len(channels) != last {
			last = len(channels)
			log.Info("draining", "channels", last)
		}
	}
}

func channelNames(ctx context.Context, c *ami.Client) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, actionTimeout)
	defer cancel()
	list, err := c.List(ctx, "CoreShowChannels")
	if err := ignoreEmpty(err); err != nil {
		return nil, err
	}
	var names []string
	for _, m := range list {
		names = append(names, m.Get("Channel"))
	}
	return names, nil
}

// hangUpAll cuts what is left, after which Asterisk ends by itself.
func hangUpAll(ctx context.Context, log *slog.Logger, c *ami.Client) (int, error) {
	channels, err := channelNames(ctx, c)
	if err != nil {
		if errors.Is(err, ami.ErrClosed) {
			return 0, nil
		}
		return 0, err
	}
	for _, name := range channels {
		actionCtx, cancel := context.WithTimeout(ctx, actionTimeout)
		_, err := c.Action(actionCtx, "Hangup", ami.Header{Name: "Channel", Value: name})
		cancel()
		if errors.Is(err, ami.ErrClosed) {
			break
		}
	}
	log.Warn("calls were cut", "channels", len(channels))
	select {
	case <-c.Done():
		return len(channels), nil
	case <-time.After(cutGrace):
		return len(channels), errors.New("pbxlet: drain: Asterisk has no calls and does not end")
	}
}
