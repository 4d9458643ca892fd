//! A message that nobody can apply, in the middle of others.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bus::kafka::Producer;
use contract::{Event, Topic};
use serde_json::json;
use serde_json::value::to_raw_value;
use testkit::dice::seed;
use testkit::{Service, eventually};
use tokio::task::block_in_place;

use crate::load::Load;
use crate::naive::{Member, Stubborn};
use crate::shop::{PATIENCE, Shop, text};

const PACE: Duration = Duration::from_millis(50);
/// The product whose stream is poisoned; no till sells it.
const POISONED: &str = "poisoned";
/// Everybody who hears of stock.
const CONSUMERS: [Service; 3] = [Service::Product, Service::Notification, Service::Analytics];

#[tokio::test(flavor = "multi_thread")]
async fn a_poison_message_is_one_dead_letter_each_while_others_go_on_and_a_retry_mends_it() {
    let seed = seed();
    println!("seed {seed}");
    let shop = Shop::open(|setup| setup).await;
    let product = json!({"sku": POISONED, "name": "Arsenic", "category": "Things", "price": "1.00", "min_stock": 5});
    shop.http(Service::Product).post("/v1/products", &product).await.expect(201);
    let change = |kind: &str, quantity: i64| json!({"sku": POISONED, "type": kind, "quantity": quantity});
    let stock = shop.http(Service::Stock);
    stock.post("/v1/stock-changes", &change("RESTOCK", 10)).await.expect(201);
    shop.is_published().await;
    let journal = stock.get("/v1/journal?limit=500").await.expect(200).json();
    let first = journal["items"].as_array().expect("items").iter().find(|event| text(&event["data"]["sku"]) == POISONED).cloned();
    let first = Event::from_json(first.expect("the first change").to_string().as_bytes()).expect("an event");

    let load = Load::start(&stock, seed, PACE);
    let stubborn = Arc::new(Stubborn::default());
    let staying = Member::join(&shop.settings, &stubborn);
    eventually("events flow", PATIENCE, async || (stubborn.read.load(Ordering::SeqCst) > 200).then_some(())).await;
    let poison = Event {
        version: 2,
        id: Event::id_of(&first.source, &first.subject, 2),
        data: to_raw_value(&json!({"no": "sense"})).expect("JSON"),
        ..first
    };
    Producer::new(&shop.settings).expect("a producer").outlet(Topic::StockChanges).deliver(&[poison]).await.expect("it is there");
    eventually("a letter of each", PATIENCE, async || {
        for service in CONSUMERS {
            if shop.letters(service).await.len() != 1 {
                return None;
            }
        }
        Some(())
    })
    .await;
    // Whatever follows of that product waits, in order; of others nothing does.
    stock.post("/v1/stock-changes", &change("SALE", 3)).await.expect(201);
    stock.post("/v1/stock-changes", &change("SALE", 4)).await.expect(201);
    let mut sold = load.stop().await;
    sold.insert(POISONED.to_owned(), 7);
    shop.is_published().await;
    let others = sold.values().sum::<i64>() - 7;
    eventually("everything else that was sold is in the report", PATIENCE, async || (shop.reported().await == others).then_some(())).await;
    for service in CONSUMERS {
        let letters = shop.letters(service).await;
        assert_eq!(letters.len(), 1, "one letter, whatever came behind it: {letters:?}");
    }
    let (there, read) = (shop.ear.heard().len() as u64, stubborn.read.load(Ordering::SeqCst));
    println!("who does not let go of what he cannot read has read {read} events of {there}");
    assert!(read < there, "it was no poison");
    staying.vanish();

    let retried = block_in_place(|| shop.apart.command(&["dead-letters", "retry", "--all"]).output()).expect("the command runs");
    assert!(retried.status.success(), "{retried:?}");
    shop.is_sound(seed, &sold).await;
    shop.apart.stop();
}
