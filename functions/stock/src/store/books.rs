//! Stock's books: what its levels and its ledger say, and what the ledger says that reports and alerts must be.
//!
//! `sales` and `alerts` are recomputed from the ledger in SQL, sharing nothing with the services that keep them: that is what makes their
//! agreement worth something.

use journal::books::{APPLIED_PRODUCTS, Account, Check, Keeper};

/// One pass over the levels.
const VERSIONS: Account = Account {
    name: "versions",
    sums: &[],
    sql: "SELECT product_id || '@' || location AS stream, version, '{}'::text[] AS sums FROM level WHERE version > 0",
};

/// One pass over the levels.
const STOCK: Account = Account {
    name: "stock",
    sums: &["on_hand", "reserved"],
    sql: "SELECT product_id || '@' || location AS stream, version, ARRAY[on_hand::text, reserved::text] AS sums FROM level WHERE version > 0",
};

/// One pass over the ledger, hashed by level.
const SALES: Account = Account {
    name: "sales",
    sums: &["units_sold", "units_returned", "sales", "revenue"],
    sql: "SELECT l.product_id || '@' || l.location AS stream, l.version, \
            ARRAY[coalesce(s.units_sold, 0)::text, coalesce(s.units_returned, 0)::text, coalesce(s.sales, 0)::text, \
                  trim_scale(coalesce(s.revenue, 0))::text] AS sums \
          FROM level l LEFT JOIN ( \
            SELECT j.level_id, sum(j.quantity) FILTER (WHERE j.kind = 'SALE') AS units_sold, \
              sum(j.quantity) FILTER (WHERE j.kind = 'RETURN') AS units_returned, count(*) FILTER (WHERE j.kind = 'SALE') AS sales, \
              sum(CASE j.kind WHEN 'SALE' THEN j.quantity ELSE -j.quantity END * coalesce(j.unit_price, v.price, 0)) AS revenue \
            FROM ledger j LEFT JOIN level k ON j.unit_price IS NULL AND k.id = j.level_id \
              LEFT JOIN product_version v ON v.product_id = k.product_id AND v.version = j.product_version \
            WHERE j.kind IN ('SALE', 'RETURN') GROUP BY j.level_id) s ON s.level_id = l.id \
          WHERE l.version > 0",
};

/// The episode machine as a question of which signal came last. Each row signals low (L), out (O), safe (S), switched off (Z) or, between
/// the minimum and the margin, nothing; an episode begins with an L or O that nothing or an S or Z stands before, and ends with the first
/// S or Z. Rows that repeat the signal before them are dropped early; what remains is few.
const ALERTS: Account = Account {
    name: "alerts",
    sums: &["available", "min_stock", "state", "episodes", "notifications"],
    sql: "WITH signals AS ( \
            SELECT j.level_id, j.version, CASE WHEN m.min_stock = 0 THEN 'Z' WHEN j.on_hand - j.reserved <= 0 THEN 'O' \
                WHEN j.on_hand - j.reserved < m.min_stock THEN 'L' \
                WHEN j.on_hand - j.reserved >= m.min_stock + greatest(1, (m.min_stock + 9) / 10) THEN 'S' END AS signal \
            FROM ledger j JOIN level l ON l.id = j.level_id \
              JOIN LATERAL (SELECT CASE WHEN v.archived THEN 0 ELSE v.min_stock END AS min_stock FROM product_version v \
                WHERE v.product_id = l.product_id AND v.version = j.product_version) m ON true), \
          turns AS (SELECT * FROM (SELECT *, lag(signal) OVER (PARTITION BY level_id ORDER BY version) AS before FROM signals \
              WHERE signal IS NOT NULL) s WHERE signal IS DISTINCT FROM before), \
          numbered AS (SELECT *, count(*) FILTER (WHERE signal IN ('L', 'O') AND (before IS NULL OR before IN ('S', 'Z'))) \
              OVER (PARTITION BY level_id ORDER BY version) AS episode FROM turns), \
          episodes AS (SELECT level_id, episode, bool_or(signal = 'O') AS out, \
              (array_agg(signal ORDER BY version))[1] = 'L' AS low, \
              (array_agg(signal ORDER BY version) FILTER (WHERE signal IN ('S', 'Z')))[1] AS closed \
            FROM numbered WHERE episode > 0 GROUP BY level_id, episode), \
          summed AS (SELECT level_id, count(*) AS episodes, \
              sum(low::int + out::int + (out AND closed IS NOT DISTINCT FROM 'S')::int) AS notifications, \
              max(CASE WHEN closed IS NOT NULL THEN 0 WHEN out THEN 2 ELSE 1 END) AS state FROM episodes GROUP BY level_id) \
          SELECT l.product_id || '@' || l.location AS stream, l.version, \
            ARRAY[(l.on_hand - l.reserved)::text, l.min_stock::text, coalesce(s.state, 0)::text, coalesce(s.episodes, 0)::text, \
                  coalesce(s.notifications, 0)::text] AS sums \
          FROM level l LEFT JOIN summed s ON s.level_id = l.id WHERE l.version > 0",
};

