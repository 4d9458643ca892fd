-- Reservations. A hold is one line of one: it promises units of one level and ends alone, in its level's stream. It changes only under the
-- lock of its level, so a reservation, whose lines may lie in several levels, changes under the locks of all of them.
CREATE TABLE reservation (
    id uuid PRIMARY KEY,
    reference text,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    -- Whether it still stands is the clock's affair: it has expired when it is ACTIVE and `expires_at` has come.
    state text NOT NULL CHECK (state IN ('ACTIVE', 'CONFIRMED', 'RELEASED')),
    resolved_at timestamptz,
    CHECK ((state = 'ACTIVE') = (resolved_at IS NULL))
) WITH (fillfactor = 80);

CREATE TABLE hold (
    reservation_id uuid NOT NULL,
    line integer NOT NULL,
    level_id bigint NOT NULL,
    quantity bigint NOT NULL CHECK (quantity > 0),
    expires_at timestamptz NOT NULL,
    -- Counted in its level's `reserved`: not confirmed, released or found expired yet.
    counted boolean NOT NULL DEFAULT true,
    -- The version of the SALE that it became.
    sale_version bigint,
    PRIMARY KEY (reservation_id, line)
) WITH (fillfactor = 80);
-- What is counted is few: these two stay small whatever the past holds.
CREATE INDEX hold_of_level ON hold (level_id, expires_at) WHERE counted;
CREATE INDEX hold_by_expiry ON hold (expires_at) WHERE counted;

-- `next_expiry`: no hold of this level expires before it (it may be too early, never too late). `occurred_at`: the latest time at which
-- one of its movements occurred.
ALTER TABLE level ADD COLUMN next_expiry timestamptz, ADD COLUMN occurred_at timestamptz;

-- The level as it answers now: without the holds that have lapsed, whether the ledger has a row of that already or not.
CREATE VIEW level_now AS
SELECT id, product_id, location, on_hand, version,
    reserved - CASE WHEN next_expiry <= now()
        THEN (SELECT coalesce(sum(h.quantity), 0)::bigint FROM hold h WHERE h.level_id = l.id AND h.counted AND h.expires_at <= now())
        ELSE 0 END AS reserved
FROM level l;

-- The latest time at which a movement of the stream had occurred when this row was written; absent where that is the row's own
-- `occurred_at`. So `coalesce(occurred_max, occurred_at)` never falls along a stream, and the stock at any time is found by halving: the last
-- row up to which everything had occurred, and then the few rows behind it that were dated back.
ALTER TABLE ledger ADD COLUMN occurred_max timestamptz;
UPDATE level l SET occurred_at = m.occurred_at
FROM (SELECT level_id, max(occurred_at) AS occurred_at FROM ledger WHERE kind < 'THRESHOLD' GROUP BY level_id) m WHERE m.level_id = l.id;
UPDATE ledger j SET occurred_max = m.occurred_max
FROM (SELECT id, max(occurred_at) FILTER (WHERE kind < 'THRESHOLD') OVER (PARTITION BY level_id ORDER BY version) AS occurred_max FROM ledger) m
WHERE m.id = j.id AND m.occurred_max <> j.occurred_at;
CREATE INDEX ledger_dated_back ON ledger (level_id, occurred_at) INCLUDE (version, delta) WHERE occurred_max IS NOT NULL AND delta <> 0;
