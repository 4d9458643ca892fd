-- The journal: one row an event, appended in the transaction that changes the state, under the stream's row lock. Never updated, never
-- deleted. `xid` is what readers page by; `id` orders them. Never raise the CACHE of this identity: a second session would then hand
-- out lower ids later, and a stream could be read out of order.
CREATE TABLE journal (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    stream text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    type text NOT NULL,
    partition_key text NOT NULL,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    traceparent text,
    data text NOT NULL,
    UNIQUE (stream, version)
);
CREATE INDEX journal_xid ON journal (xid);
