-- What sending dead letters on to a broker needs: the message as it came (of an event the row has it already), where it lay, and whether it
-- was sent.
ALTER TABLE dead_letter
    ADD COLUMN partition integer,
    ADD COLUMN "offset" bigint,
    ADD COLUMN key bytea,
    ADD COLUMN header_names text[],
    ADD COLUMN header_values bytea[],
    ADD COLUMN bytes bytea,
    ADD COLUMN posted_at timestamptz;
CREATE INDEX dead_letter_unposted ON dead_letter (created_at, id) WHERE posted_at IS NULL;
