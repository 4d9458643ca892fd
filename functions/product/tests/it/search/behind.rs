//! Documents that are missing altogether, as after the upgrade from a release that had none.

use contract::Currency;
use product::Config;
use testkit::{TestDatabase, eventually};

use super::world::FOUND;

const PRODUCTS: i64 = 20_000;
/// Products as an older release left them.
const FILL: &str = "INSERT INTO product SELECT gen_random_uuid(), 'SKU-' || n, 'Lantern ' || n, 'Garden', NULL, NULL, 'EUR', 0, '{}', false, 1, \
     now(), now() FROM generate_series(1, 20000) n";
/// Rows of products that anything has read. A connection tells of them when it ends.
const READ: &str = "SELECT (seq_tup_read + idx_tup_fetch)::bigint FROM pg_stat_user_tables WHERE relname = 'product'";

#[tokio::test]
async fn documents_of_all_products_are_written_in_one_pass_over_them() {
    let database = TestDatabase::create().await;
    product::migrate(&database.settings()).await.unwrap();
    let client = database.database().get().await.unwrap();
    client.batch_execute(FILL).await.unwrap();
    client.batch_execute("ANALYZE product").await.unwrap();
    let config = Config {
        database: database.settings(),
        currency: Currency::parse("EUR").unwrap(),
        stock_url: "http://127.0.0.1:1".to_owned(),
        redis: None,
        elasticsearch: None,
    };
    let function = product::function(config).await.unwrap();
    let documents: i64 = client.query_one("SELECT count(*) FROM search_document", &[]).await.unwrap().get(0);
    assert_eq!(documents, PRODUCTS);
    function.database.close();
    drop(function);
    let read: i64 = eventually("the reads are known", FOUND, async || {
        let read: i64 = client.query_one(READ, &[]).await.unwrap().get(0);
        (read >= PRODUCTS).then_some(read)
    })
    .await;
    println!("{read} rows read of {PRODUCTS} products");
    assert!(read <= 4 * PRODUCTS, "{read} rows were read of {PRODUCTS} products");
}
