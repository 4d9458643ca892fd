//! Product's books: its products, its copy of the stock, how far it has applied Stock's streams; and the proofs of itself.

use journal::books::{APPLIED_PRODUCTS, APPLIED_STOCK, Account, Check, Keeper};

/// Plan: one pass over `product`.
const PRODUCTS: Account = Account {
    name: "products",
    sums: &["min_stock", "archived"],
    sql: "SELECT id::text AS stream, version, ARRAY[min_stock::text, archived::int::text] AS sums FROM product",
};

/// What consumers of product-events compare their fences with. Plan: one pass over `product`.
const PRODUCT_VERSIONS: Account =
    Account { name: APPLIED_PRODUCTS.name, sums: &[], sql: "SELECT id::text AS stream, version, '{}'::text[] AS sums FROM product" };

/// Plan: one pass over `product_stock`.
const STOCK: Account = Account {
    name: "stock",
    sums: &["on_hand", "reserved"],
    sql: "SELECT product_id::text || '@' || location AS stream, version, ARRAY[on_hand::text, reserved::text] AS sums FROM product_stock",
};

/// A product's version is the number of its journal rows and the highest of them. Plan: one pass over each, joined by hash.
const VERSIONS: Check = Check {
    sql: "SELECT format('product %s is at version %s, its journal has %s rows up to version %s', \
            coalesce(p.id::text, j.stream), coalesce(p.version, 0), coalesce(j.rows, 0), coalesce(j.version, 0)) \
          FROM product p FULL JOIN (SELECT stream, count(*) AS rows, max(version) AS version FROM journal GROUP BY stream) j \
            ON j.stream = p.id::text \
          WHERE (p.version = j.rows AND p.version = j.version) IS NOT TRUE ORDER BY 1 LIMIT 100",
};

/// What the last journal row says is what the product is. Plan: one pass over each, joined by hash.
const LAST_ROWS: Check = Check {
    sql: "SELECT format('product %s differs from the last row of its journal', p.id) \
          FROM product p JOIN journal j ON j.stream = p.id::text AND j.version = p.version CROSS JOIN LATERAL (SELECT j.data::jsonb AS d) e \
          WHERE (p.sku, p.name, p.category, p.description, p.price, p.currency, p.min_stock, p.attributes, p.archived) \
            IS DISTINCT FROM (d->>'sku', d->>'name', d->>'category', d->>'description', (d->>'price')::numeric, d->>'currency', \
            (d->>'min_stock')::bigint, d->'attributes', d->>'status' = 'archived') ORDER BY 1 LIMIT 100",
};

/// A copy that is ahead of what was applied has not come by an event. Plan: joined by hash.
const COPIES: Check = Check {
    sql: "SELECT format('the copy of stock %s@%s is at version %s, applied is %s', s.product_id, s.location, s.version, \
            coalesce(a.version, 0)) \
          FROM product_stock s LEFT JOIN applied a ON a.stream = s.product_id::text || '@' || s.location \
          WHERE s.version > coalesce(a.version, 0) ORDER BY 1 LIMIT 100",
};

/// Product's books.
pub(crate) const KEEPER: Keeper =
    Keeper { service: "product", accounts: &[PRODUCTS, PRODUCT_VERSIONS, STOCK, APPLIED_STOCK], checks: &[VERSIONS, LAST_ROWS, COPIES] };
