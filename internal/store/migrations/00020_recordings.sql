-- Parts of recordings on their way from a PBX to a desk, and who downloaded recordings.

-- +goose Up

-- claimed_at and done_at are 0 until then. file counts the recordings of the call from 0; content is what was read from start on, of length bytes at most.
CREATE TABLE recording_reads (
  id           TEXT   NOT NULL PRIMARY KEY,
  namespace    TEXT   NOT NULL,
  call_id      TEXT   NOT NULL,
  file         BIGINT NOT NULL,
  start        BIGINT NOT NULL,
  length       BIGINT NOT NULL,
  requested_at BIGINT NOT NULL,
  claimed_at   BIGINT NOT NULL,
  done_at      BIGINT NOT NULL,
  outcome      TEXT   NOT NULL,
  size         BIGINT NOT NULL,
  changed_at   BIGINT NOT NULL,
  content      BYTEA
);
CREATE INDEX recording_reads_waiting ON recording_reads (id) WHERE claimed_at = 0 AND done_at = 0;

CREATE TABLE recording_downloads (
  id        TEXT   NOT NULL PRIMARY KEY,
  namespace TEXT   NOT NULL,
  call_id   TEXT   NOT NULL,
  file      BIGINT NOT NULL,
  agent     TEXT   NOT NULL,
  at        BIGINT NOT NULL
);
CREATE INDEX recording_downloads_call ON recording_downloads (call_id, id);

CREATE INDEX calls_recorded ON calls (namespace, id) WHERE recordings <> '[]';

-- +goose Down
DROP INDEX calls_recorded;
DROP TABLE recording_downloads;
DROP TABLE recording_reads;
