//! The proof: what the clients remember, against what Stock shows and what stands in its tables.
//!
//! It goes on after the first broken promise, so that a failure shows its whole extent. What is compared is compared as lines of text.

use std::collections::{BTreeMap, BTreeSet};

use postgres::Database;
use postgres::keys::Key;
use serde_json::Value;
use testkit::Http;
use testkit::findings::compare;

use super::load::{self, Floor, Settled};

/// Requests that are sent again at once.
const AT_ONCE: usize = 16;

/// Streams whose level is not what its ledger says, recomputed here without Stock's help.
const UNBALANCED: &str = "SELECT format('level %s: version %s, on_hand %s, reserved %s; ledger: %s', l.id, l.version, l.on_hand, l.reserved, s) \
     FROM level l FULL JOIN (SELECT level_id, count(*) AS rows, max(version) AS last, min(version) AS first, sum(delta) AS on_hand, \
         sum(delta_reserved) AS reserved FROM ledger GROUP BY level_id) s ON s.level_id = l.id \
     WHERE NOT coalesce(l.version = s.rows AND l.version = s.last AND s.first = 1 AND l.on_hand = s.on_hand AND l.reserved = s.reserved, \
         l.version = 0)";

/// Levels that count other holds than there are.
const MISCOUNTED: &str = "SELECT format('level %s: reserved %s, holds of %s', l.id, l.reserved, h.held) \
     FROM level l LEFT JOIN (SELECT level_id, sum(quantity) AS held FROM hold WHERE counted GROUP BY level_id) h ON h.level_id = l.id \
     WHERE l.reserved <> coalesce(h.held, 0)";

/// Changes that another transaction wrote than the key that they were asked under. What expires is nobody's request, and some had no key.
const KEYS_APART: &str = "SELECT reference FROM ledger l WHERE reference NOT LIKE 'once %' AND kind <> 'EXPIRED' AND NOT EXISTS \
     (SELECT FROM idempotency_key k WHERE k.xmin::text = (l.xid::text::bigint % 4294967296)::text)";

/// When a request was carried out.
const CARRIED_OUT: &str = "SELECT created_at FROM idempotency_key WHERE key = $1";

/// Everything that was found to be wrong, a sentence each. `in_one_request`: the service lived, so clients had to hear the truth at once.
pub(super) async fn of(in_one_request: bool, floor: &Floor, settled: &[Settled], database: &Database) -> Vec<String> {
    let mut found = Vec::new();
    statuses(settled, &mut found);
    outcomes(settled, database, &mut found).await;
    if in_one_request {
        answered(floor, settled, &mut found);
    }
    replays(&floor.stock, settled, &mut found).await;
    acknowledged(floor, settled, &mut found).await;
    reservations(&floor.stock, settled, &mut found).await;
    let books = floor.stock.get("/v1/books").await.expect(200).json();
    compare("the books have no drift", Vec::new(), lines(&books["drifts"]), &mut found);
    let connection = database.get().await.unwrap();
    let questions = [
        ("levels are what their ledger says", UNBALANCED),
        ("levels count the holds that there are", MISCOUNTED),
        ("a change and its key are one transaction", KEYS_APART),
    ];
    for (promise, sql) in questions {
        let rows = connection.query(sql, &[]).await.unwrap();
        compare(promise, Vec::new(), rows.iter().map(|row| row.get(0)).collect(), &mut found);
    }
    found
}

fn lines(values: &Value) -> Vec<String> {
    values.as_array().unwrap().iter().map(Value::to_string).collect()
}

/// Nothing is answered but what the contract says.
fn statuses(settled: &[Settled], found: &mut Vec<String>) {
    let strange = settled.iter().filter(|settled| match settled.request.path.as_str() {
        _ if settled.answer.status == 503 && !settled.request.keyed => false,
        "/v1/stock-changes" | "/v1/transfers" | "/v1/reservations" => !matches!(settled.answer.status, 201 | 409),
        _ => !matches!(settled.answer.status, 200 | 409),
    });
    let strange = strange.map(|Settled { request, answer, .. }| format!("{}: {} {}", request.key, answer.status, answer.text()));
    compare("every request is taken or refused as the contract says", Vec::new(), strange.collect(), found);
}

/// Who was told "not now" was told the truth: it had not been carried out, or else that nobody can say. Who has heard the latter and asks again
/// while the database is away learns no more than that it is away.
async fn outcomes(settled: &[Settled], database: &Database, found: &mut Vec<String>) {
    let (connection, mut lied_to) = (database.get().await.unwrap(), Vec::new());
    for Settled { request, turned_away, .. } in settled.iter().filter(|settled| settled.is_replay()) {
        let carried_out = connection.query_one(CARRIED_OUT, &[&Key::of(&request.key).to_uuid()]).await.unwrap().get(0);
        let mut known = turned_away.iter().take_while(|(code, _)| code != "outcome_unknown");
        if known.any(|(_, at)| *at > carried_out) {
            lied_to.push(format!("{} {}: {turned_away:?}, but it was carried out at {carried_out}", request.key, request.path));
        }
    }
    compare("what is committed is not answered 503", Vec::new(), lied_to, found);
}

