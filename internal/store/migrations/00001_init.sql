-- One schema for SQLite and PostgreSQL. Times are unix microseconds (BIGINT, 0 = none), lists and maps are
-- JSON text. No column is NULL.

-- +goose Up

-- A row per contact center: the lock under which its routing, presence and numbers change.
CREATE TABLE centers (
  namespace TEXT NOT NULL PRIMARY KEY
);

CREATE TABLE extensions (
  namespace     TEXT    NOT NULL,
  extension     TEXT    NOT NULL,
  kind          TEXT    NOT NULL,
  name          TEXT    NOT NULL,
  in_use        BOOLEAN NOT NULL,
  released_at   BIGINT  NOT NULL,
  blocked_until BIGINT  NOT NULL,
  PRIMARY KEY (namespace, extension)
);
CREATE UNIQUE INDEX extensions_in_use ON extensions (namespace, kind, name) WHERE in_use;
CREATE INDEX extensions_released ON extensions (namespace, kind, name, released_at);

-- Every number of the range below floor is in use: where the search for the lowest free one starts.
CREATE TABLE extension_floors (
  namespace  TEXT NOT NULL,
  range_from TEXT NOT NULL,
  floor      TEXT NOT NULL,
  PRIMARY KEY (namespace, range_from)
);

CREATE TABLE agents (
  namespace      TEXT    NOT NULL,
  name           TEXT    NOT NULL,
  username       TEXT    NOT NULL,
  display_name   TEXT    NOT NULL,
  alias          TEXT    NOT NULL,
  email          TEXT    NOT NULL,
  extension      TEXT    NOT NULL,
  active         BOOLEAN NOT NULL,
  email_capacity BIGINT  NOT NULL,
  profile        BYTEA   NOT NULL,
  last_offered   BIGINT  NOT NULL DEFAULT 0,
  PRIMARY KEY (namespace, name)
);
CREATE UNIQUE INDEX agents_username ON agents (username, namespace);

CREATE TABLE presence (
  namespace TEXT    NOT NULL,
  agent     TEXT    NOT NULL,
  signed_in BOOLEAN NOT NULL,
  paused    BOOLEAN NOT NULL,
  reason    TEXT    NOT NULL,
  since     BIGINT  NOT NULL,
  PRIMARY KEY (namespace, agent)
);

CREATE TABLE credentials (
  namespace      TEXT   NOT NULL,
  agent          TEXT   NOT NULL,
  hash           TEXT   NOT NULL,
  secret_version TEXT   NOT NULL,
  changed_at     BIGINT NOT NULL,
  PRIMARY KEY (namespace, agent)
);

-- Old hashes; n grows with every change.
CREATE TABLE password_history (
  namespace TEXT   NOT NULL,
  agent     TEXT   NOT NULL,
  n         BIGINT NOT NULL,
  hash      TEXT   NOT NULL,
  PRIMARY KEY (namespace, agent, n)
);

CREATE TABLE sessions (
  token_hash TEXT   NOT NULL PRIMARY KEY,
  namespace  TEXT   NOT NULL,
  agent      TEXT   NOT NULL,
  expires    BIGINT NOT NULL
);
CREATE INDEX sessions_agent ON sessions (namespace, agent);

-- gen counts the changes that may let waiting interactions go on; due_at is when routing must look at the
-- queue, 0 = not before something changes.
CREATE TABLE queues (
  namespace     TEXT   NOT NULL,
  name          TEXT   NOT NULL,
  display_name  TEXT   NOT NULL,
  channel       TEXT   NOT NULL,
  strategy      TEXT   NOT NULL,
  offer_timeout BIGINT NOT NULL,
  last_offered  TEXT   NOT NULL DEFAULT '',
  gen           BIGINT NOT NULL DEFAULT 1,
  due_at        BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (namespace, name)
);
CREATE INDEX queues_due ON queues (due_at, namespace) WHERE due_at > 0;

CREATE TABLE queue_members (
  namespace TEXT   NOT NULL,
  queue     TEXT   NOT NULL,
  agent     TEXT   NOT NULL,
  penalty   BIGINT NOT NULL,
  PRIMARY KEY (namespace, queue, agent)
);
CREATE INDEX queue_members_agent ON queue_members (namespace, agent, queue);

