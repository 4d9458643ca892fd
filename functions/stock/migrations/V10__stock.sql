-- What Stock knows of products, from product-events. `product` is the newest copy, found by id and by SKU; its row lock comes before the
-- locks of levels everywhere. `product_version` keeps each copy that was in force, so that a ledger row can name the one it was judged
-- under, and an event made again years later says what it said the first time.
CREATE TABLE product (
    product_id uuid PRIMARY KEY,
    sku text COLLATE "C" NOT NULL UNIQUE,
    version bigint NOT NULL,
    archived boolean NOT NULL,
    min_stock bigint NOT NULL CHECK (min_stock >= 0)
) WITH (fillfactor = 80);

CREATE TABLE product_version (
    product_id uuid NOT NULL,
    version bigint NOT NULL,
    name text NOT NULL,
    category text NOT NULL,
    price numeric(16, 4),
    currency text NOT NULL,
    min_stock bigint NOT NULL,
    archived boolean NOT NULL,
    PRIMARY KEY (product_id, version)
);

-- One product at one location: the row whose lock orders everything that happens to it. No index on what changes, and room in each page,
-- so that updates stay on their page (HOT). `min_stock` is the threshold in force: 0 while the product is archived.
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

CREATE TYPE row_kind AS ENUM (
    'SALE', 'RESTOCK', 'RETURN', 'WRITE_OFF', 'COUNT', 'TRANSFER_OUT', 'TRANSFER_IN',
    'THRESHOLD', 'RESERVED', 'RELEASED', 'EXPIRED'
);

-- The ledger, which is also the journal: one row for everything that ever happened to a level, never updated, never deleted. `xid` is what
-- readers page by; `id` orders them (never raise this identity's CACHE: ids must rise in the order of the locks).
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
    UNIQUE (level_id, version),
    CHECK (CASE WHEN kind < 'THRESHOLD' THEN change_id IS NOT NULL AND quantity IS NOT NULL ELSE delta = 0 END)
);
CREATE INDEX ledger_xid ON ledger (xid);
CREATE INDEX ledger_reference ON ledger (reference, id) WHERE reference IS NOT NULL;
