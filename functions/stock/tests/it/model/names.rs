//! What a history is called in this run: its own SKUs, locations, ids and times, put into requests and taken out of answers.
//!
//! So many histories share a database without meeting, and the model knows none of it.

use std::collections::BTreeMap;
use std::sync::Mutex;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use testkit::{Answer, Http};
use uuid::Uuid;

use super::ask::{Filter, LOCATIONS, Move, Op, Part, Place, SKUS, What};
use super::expect::Answered;

/// The names of one history.
#[derive(Debug)]
pub(super) struct Names {
    prefix: String,
    pub(super) start: Timestamp,
    /// Ids, and what the model calls them.
    ids: Mutex<BTreeMap<String, Uuid>>,
}

/// A request.
#[derive(Debug, Clone)]
pub(super) struct Request {
    method: &'static str,
    path: String,
    body: Value,
}

impl std::fmt::Display for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.method, self.path, self.body)
    }
}

impl Names {
    pub(super) fn new(history: &str) -> Self {
        let start = Timestamp::from_second(Timestamp::now().as_second()).unwrap();
        Self { prefix: format!("h{history}-"), start, ids: Mutex::default() }
    }

    pub(super) fn sku(&self, product: usize) -> String {
        format!("{}{}", self.prefix, SKUS[product])
    }

    /// The default location is everybody's.
    pub(super) fn location(&self, location: usize) -> String {
        if location == 0 { LOCATIONS[0].to_owned() } else { format!("{}{}", self.prefix, LOCATIONS[location]) }
    }

    pub(super) fn call_product(&self, product: usize, id: Uuid) {
        self.ids.lock().unwrap().insert(format!("the id of {}", SKUS[product]), id);
    }

    pub(super) fn product(&self, product: usize) -> Option<Uuid> {
        self.ids.lock().unwrap().get(&format!("the id of {}", SKUS[product])).copied()
    }

    /// The id of a reservation; of one that was never made, an id that nothing has.
    pub(super) fn reservation(&self, number: usize) -> Uuid {
        self.made(number).unwrap_or_else(|| Uuid::from_u128(number as u128))
    }

    /// The id of a reservation that was made.
    pub(super) fn made(&self, number: usize) -> Option<Uuid> {
        self.ids.lock().unwrap().get(&format!("reservation {number}")).copied()
    }

    /// Asks `http` and reads its answer; lists are walked to their end. Nothing for what is not asked over HTTP.
    pub(super) async fn ask(&self, http: &Http, op: &Op) -> Option<(Answer, Answered)> {
        let request = self.request(&op.what)?;
        if matches!(op.what, What::Levels { .. } | What::Movements(_)) {
            return Some(self.walk(http, &request.path).await);
        }
        let key = op.key.map(|key| format!("{}{key}", self.prefix));
        let format = match op.what {
            What::Import { csv: true, .. } => "text/csv",
            What::Import { .. } => "application/x-ndjson",
            _ => "application/json",
        };
        let mut headers = vec![("content-type", format)];
        headers.extend(key.iter().map(|key| ("idempotency-key", key.as_str())));
        let body = match &request.body {
            Value::Null => String::new(),
            Value::String(body) => body.clone(),
            body => body.to_string(),
        };
        let answer = http.send(request.method, &request.path, &headers, body).await;
        if let What::Reserve { number, .. } = op.what
            && answer.status == 201
        {
            let id = answer.json()["id"].as_str().and_then(|id| id.parse().ok()).unwrap();
            self.ids.lock().unwrap().insert(format!("reservation {number}"), id);
        }
        let answered = self.read(&answer);
        Some((answer, answered))
    }

    /// All pages of a list as one.
    async fn walk(&self, http: &Http, path: &str) -> (Answer, Answered) {
        let (mut items, mut next) = (Vec::new(), path.to_owned());
        loop {
            let answer = http.get(&next).await;
            let mut page = self.read(&answer);
            if let Some(shown) = page.body["items"].as_array_mut() {
                // Other histories have other names.
                items.extend(shown.drain(..).filter(|item| SKUS.iter().any(|sku| item["sku"] == *sku)));
            }
            let Some(cursor) = page.body["next_cursor"].as_str() else {
                page.body["items"] = json!(items);
                return (answer, page);
            };
            next = format!("{path}&cursor={cursor}");
        }
    }

    fn read(&self, answer: &Answer) -> Answered {
        let mut text = answer.text().replace(&self.prefix, "");
        for (name, id) in &*self.ids.lock().unwrap() {
            text = text.replace(&id.to_string(), name);
        }
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Answered { status: answer.status, body, replayed: answer.header("idempotent-replayed") == "true" }
    }

