-- Who sees the interactions of an agent as a supervisor of one of the agent's teams.

-- +goose Up
CREATE TABLE supervisors (
  namespace  TEXT NOT NULL,
  agent      TEXT NOT NULL,
  supervisor TEXT NOT NULL,
  PRIMARY KEY (namespace, agent, supervisor)
);
CREATE INDEX supervisors_supervisor ON supervisors (namespace, supervisor);

-- +goose Down
DROP TABLE supervisors;
