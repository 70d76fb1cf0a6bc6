package desk

import (
	"context"
	"slices"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// supervision is who is over whom. It comes from the teams, but for administrators.
type supervision interface {
	Supervisors(ctx context.Context, agent store.Key) ([]string, error)
	Supervises(ctx context.Context, supervisor store.Key) (bool, error)
}

func (c caller) isAdmin() bool { return c.permissions.Role == RoleAdmin }

// over says whether the caller is an administrator or supervises the agent.
func (s *server) over(ctx context.Context, agent string) (bool, error) {
	c := callerOf(ctx)
	if c.isAdmin() {
		return true, nil
	}
	if agent == "" {
		return false, nil
	}
	supervisors, err := s.Store.Supervisors(ctx, store.Key{Namespace: c.Namespace, Name: agent})
	return slices.Contains(supervisors, c.Name), err
}

// oversees says whether the caller is over the agent whom the interaction is with or who was the last to accept it.
func (s *server) oversees(ctx context.Context, i store.Interaction) (bool, error) {
	found, err := s.over(ctx, i.Agent)
	if found || err != nil || i.LastAgent == i.Agent {
		return found, err
	}
	return s.over(ctx, i.LastAgent)
}

// supervises says whether the caller is over anyone.
func (s *server) supervises(ctx context.Context) (bool, error) {
	c := callerOf(ctx)
	if c.isAdmin() {
		return true, nil
	}
	return s.Store.Supervises(ctx, c.Key)
}

// inPlaceOf is the agent with whom an interaction is open whom the caller is over, and empty when the caller acts for none but himself.
func (s *server) inPlaceOf(ctx context.Context, i store.Interaction) (string, error) {
	if i.State != store.StateOpen || i.Agent == callerOf(ctx).Name {
		return "", nil
	}
	found, err := s.over(ctx, i.Agent)
	if !found || err != nil {
		return "", err
	}
	return i.Agent, nil
}
