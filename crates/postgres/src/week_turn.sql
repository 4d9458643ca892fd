-- Keys are unique within a week's partition. Where two transactions may lie in two weeks, because one of them began within five minutes of the
-- turn, whoever reads keys also locks them, in the order of their numbers: the one who waited then reads what the other has written. VOLATILE,
-- so that the read has a snapshot of its own, taken after the locks.
CREATE OR REPLACE FUNCTION idempotency_key_read(keys uuid[]) RETURNS SETOF idempotency_key LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    IF idempotency_key_week(now() - interval '5 minutes') <> idempotency_key_week(now() + interval '5 minutes') THEN
        PERFORM idempotency_key_lock(keys);
    END IF;
    RETURN QUERY SELECT k.* FROM idempotency_key k
        WHERE k.key = ANY (keys)
          AND k.week BETWEEN idempotency_key_week(now()) - 7 AND idempotency_key_week(now()) + 7
          AND k.created_at > now() - interval '7 days';
END
$$;

-- Locks keys to the end of the transaction, by the first half of each, as `claim` does.
CREATE FUNCTION idempotency_key_lock(keys uuid[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    number bigint;
BEGIN
    FOR number IN SELECT DISTINCT ('x' || left(replace(k::text, '-', ''), 16))::bit(64)::bigint AS n FROM unnest(keys) k ORDER BY n LOOP
        PERFORM pg_advisory_xact_lock(number);
    END LOOP;
END
$$;
