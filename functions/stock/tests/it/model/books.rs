//! What must be true when a history has ended: every row of every stream is the model's, in order, and the books balance.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::ask::{LOCATIONS, Op, Place, SKUS, What};
use super::expect::{Answered, Expected};
use super::log::{Entry, Row};
use super::run::Run;

/// What the levels say, and what the holds add up to. A hold counts until its level's ledger has its end.
const RESERVED: &str = "SELECT l.reserved, (SELECT coalesce(sum(h.quantity), 0)::bigint FROM hold h WHERE h.level_id = l.id AND h.counted) \
     FROM level l WHERE l.product_id = $1 AND l.location = $2";

/// Compares everything.
pub(super) async fn balance(run: &mut Run<'_>) -> Result<(), String> {
    for product in 0..SKUS.len() {
        run.step(&Op::from(What::Level { product })).await?;
        for location in 0..LOCATIONS.len() {
            let place = Place { product, location };
            stream(run, place).await.map_err(|said| format!("the stream of {place:?}: {said}"))?;
            holds(run, place).await?;
        }
    }
    let books = run.stock.http.get("/v1/books").await.json();
    if books["drifts"] == json!([]) { Ok(()) } else { Err(format!("the books drift: {}", books["drifts"])) }
}

/// Walks the journal of one stream beside the model's rows.
async fn stream(run: &Run<'_>, place: Place) -> Result<(), String> {
    let Some(id) = run.names.product(place.product) else { return Ok(()) };
    let location = run.names.location(place.location);
    let journal = run.stock.http.get(&format!("/v1/journal?stream={id}@{location}&limit=500")).await.json();
    let items = journal["items"].as_array().cloned().unwrap_or_default();
    let mut walk = Walk { items: &items, at: 0, levels: [0, 0], lapsed: Vec::new() };
    for entry in &run.log.entries {
        match entry {
            Entry::Lapsed(row) if row.place == place => walk.lapsed.push(row),
            Entry::Row(row) if row.place == place => walk.row(row)?,
            Entry::Swept => walk.swept("a sweep")?,
            _ => {}
        }
    }
    while walk.an_end()? {}
    let left = &items[walk.at..];
    if left.is_empty() { rising(&items) } else { Err(format!("rows that nobody asked for: {}", json!(left))) }
}

/// How far a stream has been compared.
struct Walk<'a> {
    items: &'a [Value],
    at: usize,
    /// On hand and reserved, as the rows so far come to.
    levels: [i64; 2],
    /// Holds that have lapsed and whose rows have not come yet.
    lapsed: Vec<&'a Row>,
}

impl<'a> Walk<'a> {
    /// The next row is this one; before it come those of lapsed holds, which only a threshold may overtake.
    fn row(&mut self, row: &'a Row) -> Result<(), String> {
        if row.event == "threshold-changed" {
            while self.an_end()? {}
        } else {
            self.swept(row.kind.unwrap_or(row.event))?;
        }
        self.is(row)
    }

    /// Nothing that has lapsed is without its row when this comes.
    fn swept(&mut self, before: &str) -> Result<(), String> {
        while self.an_end()? {}
        if self.lapsed.is_empty() { Ok(()) } else { Err(format!("{before} comes before the end of a hold that had lapsed")) }
    }

    /// Takes the next row if it ends a hold that has lapsed.
    fn an_end(&mut self) -> Result<bool, String> {
        let Some(next) = self.items.get(self.at).filter(|next| next["type"] == "gudang.stock.expired.v1") else { return Ok(false) };
        let time = next["time"].as_str().and_then(|time| time.parse().ok());
        let ends = |row: &&Row| time.is_some() && row.ended == time && row.quantity == next["data"]["quantity"].as_i64();
        let Some(which) = self.lapsed.iter().position(ends) else { return Ok(false) };
        let row = self.lapsed.remove(which);
        self.is(row).map(|()| true)
    }

    fn is(&mut self, row: &Row) -> Result<(), String> {
        let Some(next) = self.items.get(self.at) else { return Err(format!("{} {:?} is missing", row.event, row.kind)) };
        self.at += 1;
        self.levels = [self.levels[0] + row.delta, self.levels[1] + row.delta_reserved];
        let [on_hand, reserved] = self.levels;
        let mut data = without_names(row.change.clone().unwrap_or(json!({})));
        for (name, value) in [
            ("on_hand", json!(on_hand)),
            ("reserved", json!(reserved)),
            ("available", json!(on_hand - reserved)),
            ("version", json!(self.at)),
            ("delta", json!(row.delta)),
            ("quantity", json!(row.quantity)),
            ("type", json!(row.kind)),
        ] {
            data[name] = value;
        }
        if row.event != "expired" {
            data["min_stock"] = json!(row.min_stock);
        }
        let time = &next["data"]["occurred_at"];
        let event = json!({"type": format!("gudang.stock.{}.v1", row.event), "sequence": self.at.to_string(), "time": time, "data": data});
        let answered = Answered { status: 200, body: next.clone(), replayed: false };
        Expected::new(200, event).differs(&answered).map_or(Ok(()), |difference| Err(format!("row {}: {difference}, in {next}", self.at)))
    }
}

/// The journal is read with the names of the run; the answers were read without.
fn without_names(mut change: Value) -> Value {
    if let Some(fields) = change.as_object_mut() {
        fields.retain(|name, _| !["sku", "location", "product_id", "reference"].contains(&name.as_str()));
    }
    change
}

fn rising(items: &[Value]) -> Result<(), String> {
    let times: Vec<Timestamp> = items.iter().filter_map(|item| item["recordedtime"].as_str()?.parse().ok()).collect();
    if times.is_sorted() { Ok(()) } else { Err(format!("the times of recording do not rise: {times:?}")) }
}

/// What a level says is reserved is what its holds add up to.
async fn holds(run: &Run<'_>, place: Place) -> Result<(), String> {
    let Some(id) = run.names.product(place.product) else { return Ok(()) };
    let client = run.stock.function.database.get().await.unwrap();
    let Some(row) = client.query_opt(RESERVED, &[&id, &run.names.location(place.location)]).await.unwrap() else { return Ok(()) };
    let (reserved, held): (i64, i64) = (row.get(0), row.get(1));
    if reserved == held { Ok(()) } else { Err(format!("{place:?} has {reserved} reserved, and its holds come to {held}")) }
}
