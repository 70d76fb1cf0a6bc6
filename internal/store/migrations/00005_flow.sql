-- What becomes of new interactions, step by step.

-- +goose Up

-- flow decides about new interactions of the account in place of queue.
ALTER TABLE accounts ADD COLUMN flow TEXT NOT NULL DEFAULT '';

-- spec is JSON, with the schedules and templates that the steps refer to.
CREATE TABLE flows (
  namespace TEXT NOT NULL,
  name      TEXT NOT NULL,
  spec      TEXT NOT NULL,
  PRIMARY KEY (namespace, name)
);

-- Interactions on their way through a flow. step is the one they wait at since then, empty before the first; due_at is when routing
-- must look at them, 0 = never; message_id is the mail that the conditions are about.
CREATE TABLE flow_runs (
  interaction_id TEXT    NOT NULL PRIMARY KEY,
  namespace      TEXT    NOT NULL,
  flow           TEXT    NOT NULL,
  step           TEXT    NOT NULL,
  since          BIGINT  NOT NULL,
  due_at         BIGINT  NOT NULL,
  message_id     TEXT    NOT NULL,
  automatic      BOOLEAN NOT NULL
);
CREATE INDEX flow_runs_due ON flow_runs (due_at, namespace) WHERE due_at > 0;
CREATE INDEX flow_runs_flow ON flow_runs (namespace, flow);

-- Automatic answers that were given, so that none is given twice and nobody gets too many.
CREATE TABLE flow_replies (
  interaction_id TEXT   NOT NULL,
  step           TEXT   NOT NULL,
  namespace      TEXT   NOT NULL,
  recipient      TEXT   NOT NULL,
  sent_at        BIGINT NOT NULL,
  PRIMARY KEY (interaction_id, step)
);
CREATE INDEX flow_replies_recipient ON flow_replies (namespace, recipient, sent_at);

-- +goose Down
DROP TABLE flow_replies;
DROP TABLE flow_runs;
DROP TABLE flows;
ALTER TABLE accounts DROP COLUMN flow;
