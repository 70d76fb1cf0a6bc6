-- How far a mailbox was looked through, mails that are taken again, and what is recorded and wanted of \Seen.

-- +goose Up

-- From watermark_uid on every mail is looked at, seen or not; 0 = only unseen ones.
ALTER TABLE mailboxes ADD COLUMN watermark_uid BIGINT NOT NULL DEFAULT 0;

-- sequence counts how often a content was taken again.
ALTER TABLE messages ADD COLUMN sequence BIGINT NOT NULL DEFAULT 0;
DROP INDEX messages_content;
CREATE UNIQUE INDEX messages_content ON messages (namespace, account, sha256, sequence) WHERE sha256 <> '';

CREATE INDEX locations_message ON locations (message_id) WHERE message_id <> '';

-- state is Seen or Unseen when that is how the server has it, MarkSeen or MarkUnseen when it is to be made so. A mail without a row is
-- not known to be seen. interaction_id is that of an agent's mark.
CREATE TABLE mail_flags (
  namespace      TEXT   NOT NULL,
  account        TEXT   NOT NULL,
  mailbox        TEXT   NOT NULL,
  uid_validity   BIGINT NOT NULL,
  uid            BIGINT NOT NULL,
  state          TEXT   NOT NULL,
  interaction_id TEXT   NOT NULL,
  PRIMARY KEY (namespace, account, mailbox, uid_validity, uid)
);
CREATE INDEX mail_flags_wanted ON mail_flags (namespace, account, mailbox, uid_validity) WHERE state IN ('MarkSeen', 'MarkUnseen');
CREATE INDEX mail_flags_interaction ON mail_flags (interaction_id) WHERE interaction_id <> '';

-- +goose Down
DROP TABLE mail_flags;
DROP INDEX locations_message;
-- What was taken again keeps its message; only the key of its content goes.
UPDATE messages SET sha256 = '' WHERE sequence > 0;
DROP INDEX messages_content;
CREATE UNIQUE INDEX messages_content ON messages (namespace, account, sha256) WHERE sha256 <> '';
ALTER TABLE messages DROP COLUMN sequence;
ALTER TABLE mailboxes DROP COLUMN watermark_uid;
