-- Contacts that agents change.

-- +goose Up

ALTER TABLE contacts ADD COLUMN version BIGINT NOT NULL DEFAULT 1;

-- +goose Down
ALTER TABLE contacts DROP COLUMN version;
