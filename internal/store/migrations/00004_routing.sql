-- Replies, their owners and the deadlines of both.

-- +goose Up

-- routing is what an account says about replies and time (JSON).
ALTER TABLE accounts ADD COLUMN routing TEXT NOT NULL DEFAULT '{}';

-- How long an offer waits before it is accepted on the agent's behalf, -1 = never.
ALTER TABLE agents ADD COLUMN auto_answer BIGINT NOT NULL DEFAULT -1;

-- Why what waits in the queue was not looked at; empty when it was.
ALTER TABLE queues ADD COLUMN wait_detail TEXT NOT NULL DEFAULT '';

-- precedence 0 waits before 1 in a queue; for_agent is whom a queued interaction waits for, empty for any member; timers are its
-- deadlines (JSON) and timer_at is when routing must look at them, 0 = never; wait_detail is why it waits.
ALTER TABLE interactions ADD COLUMN precedence BIGINT NOT NULL DEFAULT 1;
ALTER TABLE interactions ADD COLUMN for_agent TEXT NOT NULL DEFAULT '';
ALTER TABLE interactions ADD COLUMN timers TEXT NOT NULL DEFAULT '{}';
ALTER TABLE interactions ADD COLUMN timer_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE interactions ADD COLUMN wait_detail TEXT NOT NULL DEFAULT '';
DROP INDEX interactions_waiting;
CREATE INDEX interactions_waiting ON interactions (namespace, queue, precedence, queued_at, id) WHERE state = 'Queued' AND for_agent = '';
CREATE INDEX interactions_wanted ON interactions (namespace, for_agent) WHERE for_agent <> '';
CREATE INDEX interactions_timer ON interactions (timer_at, namespace) WHERE timer_at > 0;

-- +goose Down
DROP INDEX interactions_timer;
DROP INDEX interactions_wanted;
DROP INDEX interactions_waiting;
CREATE INDEX interactions_waiting ON interactions (namespace, queue, queued_at, id) WHERE state = 'Queued';
ALTER TABLE interactions DROP COLUMN wait_detail;
ALTER TABLE interactions DROP COLUMN timer_at;
ALTER TABLE interactions DROP COLUMN timers;
ALTER TABLE interactions DROP COLUMN for_agent;
ALTER TABLE interactions DROP COLUMN precedence;
ALTER TABLE queues DROP COLUMN wait_detail;
ALTER TABLE agents DROP COLUMN auto_answer;
ALTER TABLE accounts DROP COLUMN routing;