CREATE TABLE accounts (
  namespace    TEXT    NOT NULL,
  name         TEXT    NOT NULL,
  label        TEXT    NOT NULL,
  display_name TEXT    NOT NULL,
  address      TEXT    NOT NULL,
  queue        TEXT    NOT NULL,
  active       BOOLEAN NOT NULL,
  PRIMARY KEY (namespace, name)
);

CREATE TABLE account_status (
  namespace          TEXT   NOT NULL,
  account            TEXT   NOT NULL,
  config_hash        TEXT   NOT NULL,
  imap               TEXT   NOT NULL,
  imap_message       TEXT   NOT NULL,
  smtp               TEXT   NOT NULL,
  smtp_message       TEXT   NOT NULL,
  certificate_sha256 TEXT   NOT NULL,
  last_poll          BIGINT NOT NULL,
  updated_at         BIGINT NOT NULL,
  PRIMARY KEY (namespace, account)
);

-- Written in the transaction of the ingestion it counts.
CREATE TABLE account_counters (
  namespace   TEXT   NOT NULL,
  account     TEXT   NOT NULL,
  ingested    BIGINT NOT NULL,
  quarantined BIGINT NOT NULL,
  PRIMARY KEY (namespace, account)
);

CREATE TABLE leases (
  name    TEXT   NOT NULL PRIMARY KEY,
  holder  TEXT   NOT NULL,
  fence   BIGINT NOT NULL,
  expires BIGINT NOT NULL
);

CREATE TABLE mailboxes (
  namespace    TEXT   NOT NULL,
  account      TEXT   NOT NULL,
  mailbox      TEXT   NOT NULL,
  uid_validity BIGINT NOT NULL,
  floor_uid    BIGINT NOT NULL,
  PRIMARY KEY (namespace, account, mailbox)
);

-- Where a mail was seen; message_id is empty for a filtered one.
CREATE TABLE locations (
  namespace    TEXT   NOT NULL,
  account      TEXT   NOT NULL,
  mailbox      TEXT   NOT NULL,
  uid_validity BIGINT NOT NULL,
  uid          BIGINT NOT NULL,
  message_id   TEXT   NOT NULL,
  PRIMARY KEY (namespace, account, mailbox, uid_validity, uid)
);

-- queued_at orders the queue; seen_gen is the last queues.gen under which routing could not place it and
-- retry_at when it tries again all the same; declined counts refusals by agent as JSON.
CREATE TABLE interactions (
  id             TEXT    NOT NULL PRIMARY KEY,
  namespace      TEXT    NOT NULL,
  channel        TEXT    NOT NULL,
  account        TEXT    NOT NULL,
  queue          TEXT    NOT NULL,
  state          TEXT    NOT NULL,
  agent          TEXT    NOT NULL,
  last_agent     TEXT    NOT NULL,
  last_queue     TEXT    NOT NULL,
  deadline       BIGINT  NOT NULL,
  subject        TEXT    NOT NULL,
  customer       TEXT    NOT NULL,
  name           TEXT    NOT NULL,
  created_at     BIGINT  NOT NULL,
  updated_at     BIGINT  NOT NULL,
  is_read        BOOLEAN NOT NULL,
  message_count  BIGINT  NOT NULL,
  last_direction TEXT    NOT NULL,
  version        BIGINT  NOT NULL,
  queued_at      BIGINT  NOT NULL,
  seen_gen       BIGINT  NOT NULL,
  retry_at       BIGINT  NOT NULL,
  declined       TEXT    NOT NULL,
  declined_at    BIGINT  NOT NULL
);
CREATE INDEX interactions_list ON interactions (namespace, id);
CREATE INDEX interactions_state ON interactions (namespace, state, id);
CREATE INDEX interactions_agent ON interactions (namespace, agent, channel, state) WHERE agent <> '';
CREATE INDEX interactions_last_agent ON interactions (namespace, last_agent, id) WHERE last_agent <> '';
CREATE INDEX interactions_waiting ON interactions (namespace, queue, queued_at, id) WHERE state = 'Queued';
CREATE INDEX interactions_retry ON interactions (namespace, queue, retry_at) WHERE state = 'Queued' AND retry_at > 0;
CREATE INDEX interactions_deadline ON interactions (deadline, namespace) WHERE state = 'Offered';

