//! Somebody who reads what Stock publishes while it crashes. What was once heard must stand in the ledger for ever, as it was heard.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use postgres::Database;
use serde_json::{Value, json};
use testkit::{Http, eventually};
use tokio::task::AbortHandle;
use tokio_postgres::Row;

/// Between two questions.
const PAUSE: Duration = Duration::from_millis(20);
/// How soon the rest is published when everything has come to rest: somebody may have to wait for the lease of one who was killed.
const REST: Duration = Duration::from_secs(30);

/// Every row, as far as an event tells of it.
const ROWS: &str = "SELECT l.product_id || '@' || l.location, r.version, r.on_hand, r.reserved, r.recorded_at FROM ledger r JOIN level l ON l.id = r.level_id";

/// A row, by its stream and version.
type Rows = BTreeMap<(String, i64), String>;

/// What was heard so far.
#[derive(Debug)]
pub(super) struct Listener {
    heard: Arc<Mutex<(Rows, Vec<String>)>>,
    listening: AbortHandle,
}

impl Listener {
    /// Begins to listen.
    pub(super) fn to(stock: Http) -> Self {
        let heard = Arc::default();
        let listening = tokio::spawn(listen(stock, Arc::clone(&heard))).abort_handle();
        Self { heard, listening }
    }

    /// Listens until everything is published that the ledger has, and says what does not agree.
    pub(super) async fn compare(self, database: &Database) -> Vec<String> {
        let there = ledger(database).await;
        let all = async || there.keys().all(|place| self.heard.lock().unwrap().0.contains_key(place)).then_some(());
        eventually("every row of the ledger is published", REST, all).await;
        self.listening.abort();
        let (heard, mut wrong) = std::mem::take(&mut *self.heard.lock().unwrap());
        println!("{} events were heard", heard.len());
        // Once more: something may have expired meanwhile.
        let there = ledger(database).await;
        wrong.extend(lost(&heard, &there));
        wrong
    }
}

/// What was heard and does not stand in the ledger so.
fn lost(heard: &Rows, there: &Rows) -> impl Iterator<Item = String> {
    let lost = heard.iter().filter(|(place, row)| there.get(place) != Some(row));
    lost.map(|(place, row)| format!("{place:?} was heard as {row}, the ledger has {:?}", there.get(place)))
}

async fn ledger(database: &Database) -> Rows {
    let rows = database.get().await.unwrap().query(ROWS, &[]).await.unwrap();
    let row = |row: &Row| told(row.get(2), row.get(3), &row.get::<_, jiff::Timestamp>(4).to_string());
    rows.iter().map(|columns| ((columns.get(0), columns.get(1)), row(columns))).collect()
}

fn told(on_hand: i64, reserved: i64, recorded_at: &str) -> String {
    format!("{on_hand} on hand, {reserved} reserved, at {recorded_at}")
}

async fn listen(stock: Http, heard: Arc<Mutex<(Rows, Vec<String>)>>) {
    let mut position = "0.0".to_owned();
    loop {
        let path = format!("/v1/journal?limit=500&after={position}");
        if let Ok(answer) = stock.try_send("GET", &path, &[], "").await
            && answer.status == 200
        {
            for event in answer.json()["items"].as_array().unwrap() {
                hear(event, &mut heard.lock().unwrap());
                event["position"].as_str().unwrap().clone_into(&mut position);
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// An event may come twice, but only in the same words; and none may come before the one before it in its stream.
fn hear(event: &Value, (rows, wrong): &mut (Rows, Vec<String>)) {
    let (subject, data) = (event["subject"].as_str().unwrap().to_owned(), &event["data"]);
    let version: i64 = event["sequence"].as_str().unwrap().parse().unwrap();
    let recorded_at = event["recordedtime"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().to_string();
    let row = told(data["on_hand"].as_i64().unwrap(), data["reserved"].as_i64().unwrap(), &recorded_at);
    if version > 1 && !rows.contains_key(&(subject.clone(), version - 1)) {
        wrong.push(format!("{subject} had {version} before {}", version - 1));
    }
    match rows.insert((subject.clone(), version), row.clone()) {
        Some(before) if before != row => wrong.push(format!("{subject} had {version} as {before} and then as {row}")),
        _ => {}
    }
}

#[test]
fn a_listener_tells_of_what_was_taken_back_came_in_other_words_or_too_early() {
    let event = |version: i64, on_hand: i64| {
        let data = json!({"on_hand": on_hand, "reserved": 0});
        json!({"subject": "A@default", "sequence": version.to_string(), "recordedtime": "2026-01-02T03:04:05Z", "data": data})
    };
    let mut heard = (Rows::new(), Vec::new());
    for sound in [event(1, 5), event(2, 4), event(2, 4)] {
        hear(&sound, &mut heard);
    }
    let (there, none) = heard.clone();
    assert_eq!((none.len(), lost(&there, &there).count()), (0, 0));
    hear(&event(4, 3), &mut heard);
    hear(&event(2, 3), &mut heard);
    assert_eq!(heard.1.len(), 2, "{:?}", heard.1);
    assert_eq!(lost(&heard.0, &there).count(), 2, "one that is not there, and one that is otherwise there");
}
