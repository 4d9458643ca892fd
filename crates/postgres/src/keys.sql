-- Idempotency keys, kept for 7 days in partitions of a week (Mondays, UTC), so that forgetting them is a DROP and never a DELETE.
CREATE TABLE idempotency_key (
    key          uuid        NOT NULL,               -- the first 16 bytes of SHA-256 of the key's text
    week         date        NOT NULL,               -- the Monday of the transaction that wrote it
    request_hash bytea       NOT NULL,               -- SHA-256 of method, path and body
    status       smallint    NOT NULL,               -- 0: claimed, answer not stored yet; never seen by another transaction
    body         bytea,
    location     text,
    etag         text,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (key, week)
) PARTITION BY RANGE (week);

-- The Monday in which a moment lies.
CREATE FUNCTION idempotency_key_week(moment timestamptz) RETURNS date LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT date_trunc('week', moment AT TIME ZONE 'UTC')::date
$$;

-- The rows of keys used within 7 days. A transaction that began before the week turned may read what one that began after it has written, so
-- next week's partition is asked too. A function for the sake of its settings: a cached plan made while the partition of the week was small reads
-- all of it, and still does so 300,000 rows later, until the next ANALYZE (seen: 1 s instead of 4 ms for 1,000 keys).
CREATE FUNCTION idempotency_key_read(keys uuid[]) RETURNS SETOF idempotency_key LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN QUERY SELECT k.* FROM idempotency_key k
        WHERE k.key = ANY (keys)
          AND k.week BETWEEN idempotency_key_week(now()) - 7 AND idempotency_key_week(now()) + 7
          AND k.created_at > now() - interval '7 days';
END
$$;

-- Makes the partition of one week. Made aside and then attached: that waits for no reader and no writer.
CREATE FUNCTION idempotency_key_partition(monday date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    partition text := 'idempotency_key_' || to_char(monday, 'YYYYMMDD');
BEGIN
    IF to_regclass(partition) IS NULL THEN
        EXECUTE format('CREATE TABLE %I (LIKE idempotency_key INCLUDING ALL)', partition);
        EXECUTE format('ALTER TABLE idempotency_key ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', partition, monday, monday + 7);
    END IF;
END
$$;

-- Makes the partitions of this week and the 8 after it, and drops those whose newest possible key is older than 7 days. One at a time
-- does it. Dropping locks the whole table: where that is not to be had at once it is left to the next time.
CREATE FUNCTION idempotency_key_maintain() RETURNS void LANGUAGE plpgsql SET lock_timeout = '2s' AS $$
DECLARE
    this_week date := idempotency_key_week(now());
    partition text;
BEGIN
    PERFORM pg_advisory_xact_lock(7239015563441018);
    FOR ahead IN 0..8 LOOP
        PERFORM idempotency_key_partition(this_week + 7 * ahead);
    END LOOP;
    PERFORM set_config('lock_timeout', '200ms', true);
    FOR partition IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'idempotency_key'::regclass
          AND to_date(right(c.relname, 8), 'YYYYMMDD') + 14 < (now() AT TIME ZONE 'UTC')::date
        ORDER BY c.relname
    LOOP
        BEGIN
            EXECUTE format('DROP TABLE %I', partition);
        EXCEPTION WHEN lock_not_available THEN
            RAISE LOG 'partition % is in use and stays until the next time', partition;
        END;
    END LOOP;
END
$$;

SELECT idempotency_key_maintain();
