-- Time for what is left to do after an interaction.

-- +goose Up

-- How long who closes or transfers an interaction of the queue gets nothing from queues.
ALTER TABLE queues ADD COLUMN wrap_up_time BIGINT NOT NULL DEFAULT 0;

-- Until when an agent gets nothing from queues; a time that has passed means nothing.
CREATE TABLE wrap_ups (
  namespace TEXT   NOT NULL,
  agent     TEXT   NOT NULL,
  until_at  BIGINT NOT NULL,
  PRIMARY KEY (namespace, agent)
);

-- +goose Down
DROP TABLE wrap_ups;
ALTER TABLE queues DROP COLUMN wrap_up_time;