    /// The request of an operation, if it is one.
    pub(super) fn request(&self, what: &What) -> Option<Request> {
        let post = |path: String, body: Value| Some(Request { method: "POST", path, body });
        let get = |path: String| Some(Request { method: "GET", path, body: Value::Null });
        let step = |number: usize, step: &str| format!("/v1/reservations/{}/{step}", self.reservation(number));
        match what {
            What::Change(asked) => post("/v1/stock-changes".to_owned(), self.movement(asked)),
            What::Batch { atomic, lines } => {
                let mode = if *atomic { "atomic" } else { "independent" };
                let lines: Vec<Value> = lines.iter().map(|line| self.movement(line)).collect();
                post("/v1/stock-changes/batch".to_owned(), json!({"mode": mode, "changes": lines}))
            }
            What::Import { csv, lines } => {
                let lines: Vec<Value> = lines.iter().map(|line| self.movement(line)).collect();
                post("/v1/stock-changes/import".to_owned(), json!(if *csv { as_csv(&lines) } else { as_ndjson(&lines) }))
            }
            What::Transfer { product, from, to, units } => {
                let (from, to) = (self.location(*from), self.location(*to));
                post("/v1/transfers".to_owned(), json!({"sku": self.sku(*product), "from": from, "to": to, "quantity": units}))
            }
            What::Reserve { number, lines, ttl } => {
                let body = json!({"lines": self.parts(lines), "ttl_seconds": ttl, "reference": format!("v{number}")});
                post("/v1/reservations".to_owned(), body)
            }
            What::Confirm { number, part: None } => post(step(*number, "confirm"), Value::Null),
            What::Confirm { number, part: Some(part) } => post(step(*number, "confirm"), json!({"lines": self.parts(part)})),
            What::Release { number } => post(step(*number, "release"), Value::Null),
            What::Extend { number, ttl } => post(step(*number, "extend"), json!({"ttl_seconds": ttl})),
            What::Reservation { number } => get(format!("/v1/reservations/{}", self.reservation(*number))),
            What::Level { product } => get(format!("/v1/stock/{}", self.sku(*product))),
            What::Levels { status, location, limit } => {
                let status = status.map_or(String::new(), |status| format!("&status={status}"));
                let location = location.map_or(String::new(), |location| format!("&location={}", self.location(location)));
                get(format!("/v1/stock?limit={limit}{status}{location}"))
            }
            What::Movements(filter) => get(self.movements(filter)),
            _ => None,
        }
    }

    fn movements(&self, filter: &Filter) -> String {
        let second = |seconds: i64| self.second(seconds).to_string();
        let parameters = [
            ("product", filter.product.map(|product| self.sku(product))),
            ("location", filter.location.map(|location| self.location(location))),
            ("type", filter.kind.map(str::to_owned)),
            ("reference", filter.reference.map(|reference| format!("{}r{reference}", self.prefix))),
            ("from", filter.from.map(second)),
            ("to", filter.to.map(second)),
        ];
        let narrow = |(name, value): (&str, Option<String>)| value.map(|value| format!("&{name}={value}"));
        format!("/v1/stock-changes?limit={}{}", filter.limit, parameters.into_iter().filter_map(narrow).collect::<String>())
    }

    /// So many seconds from the history's start.
    pub(super) fn second(&self, seconds: i64) -> Timestamp {
        self.start + SignedDuration::from_secs(seconds)
    }

    fn movement(&self, asked: &Move) -> Value {
        let Move { place: Place { product, location }, kind, units, occurred, reference, price, by_id } = asked;
        let mut body = json!({"type": kind.word(), "quantity": units, "location": self.location(*location)});
        let mut say = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                body[name] = json!(value);
            }
        };
        let id = self.product(*product).filter(|_| *by_id);
        say("sku", id.is_none().then(|| self.sku(*product)));
        say("product_id", id.map(|id| id.to_string()));
        say("occurred_at", occurred.map(|seconds| self.second(seconds).to_string()));
        say("reference", reference.map(|reference| format!("{}r{reference}", self.prefix)));
        say("unit_price", price.map(|price| format!("0.{price:02}")));
        body
    }

    fn parts(&self, parts: &[Part]) -> Vec<Value> {
        let part = |Part { place, units }: &Part| json!({"sku": self.sku(place.product), "quantity": units, "location": self.location(place.location)});
        parts.iter().map(part).collect()
    }
}

const COLUMNS: [&str; 8] = ["product_id", "sku", "type", "quantity", "location", "occurred_at", "reference", "unit_price"];

fn as_csv(lines: &[Value]) -> String {
    let cell = |line: &Value, name: &str| match &line[name] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let row = |line: &Value| COLUMNS.map(|name| cell(line, name)).join(",");
    std::iter::once(COLUMNS.join(",")).chain(lines.iter().map(row)).map(|row| row + "\n").collect()
}

fn as_ndjson(lines: &[Value]) -> String {
    lines.iter().map(|line| line.to_string() + "\n").collect()
}
