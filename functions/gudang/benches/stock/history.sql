-- A past for every product: a restock and then sales of one unit, :versions rows each, and :hot times as many of load-hot; told over 300 days,
-- the products taking turns. Each hundredth sale is dated back by three days.
INSERT INTO level (product_id, location, on_hand, version, recorded_at, product_version, archived, min_stock, occurred_at)
SELECT product_id, 'default', 1000000001 - rows, rows, day_one + interval '300 days', 1, false, 0, day_one + interval '300 days'
FROM (SELECT product_id, CASE WHEN sku = 'load-hot' THEN :hot ELSE 1 END * :versions AS rows, timestamptz '2025-01-01' AS day_one FROM product) p;

-- In many transactions, as the ledger's index on their numbers has it.
DO $$
BEGIN
    PERFORM set_config('synchronous_commit', 'off', false);
    FOR turn IN 1..:versions LOOP
        INSERT INTO ledger (level_id, version, kind, change_id, quantity, delta, delta_reserved, on_hand, reserved, product_version,
            occurred_at, recorded_at, occurred_max)
        SELECT id, v, CASE WHEN v = 1 THEN 'RESTOCK' ELSE 'SALE' END::row_kind, gen_random_uuid(),
            CASE WHEN v = 1 THEN 1000000000 ELSE 1 END, CASE WHEN v = 1 THEN 1000000000 ELSE -1 END, 0, 1000000001 - v, 0, 1,
            CASE WHEN v % 100 = 0 THEN told - interval '3 days' ELSE told END, told, CASE WHEN v % 100 = 0 THEN told - step END
        FROM (
            SELECT id, v, interval '300 days' / rows AS step, timestamptz '2025-01-01' + interval '300 days' / rows * v AS told
            FROM (SELECT id, version AS rows, version / :versions AS share FROM level) l
            CROSS JOIN LATERAL generate_series((turn - 1) * share + 1, turn * share) v
        ) r;
        COMMIT;
    END LOOP;
END $$;
