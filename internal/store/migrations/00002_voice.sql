-- Telephones and who sits at them, call forwarding, calls and what agents ask of them, and voicemail counts.

-- +goose Up

-- The kind of client a session belongs to, and the kind that last changed an agent's presence ('' = none did).
ALTER TABLE sessions ADD COLUMN client TEXT NOT NULL DEFAULT 'Other';
ALTER TABLE presence ADD COLUMN source TEXT NOT NULL DEFAULT '';

-- Reports of PBXes name agents by extension.
CREATE INDEX agents_extension ON agents (namespace, extension);

CREATE TABLE telephones (
  namespace    TEXT NOT NULL,
  name         TEXT NOT NULL,
  display_name TEXT NOT NULL,
  username     TEXT NOT NULL,
  labels       TEXT NOT NULL,
  PRIMARY KEY (namespace, name)
);

-- One agent at a telephone, one telephone for an agent.
CREATE TABLE seats (
  namespace TEXT   NOT NULL,
  telephone TEXT   NOT NULL,
  agent     TEXT   NOT NULL,
  since     BIGINT NOT NULL,
  PRIMARY KEY (namespace, telephone)
);
CREATE UNIQUE INDEX seats_agent ON seats (namespace, agent);

CREATE TABLE forwards (
  namespace TEXT   NOT NULL,
  agent     TEXT   NOT NULL,
  number    TEXT   NOT NULL,
  since     BIGINT NOT NULL,
  PRIMARY KEY (namespace, agent)
);

-- A row is one leg: the call of one agent's channel. number and name are those of the other party; recordings is a list.
CREATE TABLE calls (
  id          TEXT    NOT NULL PRIMARY KEY,
  namespace   TEXT    NOT NULL,
  pbx         TEXT    NOT NULL,
  uniqueid    TEXT    NOT NULL,
  linked_id   TEXT    NOT NULL,
  agent       TEXT    NOT NULL,
  extension   TEXT    NOT NULL,
  direction   TEXT    NOT NULL,
  number      TEXT    NOT NULL,
  name        TEXT    NOT NULL,
  queue       TEXT    NOT NULL,
  state       TEXT    NOT NULL,
  started_at  BIGINT  NOT NULL,
  answered_at BIGINT  NOT NULL,
  ended_at    BIGINT  NOT NULL,
  recording   TEXT    NOT NULL,
  recordings  TEXT    NOT NULL,
  missed      BOOLEAN NOT NULL,
  updated_at  BIGINT  NOT NULL
);
CREATE UNIQUE INDEX calls_leg ON calls (namespace, pbx, uniqueid);
CREATE INDEX calls_agent ON calls (namespace, agent, id);
CREATE INDEX calls_active ON calls (namespace, pbx) WHERE state <> 'Ended';
CREATE INDEX calls_linked ON calls (namespace, pbx, linked_id);
CREATE INDEX calls_updated ON calls (updated_at);

-- claimed_at and done_at are 0 until then.
CREATE TABLE call_commands (
  id           TEXT   NOT NULL PRIMARY KEY,
  namespace    TEXT   NOT NULL,
  call_id      TEXT   NOT NULL,
  verb         TEXT   NOT NULL,
  requested_by TEXT   NOT NULL,
  requested_at BIGINT NOT NULL,
  claimed_at   BIGINT NOT NULL,
  done_at      BIGINT NOT NULL,
  outcome      TEXT   NOT NULL,
  detail       TEXT   NOT NULL
);
CREATE INDEX call_commands_waiting ON call_commands (id) WHERE claimed_at = 0 AND done_at = 0;

CREATE TABLE voicemail (
  namespace TEXT   NOT NULL,
  pbx       TEXT   NOT NULL,
  extension TEXT   NOT NULL,
  unread    BIGINT NOT NULL,
  heard     BIGINT NOT NULL,
  PRIMARY KEY (namespace, pbx, extension)
);
CREATE INDEX voicemail_extension ON voicemail (namespace, extension);

-- +goose Down
DROP TABLE voicemail;
DROP TABLE call_commands;
DROP TABLE calls;
DROP TABLE forwards;
DROP TABLE seats;
DROP TABLE telephones;
DROP INDEX agents_extension;
ALTER TABLE presence DROP COLUMN source;
ALTER TABLE sessions DROP COLUMN client;
