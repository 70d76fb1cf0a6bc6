-- Logos of accounts that were fetched by their addresses.

-- +goose Up

CREATE TABLE logos (
  namespace TEXT  NOT NULL,
  account   TEXT  NOT NULL,
  url       TEXT  NOT NULL,
  content   BYTEA NOT NULL,
  PRIMARY KEY (namespace, account)
);

-- +goose Down
DROP TABLE logos;
