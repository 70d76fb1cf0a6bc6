-- What Ringmaster itself writes to people, and up to which voice message its agents were told.

-- +goose Up

-- A dedupe key makes one mail, however often it is added. claimed_at is 0 while nobody sends it.
CREATE TABLE system_mails (
  id           TEXT   NOT NULL PRIMARY KEY,
  namespace    TEXT   NOT NULL,
  account      TEXT   NOT NULL,
  recipient    TEXT   NOT NULL,
  dedupe_key   TEXT   NOT NULL,
  raw          BYTEA  NOT NULL,
  state        TEXT   NOT NULL,
  detail       TEXT   NOT NULL,
  attempts     BIGINT NOT NULL,
  next_attempt BIGINT NOT NULL,
  claimed_at   BIGINT NOT NULL,
  created_at   BIGINT NOT NULL
);
CREATE UNIQUE INDEX system_mails_dedupe ON system_mails (namespace, dedupe_key);
CREATE INDEX system_mails_outbox ON system_mails (namespace, account, id) WHERE state IN ('Pending', 'Sending');
CREATE INDEX system_mails_created ON system_mails (created_at);

-- The unread messages of an agent at the last look, and how often that changed.
CREATE TABLE voicemail_seen (
  namespace TEXT   NOT NULL,
  agent     TEXT   NOT NULL,
  unread    BIGINT NOT NULL,
  looks     BIGINT NOT NULL,
  PRIMARY KEY (namespace, agent)
);

-- What was there before anybody was told of messages is not news.
INSERT INTO voicemail_seen (namespace, agent, unread, looks)
  SELECT a.namespace, a.name, CAST(SUM(v.unread) AS BIGINT), 1 FROM agents a
  JOIN voicemail v ON v.namespace = a.namespace AND v.extension = a.extension
  GROUP BY a.namespace, a.name;

-- +goose Down
DROP TABLE voicemail_seen;
DROP TABLE system_mails;
