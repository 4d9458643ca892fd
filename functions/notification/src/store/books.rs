//! Notification's books: what it says of its streams, and how it proves itself.

use journal::books::{APPLIED_PRODUCTS, APPLIED_STOCK, Account, Check, Keeper};

/// What the episode machine made of each stock stream; Stock recomputes the same from its ledger. `state` is 0 (no episode is open),
/// 1 (one is open that has only been low) or 2 (one is open that has been out). The notifications are counted, not remembered.
const ALERTS: Account = Account {
    name: "alerts",
    sums: &["available", "min_stock", "state", "episodes", "notifications"],
    sql: "SELECT w.stream, a.version, \
              ARRAY[w.available::text, w.min_stock::text, w.state::text, w.episodes::text, coalesce(n.count, 0)::text] AS sums \
          FROM watch w JOIN applied a ON a.stream = w.stream \
          LEFT JOIN (SELECT stream, count(*) FROM notification GROUP BY stream) n ON n.stream = w.stream",
};

/// The copies of the products.
const PRODUCTS: Account = Account {
    name: "products",
    sums: &["min_stock", "archived"],
    sql: "SELECT id::text AS stream, version, ARRAY[min_stock::text, archived::int::text] AS sums FROM product",
};

/// A state that its level does not allow.
const STATE: Check = Check {
    sql: "SELECT 'alerts of ' || stream || ': state ' || state || ' does not fit available ' || available || ' and min_stock ' || min_stock \
          FROM watch WHERE NOT CASE state \
              WHEN 0 THEN min_stock = 0 OR available >= min_stock AND available > 0 \
              WHEN 1 THEN min_stock > 0 AND available > 0 AND available < min_stock + greatest(1, (min_stock + 9) / 10) \
              ELSE min_stock > 0 AND available < min_stock + greatest(1, (min_stock + 9) / 10) END \
          ORDER BY stream LIMIT 20",
};

/// An open notification of an episode that is over, or a resolved one of an episode that is not.
const OPEN: Check = Check {
    sql: "SELECT 'notification ' || n.id || ' of ' || n.stream || ': episode ' || n.episode || ' is ' \
              || CASE WHEN n.resolved_at IS NULL THEN 'over, it is not resolved' ELSE 'open, it is resolved' END \
          FROM notification n JOIN watch w ON w.stream = n.stream \
          WHERE (n.resolved_at IS NULL) <> (w.state <> 0 AND w.episodes = n.episode) ORDER BY n.stream, n.id LIMIT 20",
};

/// An episode without the alerts that it must have, or with one that it cannot have. That none is there twice is a constraint.
const EPISODES: Check = Check {
    sql: "WITH e AS ( \
              SELECT stream, episode, bool_or(kind = 'OUT_OF_STOCK') AS out, bool_or(kind = 'BACK_IN_STOCK') AS back \
              FROM notification GROUP BY stream, episode) \
          SELECT 'alerts of ' || w.stream || ': ' || w.episodes || ' episodes, alerts of ' || count(e.episode) \
          FROM watch w LEFT JOIN e ON e.stream = w.stream GROUP BY w.stream, w.episodes, w.state \
          HAVING w.episodes <> count(e.episode) OR w.episodes <> coalesce(max(e.episode), 0) \
          UNION ALL \
          SELECT 'alerts of ' || e.stream || ': episode ' || e.episode || ' was back in stock and never out' FROM e WHERE back AND NOT out \
          UNION ALL \
          SELECT 'alerts of ' || w.stream || ': state ' || w.state || ' of episode ' || w.episodes || ' does not fit its alerts' \
          FROM watch w JOIN e ON e.stream = w.stream AND e.episode = w.episodes \
          WHERE CASE w.state WHEN 1 THEN out OR back WHEN 2 THEN NOT out OR back ELSE false END \
          LIMIT 20",
};

/// A journal with a gap, or one whose head the watch does not know, or that has not raised what is there.
const JOURNAL: Check = Check {
    sql: "SELECT 'journal of ' || w.stream || ': version ' || w.journal_version || ', ' || count(j.version) || ' rows, the last ' \
              || coalesce(max(j.version), 0) || ', ' || count(j.version) FILTER (WHERE j.type = 'gudang.notification.raised.v1') \
              || ' raised of ' || coalesce(n.count, 0) \
          FROM watch w LEFT JOIN journal j ON j.stream = w.stream \
          LEFT JOIN (SELECT stream, count(*) FROM notification GROUP BY stream) n ON n.stream = w.stream \
          GROUP BY w.stream, w.journal_version, n.count \
          HAVING w.journal_version <> count(j.version) OR w.journal_version <> coalesce(max(j.version), 0) \
              OR count(j.version) FILTER (WHERE j.type = 'gudang.notification.raised.v1') <> coalesce(n.count, 0) \
          ORDER BY w.stream LIMIT 20",
};

/// Alerts that nobody watches, or watches of a stream that the fence never let through.
const STRANGERS: Check = Check {
    sql: "SELECT 'notification ' || n.id || ': its stream ' || n.stream || ' is not watched' FROM notification n \
          WHERE NOT EXISTS (SELECT FROM watch w WHERE w.stream = n.stream) \
          UNION ALL \
          SELECT 'alerts of ' || w.stream || ': no event of it was ever applied' FROM watch w \
          WHERE NOT EXISTS (SELECT FROM applied a WHERE a.stream = w.stream AND a.version > 0) LIMIT 20",
};

/// What Notification keeps.
pub(crate) const KEEPER: Keeper = Keeper {
    service: "notification",
    accounts: &[APPLIED_STOCK, APPLIED_PRODUCTS, ALERTS, PRODUCTS],
    checks: &[STATE, OPEN, EPISODES, JOURNAL, STRANGERS],
};
