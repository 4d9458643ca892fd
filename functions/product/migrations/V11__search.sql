-- Search in PostgreSQL. pg_trgm is one of PostgreSQL's own extensions, and a database's owner may install it.
CREATE EXTENSION IF NOT EXISTS pg_trgm;

-- What is searched, one row a product, written in the transaction that changes the product or its copy of the stock. Texts are folded by the
-- service. `version` is the product's, `stock_version` the sum of its locations'.
CREATE TABLE search_document (
    product_id uuid PRIMARY KEY,
    sku text COLLATE "C" NOT NULL,
    sku_key text COLLATE "C" NOT NULL,
    name_key text COLLATE "C" NOT NULL,
    words tsvector NOT NULL,
    category text COLLATE "C" NOT NULL,
    min_stock bigint NOT NULL,
    archived boolean NOT NULL,
    version bigint NOT NULL,
    available bigint NOT NULL DEFAULT 0,
    stock_version bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 70);

-- None of them has a column that stock changes, so that stock changes touch the row alone. The GIN indexes keep no pending list: every search
-- would have to read it.
CREATE INDEX search_document_sku ON search_document (sku) WHERE NOT archived;
CREATE INDEX search_document_sku_key ON search_document (sku_key);
CREATE INDEX search_document_sku_part ON search_document USING gin (sku_key gin_trgm_ops) WITH (fastupdate = off);
CREATE INDEX search_document_words ON search_document USING gin (words) WITH (fastupdate = off);

-- Every word that a name ever had, to find what a mistyped word may mean. A word that no name has any more finds nothing.
CREATE TABLE search_word (word text COLLATE "C" PRIMARY KEY);
CREATE INDEX search_word_similar ON search_word USING gin (word gin_trgm_ops) WITH (fastupdate = off);

-- The words that look most like a mistyped one. Short words with swapped letters share few trigrams, so the threshold is low; who asks counts
-- the edits.
CREATE FUNCTION search_similar(mistyped text, most integer) RETURNS SETOF text LANGUAGE sql STABLE
    SET pg_trgm.similarity_threshold = 0.12
    AS $$ SELECT word FROM search_word WHERE word % mistyped ORDER BY similarity(word, mistyped) DESC, word LIMIT most $$;

-- Products whose document in an index outside of this database is older than here, each with the version that it must have there. Bounded by the
-- number of products; a row goes when that version has arrived.
CREATE TABLE search_stale (
    product_id uuid PRIMARY KEY,
    version bigint NOT NULL
) WITH (fillfactor = 50);

-- The indexes outside that are kept up to date: the one that answers, and one that is being built beside it.
CREATE TABLE search_target (
    name text PRIMARY KEY,
    live boolean NOT NULL
);
