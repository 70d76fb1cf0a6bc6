-- Which agents were invited by a mail to set their first password.

-- +goose Up

-- A row outlives its agent, so that who is made again is not invited again. state is None, Due or Sent; sent_at is 0 until then, asked_at the
-- last time that was asked for by hand, 0 = never.
CREATE TABLE invitations (
  namespace TEXT   NOT NULL,
  agent     TEXT   NOT NULL,
  state     TEXT   NOT NULL,
  sent_at   BIGINT NOT NULL,
  asked_at  BIGINT NOT NULL,
  PRIMARY KEY (namespace, agent)
);

-- Who was there before anybody was invited is not new.
INSERT INTO invitations (namespace, agent, state, sent_at, asked_at) SELECT namespace, name, 'None', 0, 0 FROM agents;

-- +goose Down
DROP TABLE invitations;