/// As long as the service lives there is always an answer.
fn answered(floor: &Floor, settled: &[Settled], found: &mut Vec<String>) {
    let broken = settled.iter().filter(|settled| settled.broken > 0);
    let broken = broken.map(|settled| format!("{}: sent {} times in vain", settled.request.key, settled.broken));
    let unknown = floor.unknown.lock().unwrap();
    let lost = unknown.iter().filter(|(_, why)| why != "outcome_unknown").map(|(reference, why)| format!("{reference}: {why}"));
    compare("every request is answered", Vec::new(), broken.chain(lost).collect(), found);
}

/// The same key and the same request have the same answer, byte for byte.
async fn replays(stock: &Http, settled: &[Settled], found: &mut Vec<String>) {
    let mut differences = Vec::new();
    let keyed: Vec<&Settled> = settled.iter().filter(|settled| settled.request.keyed).collect();
    for some in keyed.chunks(AT_ONCE) {
        let again = futures::future::join_all(some.iter().map(|settled| load::send(stock, &settled.request))).await;
        for (Settled { request, answer, .. }, again) in some.iter().zip(again) {
            let again = again.unwrap();
            let same = |header| answer.header(header) == again.header(header);
            if answer.status != again.status || answer.body != again.body || !same("location") || !same("etag") || !same("content-type") {
                differences.push(format!(
                    "{}: {} {} and then {} {}",
                    request.key,
                    answer.status,
                    answer.text(),
                    again.status,
                    again.text()
                ));
            } else if again.header("idempotent-replayed") != "true" {
                differences.push(format!("{}: the answer does not say that it is a replay", request.key));
            }
        }
    }
    compare("a replay answers the same bytes", Vec::new(), differences, found);
}

/// Every change that a client was told is recorded, and no other, is in the ledger once, as it was told.
async fn acknowledged(floor: &Floor, settled: &[Settled], found: &mut Vec<String>) {
    let told = settled.iter().filter(|settled| settled.answer.status < 300).flat_map(|settled| changes_in(&settled.answer.json()));
    let listed = all(&floor.stock, "/v1/stock-changes?").await;
    let unknown: BTreeSet<String> = floor.unknown.lock().unwrap().iter().map(|(reference, _)| reference.clone()).collect();
    // What filled the shelves at the beginning has no reference.
    let asked = listed.iter().filter(|change| change["reference"].as_str().is_some_and(|reference| !unknown.contains(reference)));
    compare("every acknowledged change is there once, and no other is", told.collect(), asked.map(Value::to_string).collect(), found);
}

/// Every reservation stands as its last step was answered; only its time may have passed since.
async fn reservations(stock: &Http, settled: &[Settled], found: &mut Vec<String>) {
    let told = settled.iter().filter(|settled| settled.answer.status < 300 && settled.request.path.starts_with("/v1/reservations"));
    let last: BTreeMap<String, Value> =
        told.map(|settled| settled.answer.json()).map(|told| (told["id"].as_str().unwrap().to_owned(), told)).collect();
    let (mut expected, mut there) = (Vec::new(), Vec::new());
    for (id, mut told) in last {
        let read = stock.get(&format!("/v1/reservations/{id}")).await.json();
        if told["status"] == "active" && read["status"] == "expired" {
            (told["status"], told["resolved_at"]) = (read["status"].clone(), told["expires_at"].clone());
        }
        expected.push(told.to_string());
        there.push(read.to_string());
    }
    compare("every reservation stands as it was answered", expected, there, found);
}

/// The changes of an answer, whatever was asked.
fn changes_in(answer: &Value) -> Vec<String> {
    let of_batch = answer["results"].as_array().into_iter().flatten().filter_map(|result| result.get("change"));
    let of_others = answer["changes"].as_array().into_iter().flatten();
    let single = answer.get("delta").is_some().then_some(answer);
    single.into_iter().chain(of_batch).chain(of_others).map(Value::to_string).collect()
}

/// Every item of a list, page by page.
async fn all(stock: &Http, path: &str) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let mut page = stock.get(&format!("{path}limit=500{cursor}")).await.expect(200).json();
        items.append(page["items"].as_array_mut().unwrap());
        let Some(place) = page["next_cursor"].as_str() else { return items };
        cursor = format!("&cursor={place}");
    }
}
