-- Copies of products, newest version wins. Version 0: no product event came yet, what the first stock event carried stands in.
CREATE TABLE product (
    id uuid PRIMARY KEY,
    version bigint NOT NULL,
    sku text COLLATE "C" NOT NULL,
    name text NOT NULL,
    category text COLLATE "C" NOT NULL,
    min_stock bigint NOT NULL,
    archived boolean NOT NULL
);
CREATE INDEX product_sku ON product (sku);

-- What sales are added up over: a product at a location in a currency. A short number for it keeps facts and rollups narrow.
-- Born in the transaction of its first fact; never changed, never deleted.
CREATE TABLE series (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    product_id uuid NOT NULL REFERENCES product,
    location text COLLATE "C" NOT NULL,
    currency text COLLATE "C" NOT NULL,
    UNIQUE (product_id, location, currency)
);

-- One row a SALE or RETURN, in the order in which they came. A RETURN has quantity and amount below zero (its amount may be 0).
-- `version` is the stock stream's, so the key also says that no row of a stream counts twice.
CREATE TABLE fact (
    occurred_at timestamptz NOT NULL,
    version bigint NOT NULL,
    series integer NOT NULL,
    quantity integer NOT NULL CHECK (quantity <> 0),
    amount numeric NOT NULL,
    PRIMARY KEY (series, version)
);
CREATE INDEX fact_occurred_at ON fact (occurred_at);

-- The facts added up by day and by month in UTC, written in their transaction. A cell is written again while its day or month lasts;
-- the room left on each page keeps those updates away from the indexes.
CREATE TABLE sales_day (
    series integer NOT NULL,
    day date NOT NULL,
    units_sold bigint NOT NULL,
    units_returned bigint NOT NULL,
    sales bigint NOT NULL,
    revenue numeric NOT NULL,
    PRIMARY KEY (series, day)
) WITH (fillfactor = 80);
CREATE INDEX sales_day_day ON sales_day (day);

CREATE TABLE sales_month (
    series integer NOT NULL,
    month date NOT NULL,
    units_sold bigint NOT NULL,
    units_returned bigint NOT NULL,
    sales bigint NOT NULL,
    revenue numeric NOT NULL,
    PRIMARY KEY (series, month)
) WITH (fillfactor = 50);
