-- What pgbench writes to: Stock's own tables as one would draw them by hand, with the columns and the indexes of its level, its ledger and
-- its idempotency keys, the partition of the week included.
CREATE TABLE level (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    product_id uuid NOT NULL,
    location text COLLATE "C" NOT NULL,
    on_hand bigint NOT NULL DEFAULT 0 CHECK (on_hand >= 0),
    reserved bigint NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    version bigint NOT NULL DEFAULT 0,
    recorded_at timestamptz NOT NULL DEFAULT 'epoch',
    product_version bigint NOT NULL,
    archived boolean NOT NULL,
    min_stock bigint NOT NULL,
    UNIQUE (product_id, location)
) WITH (fillfactor = 50);

CREATE TYPE row_kind AS ENUM ('SALE', 'RESTOCK', 'RETURN', 'WRITE_OFF', 'COUNT', 'TRANSFER_OUT', 'TRANSFER_IN', 'THRESHOLD');

CREATE TABLE ledger (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    level_id bigint NOT NULL,
    version bigint NOT NULL CHECK (version > 0),
    kind row_kind NOT NULL,
    change_id uuid,
    quantity bigint,
    delta bigint NOT NULL,
    delta_reserved bigint NOT NULL,
    on_hand bigint NOT NULL CHECK (on_hand >= 0),
    reserved bigint NOT NULL CHECK (reserved >= 0),
    product_version bigint NOT NULL,
    unit_price numeric(16, 4),
    reason text,
    reference text,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    UNIQUE (level_id, version)
);
CREATE INDEX ledger_xid ON ledger (xid);
CREATE INDEX ledger_reference ON ledger (reference, id) WHERE reference IS NOT NULL;

CREATE TABLE idempotency_key (
    key uuid NOT NULL,
    week date NOT NULL,
    request_hash bytea NOT NULL,
    status smallint NOT NULL,
    body bytea,
    location text,
    etag text,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (key, week)
) PARTITION BY RANGE (week);
CREATE TABLE idempotency_key_now PARTITION OF idempotency_key FOR VALUES FROM (MINVALUE) TO (MAXVALUE);

INSERT INTO level (product_id, location, on_hand, product_version, archived, min_stock)
SELECT gen_random_uuid(), 'default', 1000000000, 1, false, 0 FROM generate_series(1, 10000);
