//! The proof: what the clients remember, against what the services show.
//!
//! It goes on after the first broken promise, so that a failure shows its whole extent. What is compared is compared as lines of text.

use std::collections::HashMap;
use std::time::Instant;

use serde_json::{Value, json};
use testkit::findings::{SHOWN, compare};
use testkit::{Answer, Gudang, Http, Service};

use super::load::{Floor, PRODUCTS, Role, Settled};
use super::recomputed;
use crate::dice::Dice;
use crate::said::Said;

/// Requests that are sent again at the end.
const REPLAYS: usize = 500;

/// Everything that was found to be wrong, a sentence each.
pub(super) async fn of(gudang: &Gudang, floor: &Floor, settled: &[Settled], dice: &mut Dice) -> Vec<String> {
    let mut found = Vec::new();
    statuses(settled, &mut found);
    replays(floor, settled, dice, &mut found).await;
    audit(gudang, &mut found);
    let seen = Seen::read(gudang).await;
    println!("{} changes, {} events of stock streams, {} of products", seen.changes.len(), seen.stock.len(), seen.products.len());
    acknowledged(settled, &seen, &mut found);
    patches(settled, &seen, &mut found);
    journals(&seen, &mut found);
    reports(gudang, &seen, &mut found).await;
    alerts(gudang, &seen, &mut found).await;
    dead_letters(gudang, &mut found).await;
    found
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Nothing is answered but what the contract says.
fn statuses(settled: &[Settled], found: &mut Vec<String>) {
    let strange = settled.iter().filter(|Settled { request, answer, .. }| match request.role {
        Role::Singles => !matches!(answer.status, 201 | 409),
        Role::Batches => !matches!(answer.status, 200 | 409),
        Role::Imports | Role::Patches => answer.status != 200,
    });
    let strange =
        strange.map(|Settled { request, answer, .. }| format!("{} was answered {} {}", request.key, answer.status, answer.text()));
    compare("every request is taken or refused as the contract says", Vec::new(), strange.collect(), found);
}

/// The same key and the same request have the same answer, byte for byte. Those that were sent more than once come first.
async fn replays(floor: &Floor, settled: &[Settled], dice: &mut Dice, found: &mut Vec<String>) {
    let mut chosen: Vec<&Settled> = settled.iter().collect();
    chosen.sort_by_cached_key(|settled| (settled.tries == 1, dice.below(u64::MAX)));
    let mut differences = Vec::new();
    for Settled { request, answer, .. } in chosen.into_iter().take(REPLAYS) {
        let again = floor.again(request).await;
        let same = |header| answer.header(header) == again.header(header);
        if answer.status != again.status || answer.body != again.body || !same("location") || !same("etag") {
            differences.push(format!("{}: {} {} and then {} {}", request.key, answer.status, answer.text(), again.status, again.text()));
        } else if request.role != Role::Imports && again.header("idempotent-replayed") != "true" {
            differences.push(format!("{}: the answer does not say that it is a replay", request.key));
        }
    }
    compare("a replay answers the same bytes", Vec::new(), differences, found);
}

/// What the product itself says.
fn audit(gudang: &Gudang, found: &mut Vec<String>) {
    let begun = Instant::now();
    let said = Said::to(gudang, &["audit"]);
    println!("the audit took {:.1?}: {}", begun.elapsed(), said.out.lines().next().unwrap_or_default());
    if said.code != Some(0) {
        let drifts: Vec<&str> = said.out.lines().filter(|line| line.starts_with("drift")).collect();
        let told: String = drifts.iter().take(SHOWN).map(|drift| "\n    ".to_owned() + drift).collect();
        found.push(format!("`gudang audit` is clean: it ended with {:?} and {} drifts{told}{}", said.code, drifts.len(), said.err));
    }
}

/// What the services show.
struct Seen {
    /// Every movement, as listed.
    changes: Vec<Value>,
    /// The journals, in the order in which a reader gets them.
    stock: Vec<Value>,
    products: Vec<Value>,
    notifications: Vec<Value>,
    /// Products by id.
    catalog: HashMap<String, Value>,
}

impl Seen {
    async fn read(gudang: &Gudang) -> Self {
        let http = |service| gudang.http(service);
        let catalog = all(&http(Service::Product), "/v1/products?status=all", "cursor").await;
        assert_eq!(catalog.len() as u64, PRODUCTS, "products");
        Self {
            changes: all(&http(Service::Stock), "/v1/stock-changes?", "cursor").await,
            stock: all(&http(Service::Stock), "/v1/journal?", "after").await,
            products: all(&http(Service::Product), "/v1/journal?", "after").await,
            notifications: all(&http(Service::Notification), "/v1/journal?", "after").await,
            catalog: catalog.into_iter().map(|product| (text(&product["id"]).to_owned(), product)).collect(),
        }
    }
}

/// Every item of a list, page by page; `next` names the parameter that takes `next_cursor`.
async fn all(http: &Http, path: &str, next: &str) -> Vec<Value> {
    let mut items = Vec::new();
    let mut cursor = String::new();
    loop {
        let mut page = http.get(&format!("{path}&limit=500{cursor}")).await.expect(200).json();
        items.append(page["items"].as_array_mut().expect("items"));
        let Some(place) = page["next_cursor"].as_str() else { return items };
        cursor = format!("&{next}={place}");
    }
}

/// Every line that a client was told is recorded, and no other, is in the ledger once, as it was told. An import tells no more than
/// which rows were refused, so of its rows only the reference is known.
fn acknowledged(settled: &[Settled], seen: &Seen, found: &mut Vec<String>) {
    let told: HashMap<&str, Option<Value>> = settled.iter().flat_map(told).collect();
    let shown = |reference: &str, change: &Value| match told.get(reference) {
        Some(Some(_)) => change.to_string(),
        Some(None) | None => reference.to_owned(),
    };
    let expected = told.iter().map(|(reference, change)| change.as_ref().map_or_else(|| (*reference).to_owned(), Value::to_string));
    let there = seen.changes.iter().map(|change| shown(text(&change["reference"]), change));
    compare("every acknowledged change is there once, and no other is", expected.collect(), there.collect(), found);
}

/// The lines of a request that were acknowledged, each with the change as it was answered.
fn told(Settled { request, answer, .. }: &Settled) -> Vec<(&str, Option<Value>)> {
    let references = || request.references.iter().map(String::as_str);
    match (request.role, answer.status) {
        (Role::Singles, 201) => references().map(|reference| (reference, Some(answer.json()))).collect(),
        (Role::Batches, 200) => {
            let answer = answer.json();
            let results = answer["results"].as_array().expect("results").iter().map(|result| result.get("change").cloned());
            references().zip(results).filter_map(|(reference, change)| Some((reference, Some(change?)))).collect()
        }
        (Role::Imports, 200) => {
            let answer = answer.json();
            let refused: Vec<u64> =
                answer["errors"].as_array().expect("errors").iter().filter_map(|error| error["line"].as_u64()).collect();
            let taken = (1..).zip(references()).filter(|(line, _)| !refused.contains(line));
            taken.map(|(_, reference)| (reference, None)).collect()
        }
        _ => Vec::new(),
    }
}

/// Every acknowledged change of a product is a version of its journal, once, and no other is.
fn patches(settled: &[Settled], seen: &Seen, found: &mut Vec<String>) {
    let line = |product: &Value| format!("{} {} {} {}", product["sku"], product["version"], product["name"], product["min_stock"]);
    let patched = settled.iter().filter(|settled| settled.request.role == Role::Patches && settled.answer.status == 200);
    let patched = patched.map(|settled| line(&settled.answer.json()));
    let updates = seen.products.iter().filter(|event| event["data"]["version"] != json!(1)).map(|event| line(&event["data"]));
    compare("every acknowledged change of a product is there once, and no other is", patched.collect(), updates.collect(), found);
}

/// Versions rise one by one along each stream, and the ledger and its journal are the same.
fn journals(seen: &Seen, found: &mut Vec<String>) {
    for (name, journal) in [("stock-changes", &seen.stock), ("product-events", &seen.products), ("notifications", &seen.notifications)] {
        let mut versions: HashMap<&str, u64> = HashMap::new();
        let mut broken = Vec::new();
        for event in journal {
            let last = versions.entry(text(&event["subject"])).or_default();
            let version = text(&event["sequence"]).parse().expect("a version");
            if version != *last + 1 {
                broken.push(format!("{} has {version} after {last}", event["subject"]));
            }
            *last = version;
        }
        compare(&format!("versions of {name} are gapless and in order"), Vec::new(), broken, found);
    }
    let stream = |row: &Value| format!("{}@{}", text(&row["product_id"]), text(&row["location"]));
    let line = |row: &Value| format!("{} {} {} {}", stream(row), row["version"], row["id"], row["on_hand"]);
    let movements = seen.stock.iter().map(|event| &event["data"]).filter(|row| row.get("type").is_some());
    compare("the journal has every movement", seen.changes.iter().map(line).collect(), movements.map(line).collect(), found);
}

/// Reports and copies of the stock, recomputed from the listed changes.
async fn reports(gudang: &Gudang, seen: &Seen, found: &mut Vec<String>) {
    let analytics = gudang.http(Service::Analytics);
    let report = analytics.get("/v1/reports/best-sellers?limit=500").await.expect(200).json();
    let there = report["items"].as_array().expect("items").iter().map(recomputed::seller);
    let name = |product_id: &str| seen.catalog.get(product_id).map_or("", |product| text(&product["name"])).to_owned();
    compare("best sellers are those of the ledger", recomputed::best_sellers(&seen.changes, name), there.collect(), found);

    let report = analytics.get("/v1/reports/sales?interval=day").await.expect(200).json();
    let there = report["items"].as_array().expect("items").iter().filter_map(recomputed::day);
    compare("sales by day are those of the ledger", recomputed::days(&seen.changes), there.collect(), found);

    let there = seen.catalog.values().map(|product| format!("{} {}", product["sku"], product["stock"]["on_hand"]));
    compare("products show the stock of the ledger", recomputed::on_hand(&seen.changes, PRODUCTS), there.collect(), found);
}

/// Notifications, against the episode machine run over the journal once more: so there is at most one of a kind in an episode.
async fn alerts(gudang: &Gudang, seen: &Seen, found: &mut Vec<String>) {
    let listed = all(&gudang.http(Service::Notification), "/v1/notifications?", "cursor").await;
    println!("{} notifications", listed.len());
    let expected = recomputed::alerts(&seen.stock);
    compare("one notification for each happening of an episode", expected.clone(), listed.iter().map(recomputed::alert).collect(), found);
    let raised = seen.notifications.iter().filter(|event| text(&event["type"]).ends_with(".raised.v1"));
    let raised = raised.map(|event| recomputed::alert_without_end(&event["data"]));
    let expected = expected.iter().map(|line| line.trim_end_matches(" open").to_owned());
    compare("each is raised once in the journal of Notification", expected.collect(), raised.collect(), found);
}

async fn dead_letters(gudang: &Gudang, found: &mut Vec<String>) {
    let mut letters = Vec::new();
    for service in Service::ALL {
        let answer: Answer = gudang.http(service).get("/v1/dead-letters?limit=500").await.expect(200);
        let items = answer.json()["items"].as_array().expect("items").clone();
        letters.extend(items.iter().map(|letter| format!("{}: {} {}", service.name(), letter["stream"], letter["error"])));
    }
    compare("there are no dead letters", Vec::new(), letters, found);
}
