-- Lists of who wrote to the accounts.

-- +goose Up

CREATE TABLE contact_lists (
  namespace    TEXT NOT NULL,
  name         TEXT NOT NULL,
  display_name TEXT NOT NULL,
  PRIMARY KEY (namespace, name)
);

-- known_by is the address in lower case.
CREATE TABLE contacts (
  id         TEXT   NOT NULL PRIMARY KEY,
  namespace  TEXT   NOT NULL,
  list       TEXT   NOT NULL,
  known_by   TEXT   NOT NULL,
  address    TEXT   NOT NULL,
  name       TEXT   NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX contacts_known_by ON contacts (namespace, list, known_by);
CREATE INDEX contacts_list ON contacts (namespace, list, id);

ALTER TABLE accounts ADD COLUMN contact_list TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE accounts DROP COLUMN contact_list;
DROP TABLE contacts;
DROP TABLE contact_lists;
