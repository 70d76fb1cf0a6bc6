-- How conversations are answered and classified.

-- +goose Up

-- What an e-mail account says about its answers, as JSON.
CREATE TABLE account_answers (
  namespace TEXT NOT NULL,
  account   TEXT NOT NULL,
  settings  TEXT NOT NULL,
  PRIMARY KEY (namespace, account)
);

-- ref is the account or the queue of the scope. items is JSON, every item with its whole path.
CREATE TABLE disposition_sets (
  namespace TEXT NOT NULL,
  name      TEXT NOT NULL,
  scope     TEXT NOT NULL,
  ref       TEXT NOT NULL,
  items     TEXT NOT NULL,
  PRIMARY KEY (namespace, name)
);

-- Texts for answers; items is JSON. Their attachments are in canned_files, by the sum of their content.
CREATE TABLE canned_answer_sets (
  namespace TEXT NOT NULL,
  name      TEXT NOT NULL,
  scope     TEXT NOT NULL,
  ref       TEXT NOT NULL,
  items     TEXT NOT NULL,
  PRIMARY KEY (namespace, name)
);
CREATE TABLE canned_files (
  namespace TEXT  NOT NULL,
  set_name  TEXT  NOT NULL,
  sha256    TEXT  NOT NULL,
  content   BYTEA NOT NULL,
  PRIMARY KEY (namespace, set_name, sha256)
);

-- What the last agent who closed it chose.
ALTER TABLE interactions ADD COLUMN disposition TEXT NOT NULL DEFAULT '';
ALTER TABLE interactions ADD COLUMN disposition_note TEXT NOT NULL DEFAULT '';

-- Conversations that an agent has begun to dispose; disposing in presence says that the pause is for them, and not the agent's own.
CREATE TABLE disposing (
  interaction_id TEXT NOT NULL PRIMARY KEY,
  namespace      TEXT NOT NULL,
  agent          TEXT NOT NULL
);
CREATE INDEX disposing_agent ON disposing (namespace, agent);
ALTER TABLE presence ADD COLUMN disposing BOOLEAN NOT NULL DEFAULT FALSE;

-- +goose Down
ALTER TABLE presence DROP COLUMN disposing;
DROP TABLE disposing;
ALTER TABLE interactions DROP COLUMN disposition_note;
ALTER TABLE interactions DROP COLUMN disposition;
DROP TABLE canned_files;
DROP TABLE canned_answer_sets;
DROP TABLE disposition_sets;
DROP TABLE account_answers;
