-- Products. Never deleted: an archived one keeps its history and its SKU. `version` is the number of its rows in the journal.
CREATE TABLE product (
    id uuid PRIMARY KEY,
    sku text COLLATE "C" NOT NULL UNIQUE,
    name text NOT NULL,
    category text COLLATE "C" NOT NULL,
    description text,
    price numeric(16, 4) CHECK (price >= 0),
    currency text NOT NULL,
    min_stock bigint NOT NULL CHECK (min_stock >= 0),
    attributes jsonb NOT NULL,
    archived boolean NOT NULL,
    version bigint NOT NULL CHECK (version > 0),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
) WITH (fillfactor = 85);

-- Lists are oldest first. Most products are active, so these two serve `active` and `all` alike; the third finds the few archived ones.
CREATE INDEX product_oldest ON product (created_at, id);
CREATE INDEX product_category_oldest ON product (category, created_at, id);
CREATE INDEX product_archived_oldest ON product (created_at, id) WHERE archived;

-- The last known stock of a product at a location: a copy of Stock's levels, kept by its events. Absolute, so the newest wins.
CREATE TABLE product_stock (
    product_id uuid NOT NULL,
    location text COLLATE "C" NOT NULL,
    on_hand bigint NOT NULL,
    reserved bigint NOT NULL,
    version bigint NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (product_id, location)
) WITH (fillfactor = 50);
