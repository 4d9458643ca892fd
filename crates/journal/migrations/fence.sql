-- How far this service has applied each stream. `recorded_at` is that of the last event: a version given a second time after a restore
-- is told by it.
CREATE TABLE applied (
    stream text COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT 'epoch',
    parked boolean NOT NULL DEFAULT false
) WITH (fillfactor = 50);
CREATE INDEX applied_parked ON applied (stream) WHERE parked;

-- What could not be applied. One open letter a stream: it is parked there until a retry goes through.
CREATE TABLE dead_letter (
    id uuid PRIMARY KEY,
    stream text COLLATE "C",
    version bigint,
    topic text,
    reason text NOT NULL CHECK (reason IN ('gap', 'broken', 'rewritten', 'alien')),
    error text NOT NULL,
    event text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    retried_at timestamptz,
    resolved_at timestamptz
);
CREATE UNIQUE INDEX dead_letter_open ON dead_letter (stream) WHERE resolved_at IS NULL AND stream IS NOT NULL;
CREATE INDEX dead_letter_newest ON dead_letter (created_at DESC, id DESC);
