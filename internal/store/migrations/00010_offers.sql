-- Offers to several agents at once: the interaction is Offered without an agent, and each of them has a row here.

-- +goose Up

-- answer_at is when the offer is accepted on the agent's behalf, 0 = never.
CREATE TABLE offers (
  interaction_id TEXT   NOT NULL,
  namespace      TEXT   NOT NULL,
  agent          TEXT   NOT NULL,
  answer_at      BIGINT NOT NULL,
  PRIMARY KEY (interaction_id, agent)
);
CREATE INDEX offers_agent ON offers (namespace, agent);

-- +goose Down
DROP TABLE offers;
