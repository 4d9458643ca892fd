-- One row: who leads this database. The epoch rises whenever the leader changes and fences a leader that was frozen and came back.
CREATE TABLE lease (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    holder text NOT NULL DEFAULT '',
    epoch bigint NOT NULL DEFAULT 0,
    until timestamptz NOT NULL DEFAULT 'epoch'
);
INSERT INTO lease DEFAULT VALUES;
