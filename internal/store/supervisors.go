package store

import (
	"context"
	"fmt"
	"slices"
)

// supervised are the agents that somebody supervises.
const supervised = "SELECT agent FROM supervisors WHERE namespace = ? AND supervisor = ?"

// SetSupervisors implements Directory.
func (db *DB) SetSupervisors(ctx context.Context, agent Key, supervisors []string) error {
	wanted := slices.Compact(slices.Sorted(slices.Values(supervisors)))
	present, err := db.Supervisors(ctx, agent)
	if err != nil || slices.Equal(present, wanted) {
		return err
	}
	return db.write(ctx, "set supervisors", func(t *tx) error {
		if _, err := t.exec(ctx, "DELETE FROM supervisors WHERE namespace = ? AND agent = ?", agent.Namespace, agent.Name); err != nil {
			return err
		}
		rows := make([][]any, len(wanted))
		for i, supervisor := range wanted {
			rows[i] = []any{agent.Namespace, agent.Name, supervisor}
		}
		return t.insert(ctx, "supervisors (namespace, agent, supervisor)", "ON CONFLICT DO NOTHING", rows...)
	})
}

// Supervisors implements Directory.
func (db *DB) Supervisors(ctx context.Context, agent Key) ([]string, error) {
	names, err := all(ctx, db.read(), scalar[string], "SELECT supervisor FROM supervisors WHERE namespace = ? AND agent = ?", agent.Namespace, agent.Name)
	if err != nil {
		return nil, fmt.Errorf("store: supervisors of agent %s: %w", agent, err)
	}
	slices.Sort(names) // the order of a database depends on its collation
	return names, nil
}

// Supervises implements Directory.
func (db *DB) Supervises(ctx context.Context, supervisor Key) (bool, error) {
	some, err := all(ctx, db.read(), scalar[string], supervised+" LIMIT 1", supervisor.Namespace, supervisor.Name)
	if err != nil {
		return false, fmt.Errorf("store: agents supervised by %s: %w", supervisor, err)
	}
	return len(some) > 0, nil
}
