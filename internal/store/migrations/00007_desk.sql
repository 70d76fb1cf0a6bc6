-- What the desk keeps about interactions: titles, tags, drafts, uploads, and who may look at an account's interactions.

-- +goose Up

-- tags is a JSON list.
ALTER TABLE interactions ADD COLUMN title TEXT NOT NULL DEFAULT '';
ALTER TABLE interactions ADD COLUMN tags TEXT NOT NULL DEFAULT '[]';
CREATE INDEX interactions_account ON interactions (namespace, account, id);

-- desk is what the account lets agents do, as JSON.
ALTER TABLE accounts ADD COLUMN desk TEXT NOT NULL DEFAULT '{}';

-- Hidden recipients of an answer: a JSON list.
ALTER TABLE messages ADD COLUMN bcc TEXT NOT NULL DEFAULT '[]';

-- Agents who see all interactions of an account.
CREATE TABLE account_agents (
  namespace TEXT NOT NULL,
  account   TEXT NOT NULL,
  agent     TEXT NOT NULL,
  PRIMARY KEY (namespace, account, agent)
);
CREATE INDEX account_agents_agent ON account_agents (namespace, agent);

-- One draft of an answer per interaction; body is JSON, version grows with every change.
CREATE TABLE drafts (
  interaction_id TEXT   NOT NULL PRIMARY KEY,
  namespace      TEXT   NOT NULL,
  agent          TEXT   NOT NULL,
  version        BIGINT NOT NULL,
  body           TEXT   NOT NULL,
  updated_at     BIGINT NOT NULL
);
CREATE INDEX drafts_updated ON drafts (updated_at);

-- Files that wait for the answer they belong to.
CREATE TABLE uploads (
  id             TEXT   NOT NULL PRIMARY KEY,
  interaction_id TEXT   NOT NULL,
  namespace      TEXT   NOT NULL,
  agent          TEXT   NOT NULL,
  name           TEXT   NOT NULL,
  content_type   TEXT   NOT NULL,
  size           BIGINT NOT NULL,
  content        BYTEA  NOT NULL,
  created_at     BIGINT NOT NULL
);
CREATE INDEX uploads_interaction ON uploads (interaction_id, id);
CREATE INDEX uploads_created ON uploads (created_at);

-- Answers by the key their client gave them, so that one sent twice goes out once.
CREATE TABLE reply_keys (
  namespace  TEXT   NOT NULL,
  agent      TEXT   NOT NULL,
  reply_key  TEXT   NOT NULL,
  digest     TEXT   NOT NULL,
  message_id TEXT   NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (namespace, agent, reply_key)
);
CREATE INDEX reply_keys_created ON reply_keys (created_at);

-- +goose Down
DROP TABLE reply_keys;
DROP TABLE uploads;
DROP TABLE drafts;
DROP TABLE account_agents;
ALTER TABLE messages DROP COLUMN bcc;
ALTER TABLE accounts DROP COLUMN desk;
DROP INDEX interactions_account;
ALTER TABLE interactions DROP COLUMN tags;
ALTER TABLE interactions DROP COLUMN title;
