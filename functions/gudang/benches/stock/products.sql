-- Products for Stock to sell, without a Product service: what product-events would have told it.
WITH skus AS (
    SELECT 'load-hot' AS sku UNION ALL SELECT 'load-' || to_char(n, 'FM00000') FROM generate_series(0, :products - 1) n
), made AS (
    INSERT INTO product (product_id, sku, version, archived, min_stock) SELECT gen_random_uuid(), sku, 1, false, 0 FROM skus RETURNING product_id, sku
)
INSERT INTO product_version (product_id, version, name, category, currency, min_stock, archived)
SELECT product_id, 1, 'Load ' || sku, 'Load', 'USD', 0, false FROM made;
