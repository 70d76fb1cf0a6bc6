-- The event streams that agents' clients have open, and the last one that ended.

-- +goose Up

-- lease is held while the process that serves the stream lives; ended is 0 while it is open.
CREATE TABLE streams (
  id        TEXT   NOT NULL PRIMARY KEY,
  namespace TEXT   NOT NULL,
  agent     TEXT   NOT NULL,
  lease     TEXT   NOT NULL,
  ended     BIGINT NOT NULL
);
CREATE INDEX streams_agent ON streams (namespace, agent);

-- +goose Down
DROP TABLE streams;