CREATE TABLE transitions (
  interaction_id TEXT   NOT NULL,
  version        BIGINT NOT NULL,
  at             BIGINT NOT NULL,
  from_state     TEXT   NOT NULL,
  to_state       TEXT   NOT NULL,
  agent          TEXT   NOT NULL,
  queue          TEXT   NOT NULL,
  reason         TEXT   NOT NULL,
  detail         TEXT   NOT NULL,
  PRIMARY KEY (interaction_id, version)
);

CREATE TABLE messages (
  id             TEXT   NOT NULL PRIMARY KEY,
  interaction_id TEXT   NOT NULL,
  namespace      TEXT   NOT NULL,
  account        TEXT   NOT NULL,
  direction      TEXT   NOT NULL,
  state          TEXT   NOT NULL,
  detail         TEXT   NOT NULL,
  message_id     TEXT   NOT NULL,
  sha256         TEXT   NOT NULL,
  sender         TEXT   NOT NULL,
  recipients     TEXT   NOT NULL,
  cc             TEXT   NOT NULL,
  subject        TEXT   NOT NULL,
  date           BIGINT NOT NULL,
  body_text      TEXT   NOT NULL,
  body_html      TEXT   NOT NULL,
  attachments    TEXT   NOT NULL,
  agent          TEXT   NOT NULL,
  created_at     BIGINT NOT NULL,
  attempts       BIGINT NOT NULL,
  next_attempt   BIGINT NOT NULL,
  claimed_at     BIGINT NOT NULL
);
CREATE INDEX messages_interaction ON messages (interaction_id, id);
CREATE UNIQUE INDEX messages_content ON messages (namespace, account, sha256) WHERE sha256 <> '';
CREATE INDEX messages_outbox ON messages (namespace, account, id)
  WHERE direction = 'Outbound' AND state IN ('Pending', 'Sending');

-- Apart from messages so that lists never read them.
CREATE TABLE raw_messages (
  message_id TEXT  NOT NULL PRIMARY KEY,
  raw        BYTEA NOT NULL
);

-- Identifiers a reply can name: RFC 5322 Message-IDs of both directions.
CREATE TABLE message_ids (
  namespace      TEXT NOT NULL,
  account        TEXT NOT NULL,
  message_id     TEXT NOT NULL,
  interaction_id TEXT NOT NULL,
  PRIMARY KEY (namespace, account, message_id)
);

CREATE TABLE registrations (
  namespace  TEXT   NOT NULL,
  pbx        TEXT   NOT NULL,
  extension  TEXT   NOT NULL,
  uri        TEXT   NOT NULL,
  user_agent TEXT   NOT NULL,
  since      BIGINT NOT NULL,
  PRIMARY KEY (namespace, pbx, extension, uri)
);
CREATE INDEX registrations_extension ON registrations (namespace, extension);

CREATE TABLE events (
  seq       BIGINT NOT NULL PRIMARY KEY,
  at        BIGINT NOT NULL,
  namespace TEXT   NOT NULL,
  agent     TEXT   NOT NULL,
  kind      TEXT   NOT NULL,
  subject   TEXT   NOT NULL,
  data      BYTEA  NOT NULL
);
CREATE INDEX events_namespace ON events (namespace, seq);

-- The last event number. Its row lock is what makes numbers follow commit order.
CREATE TABLE event_counter (
  id   BIGINT NOT NULL PRIMARY KEY,
  last BIGINT NOT NULL
);
INSERT INTO event_counter (id, last) VALUES (1, 0);

-- +goose Down
DROP TABLE event_counter;
DROP TABLE events;
DROP TABLE registrations;
DROP TABLE message_ids;
DROP TABLE raw_messages;
DROP TABLE messages;
DROP TABLE transitions;
DROP TABLE interactions;
DROP TABLE locations;
DROP TABLE mailboxes;
DROP TABLE leases;
DROP TABLE account_counters;
DROP TABLE account_status;
DROP TABLE accounts;
DROP TABLE queue_members;
DROP TABLE queues;
DROP TABLE sessions;
DROP TABLE password_history;
DROP TABLE credentials;
DROP TABLE presence;
DROP TABLE agents;
DROP TABLE extension_floors;
DROP TABLE extensions;
DROP TABLE centers;
