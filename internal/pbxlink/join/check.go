package join

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/ami"
	"github.com/ringmaster-dev/ringmaster/internal/voice"
)

// AMI says how to ask Asterisk.
type AMI struct {
	// Addr is host:port of the manager interface, User its user, SecretFile the
	// file with that user's secret.
	Addr, User, SecretFile string
}

// Live asks whether Asterisk answers at all. Neither the pbxlet nor the manager
// matter: an Asterisk with calls is not to be killed because they are away.
func Live(ctx context.Context, a AMI) error {
	return a.ask(ctx, func(c *ami.Client) error {
		_, err := c.Action(ctx, "Ping")
		return err
	})
}

// Ready asks whether Asterisk has loaded its modules and a configuration of the
// manager's, be it the last one from before a restart.
func Ready(ctx context.Context, a AMI) error {
	return a.ask(ctx, func(c *ami.Client) error {
		if _, err := c.Command(ctx, "core waitfullybooted"); err != nil {
			return err
		}
		m, err := c.Action(ctx, "Getvar", ami.Header{Name: "Variable", Value: voice.RevisionVariable})
		if err != nil {
			return err
		}
		if m.Get("Value") == "" {
			return errors.New("no configuration of the manager's yet, though Asterisk runs")
		}
		return nil
	})
}

func (a AMI) ask(ctx context.Context, question func(*ami.Client) error) error {
	secret, err := os.ReadFile(a.SecretFile)
	if err != nil {
		return fmt.Errorf("join: manager interface: %w", err)
	}
	c, err := ami.Dial(ctx, a.Addr, a.User, strings.TrimSpace(string(secret)))
	if err != nil {
		return fmt.Errorf("join: %w", err)
	}
	defer c.Close()
	if err := question(c); err != nil {
		return fmt.Errorf("join: %w", err)
	}
	return nil
}
