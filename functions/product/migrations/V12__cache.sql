-- The generation of everything that processes keep of products in Redis: part of every key there, so that another one puts all of it out of
-- reach. It is renewed when a change could not be told to Redis. One row.
CREATE TABLE cache_generation (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    generation uuid NOT NULL DEFAULT gen_random_uuid()
);

INSERT INTO cache_generation DEFAULT VALUES;
