-- What an agent may do and see at the desk, and what the client is to log: JSON documents, empty for none.

-- +goose Up
ALTER TABLE agents ADD COLUMN permissions BYTEA NOT NULL DEFAULT '';
ALTER TABLE agents ADD COLUMN client_logs BYTEA NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE agents DROP COLUMN client_logs;
ALTER TABLE agents DROP COLUMN permissions;
