-- What the two parts without Gudang write to. `sold` takes the file as it is. The others are what one would draw for a stock with a ledger:
-- the columns and the indexes of Stock's own, keys of idempotency in one plain table.
CREATE TABLE sold (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    invoice text NOT NULL,
    sku text COLLATE "C" NOT NULL,
    description text,
    quantity bigint NOT NULL,
    occurred_at timestamptz NOT NULL,
    unit_price numeric(16, 4) NOT NULL,
    customer text,
    country text
);
CREATE INDEX sold_sku ON sold (sku, occurred_at);

CREATE TABLE level (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sku text COLLATE "C" NOT NULL UNIQUE,
    on_hand bigint NOT NULL CHECK (on_hand >= 0),
    version bigint NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE ledger (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    level_id bigint NOT NULL,
    version bigint NOT NULL,
    kind text NOT NULL,
    change_id uuid NOT NULL,
    quantity bigint NOT NULL,
    delta bigint NOT NULL,
    on_hand bigint NOT NULL,
    unit_price numeric(16, 4),
    reference text,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (level_id, version)
);
CREATE INDEX ledger_xid ON ledger (xid);
CREATE INDEX ledger_reference ON ledger (reference, id) WHERE reference IS NOT NULL;

CREATE TABLE idempotency_key (
    key uuid PRIMARY KEY,
    request_hash bytea NOT NULL,
    status smallint NOT NULL,
    body bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
