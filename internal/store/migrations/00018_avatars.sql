-- Pictures of agents.

-- +goose Up

CREATE TABLE avatars (
  namespace    TEXT  NOT NULL,
  agent        TEXT  NOT NULL,
  source       TEXT  NOT NULL,
  sha256       TEXT  NOT NULL,
  content_type TEXT  NOT NULL,
  content      BYTEA NOT NULL,
  PRIMARY KEY (namespace, agent)
);

-- +goose Down
DROP TABLE avatars;
