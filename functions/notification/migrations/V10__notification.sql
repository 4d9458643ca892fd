-- Products as their newest event had them: for filtering by SKU and for the books. The episode machine does not look here.
CREATE TABLE product (
    id uuid PRIMARY KEY,
    sku text COLLATE "C" NOT NULL,
    name text NOT NULL,
    min_stock bigint NOT NULL,
    archived boolean NOT NULL,
    version bigint NOT NULL
);
CREATE INDEX product_sku ON product (sku);

-- The episode machine of each stock stream, and the head of the stream of notifications that comes of it. Written with every batch that
-- moves the stream, so no index stands on what changes.
CREATE TABLE watch (
    stream text COLLATE "C" PRIMARY KEY,
    available bigint NOT NULL,
    min_stock bigint NOT NULL CHECK (min_stock BETWEEN 0 AND 1000000000),
    state smallint NOT NULL CHECK (state BETWEEN 0 AND 2),      -- 0 ok, 1 low, 2 has been out; of the open episode
    episodes bigint NOT NULL CHECK (episodes >= 0),             -- the number of the open episode, else of the last one
    journal_version bigint NOT NULL,                            -- the journal's version of this stream; gapless
    journal_recorded_at timestamptz NOT NULL                    -- of that version; never goes back
) WITH (fillfactor = 50);

-- An alert of one episode. The constraint is the promise: one of a kind an episode, whoever delivers the events and how often.
CREATE TABLE notification (
    id uuid PRIMARY KEY,
    stream text COLLATE "C" NOT NULL,
    episode bigint NOT NULL,
    kind text NOT NULL CHECK (kind IN ('LOW_STOCK', 'OUT_OF_STOCK', 'BACK_IN_STOCK')),
    product_id uuid NOT NULL,
    sku text COLLATE "C" NOT NULL,
    name text NOT NULL,
    location text NOT NULL,
    available bigint NOT NULL,
    min_stock bigint NOT NULL CHECK (min_stock BETWEEN 0 AND 1000000000),
    raised_at timestamptz NOT NULL,
    resolved_at timestamptz,
    acknowledged_at timestamptz,
    UNIQUE (stream, episode, kind)
);
CREATE INDEX notification_newest ON notification (raised_at DESC, id DESC);
CREATE INDEX notification_newest_open ON notification (raised_at DESC, id DESC) WHERE resolved_at IS NULL;
CREATE INDEX notification_of_product ON notification (product_id, raised_at DESC, id DESC);

-- One notification on one channel. A claim numbers the one who may say what became of it; a lease lets another try when that one died.
CREATE TABLE delivery (
    notification_id uuid NOT NULL,
    channel text COLLATE "C" NOT NULL,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'delivered', 'dead')),
    attempts integer NOT NULL DEFAULT 0,
    step integer NOT NULL DEFAULT 0,                            -- attempts since it was raised or last redelivered
    next_attempt_at timestamptz CHECK ((next_attempt_at IS NULL) = (status <> 'pending')),
    leased_until timestamptz,
    claim bigint NOT NULL DEFAULT 0,
    last_error text,
    PRIMARY KEY (notification_id, channel)
) WITH (fillfactor = 70);
CREATE INDEX delivery_due ON delivery (channel, next_attempt_at) WHERE status = 'pending';

-- What became of each attempt.
CREATE TABLE delivery_attempt (
    notification_id uuid NOT NULL,
    channel text COLLATE "C" NOT NULL,
    number integer NOT NULL,
    at timestamptz NOT NULL,
    error text,
    http_status integer,
    PRIMARY KEY (notification_id, channel, number)
);
