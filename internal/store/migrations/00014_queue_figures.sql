-- Which queue comes first, and how quickly interactions are accepted.

-- +goose Up

-- service_level is the wait that is still good, 0 = none is set.
ALTER TABLE queues ADD COLUMN weight BIGINT NOT NULL DEFAULT 0;
ALTER TABLE queues ADD COLUMN service_level BIGINT NOT NULL DEFAULT 0;

-- What was accepted from the queue in the hour that begins at hour_at: how many, how long they had waited in all, and how many of them within the
-- service level. Kept for a day.
CREATE TABLE queue_figures (
  namespace TEXT   NOT NULL,
  queue     TEXT   NOT NULL,
  hour_at   BIGINT NOT NULL,
  accepted  BIGINT NOT NULL,
  waited    BIGINT NOT NULL,
  in_time   BIGINT NOT NULL,
  PRIMARY KEY (namespace, queue, hour_at)
);

-- +goose Down
DROP TABLE queue_figures;
ALTER TABLE queues DROP COLUMN service_level;
ALTER TABLE queues DROP COLUMN weight;
