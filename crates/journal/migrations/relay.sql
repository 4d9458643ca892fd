-- Points in the journal's life: what was visible at a tick. Readers page through the difference between two of them.
-- '3:3:' is the snapshot that sees nothing: 3 is the first transaction id a cluster hands out to users.
CREATE TABLE journal_tick (
    tick bigint PRIMARY KEY,
    snapshot pg_snapshot NOT NULL,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO journal_tick (tick, snapshot) VALUES (0, '3:3:');

-- How far an outlet has come: everything seen by `tick`, and of what `upto` sees beyond it, the rows up to `id`.
CREATE TABLE journal_cursor (
    name text PRIMARY KEY,
    tick bigint NOT NULL DEFAULT 0,
    upto bigint NOT NULL DEFAULT 0,
    id bigint NOT NULL DEFAULT 0,
    epoch bigint NOT NULL
) WITH (fillfactor = 50);

-- The cluster whose transaction ids the journal and its ticks are written in. A dump that was restored elsewhere has ids of another cluster.
CREATE TABLE journal_cluster (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    system_identifier bigint NOT NULL
);
INSERT INTO journal_cluster (system_identifier) SELECT system_identifier FROM pg_control_system();