/// One pass over the products.
const PRODUCTS: Account = Account {
    name: "products",
    sums: &["min_stock", "archived"],
    sql: "SELECT product_id::text AS stream, version, ARRAY[min_stock::text, archived::int::text] AS sums FROM product",
};

/// Levels against the ledger: as many rows as versions, and sums of deltas. One pass over the ledger, hashed by level.
const LEVELS_ARE_THE_LEDGER: Check = Check {
    sql: "SELECT format('stream %s@%s: the level has version %s, on_hand %s, reserved %s; the ledger has %s rows up to version %s, on_hand %s, reserved %s', \
            l.product_id, l.location, l.version, l.on_hand, l.reserved, coalesce(s.rows, 0), coalesce(s.version, 0), coalesce(s.on_hand, 0), coalesce(s.reserved, 0)) \
          FROM level l FULL JOIN (SELECT level_id, count(*) AS rows, max(version) AS version, sum(delta) AS on_hand, sum(delta_reserved) AS reserved \
            FROM ledger GROUP BY level_id) s ON s.level_id = l.id \
          WHERE (l.version, l.version, l.on_hand::numeric, l.reserved::numeric) IS DISTINCT FROM (coalesce(s.rows, 0), coalesce(s.version, 0), \
            coalesce(s.on_hand, 0), coalesce(s.reserved, 0)) LIMIT 100",
};

/// Each row against the one before it: levels follow from deltas, times rise. One pass in the order of (level_id, version).
const ROWS_FOLLOW_ONE_ANOTHER: Check = Check {
    sql: "SELECT format('stream %s@%s: row %s says on_hand %s and reserved %s, which does not follow from the row before it', \
            l.product_id, l.location, c.version, c.on_hand, c.reserved) \
          FROM (SELECT level_id, version, on_hand, reserved, \
              on_hand = delta + lag(on_hand, 1, 0::bigint) OVER w AND reserved = delta_reserved + lag(reserved, 1, 0::bigint) OVER w \
              AND recorded_at >= lag(recorded_at, 1, recorded_at) OVER w AS follows \
            FROM ledger WINDOW w AS (PARTITION BY level_id ORDER BY version)) c \
          JOIN level l ON l.id = c.level_id WHERE NOT c.follows LIMIT 100",
};

/// Levels against the holds that they count. One pass over the levels and one over the holds that are counted.
const RESERVED_IS_HELD: Check = Check {
    sql: "SELECT format('stream %s@%s: the level has reserved %s, its holds add up to %s', l.product_id, l.location, l.reserved, coalesce(h.held, 0)) \
          FROM level l LEFT JOIN (SELECT level_id, sum(quantity) AS held FROM hold WHERE counted GROUP BY level_id) h ON h.level_id = l.id \
          WHERE l.reserved <> coalesce(h.held, 0) LIMIT 100",
};

/// What `as_of` stands on: `occurred_max` is the latest time of the movements so far, or absent where that is the row's own. One pass in the
/// order of (level_id, version).
const TIMES_ARE_FOUND: Check = Check {
    sql: "SELECT format('stream %s@%s: row %s does not say up to which time everything had occurred', l.product_id, l.location, c.version) \
          FROM (SELECT level_id, version, coalesce(occurred_max, occurred_at) = coalesce(max(occurred_at) FILTER (WHERE kind < 'THRESHOLD') OVER w, occurred_at) AS found \
            FROM ledger WINDOW w AS (PARTITION BY level_id ORDER BY version)) c \
          JOIN level l ON l.id = c.level_id WHERE NOT c.found LIMIT 100",
};

/// What Stock keeps.
pub const KEEPER: Keeper<'static> = Keeper {
    service: "stock",
    accounts: &[VERSIONS, STOCK, SALES, ALERTS, PRODUCTS, APPLIED_PRODUCTS],
    checks: &[LEVELS_ARE_THE_LEDGER, ROWS_FOLLOW_ONE_ANOTHER, RESERVED_IS_HELD, TIMES_ARE_FOUND],
};
