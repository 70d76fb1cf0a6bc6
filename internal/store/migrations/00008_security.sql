-- Failed sign-ins and locks of agents, and links by which an agent sets a password.

-- +goose Up

-- failed counts since the last sign-in; locked_at is 0 while the agent is not locked, unlocked_at when a lock was last released.
CREATE TABLE sign_in_locks (
  namespace   TEXT   NOT NULL,
  agent       TEXT   NOT NULL,
  failed      BIGINT NOT NULL,
  locked_at   BIGINT NOT NULL,
  unlocked_at BIGINT NOT NULL,
  PRIMARY KEY (namespace, agent)
);

-- Only the hash of a token is kept. An agent has one link, which works once and goes with every change of the password.
CREATE TABLE password_links (
  token_hash TEXT   NOT NULL PRIMARY KEY,
  namespace  TEXT   NOT NULL,
  agent      TEXT   NOT NULL,
  created_at BIGINT NOT NULL,
  expires    BIGINT NOT NULL
);
CREATE INDEX password_links_agent ON password_links (namespace, agent);
CREATE INDEX agents_email ON agents (lower(email)) WHERE email <> '';

-- +goose Down
DROP INDEX agents_email;
DROP TABLE password_links;
DROP TABLE sign_in_locks;
