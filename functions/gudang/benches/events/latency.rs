//! How soon a change is heard of, at a thousand changes a second: from the moment when it was recorded, which is before its commit, until a
//! consumer has it in its hands, and until Analytics commits its fact.

use std::collections::HashMap;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, ensure};
use contract::Time;
use jiff::{SignedDuration, Timestamp};
use rdkafka::consumer::BaseConsumer;
use rdkafka::message::{Headers, Message};
use testkit::Kafka;

use crate::changes::{self, Sell, address};
use crate::comparison::{Aim, Claim, Comparison, Figures, of};
use crate::kafka::{self, STOCK_CHANGES};
use crate::place::{HOW_MANY, Place};
use crate::quantile::quantile_ms;
use crate::steady;

/// What is not counted at first.
const WARM_UP_SECONDS: u32 = 1;
/// No message comes later than that after the one before it.
const SILENCE: Duration = Duration::from_secs(30);
const GROUP: &str = "gudang-analytics";
/// When each fact was committed.
const COMMITTED: &str = "SELECT s.product_id::text || '@' || s.location, f.version, (extract(epoch FROM pg_xact_commit_timestamp(f.xmin)) * 1000000)::bigint \
     FROM fact f JOIN series s ON s.id = f.series";

const ANSWERED: [&str; 2] = ["HTTP: p50 ms", "HTTP: p99 ms"];
const HEARD: [&str; 2] = ["recorded until a consumer has it: p50 ms", "recorded until a consumer has it: p99 ms"];
const APPLIED: [&str; 2] = ["recorded until Analytics commits it: p50 ms", "recorded until Analytics commits it: p99 ms"];

const SOON: [Claim; 2] = [
    Claim { says: "commit to consumer: p50 ms", figure: |figures| of(figures, HEARD[0]), aim: Aim::AtMost(10.0) },
    Claim { says: "commit to consumer: p99 ms", figure: |figures| of(figures, HEARD[1]), aim: Aim::AtMost(50.0) },
];

/// With one instance of Stock.
pub(crate) const ONE: Comparison<Place> = Comparison { name: "latency", measure: |place| measure(place, 1), claims: &SOON };

/// With two, each of which gets half of the changes.
pub(crate) const TWO: Comparison<Place> = Comparison { name: "latency-two", measure: |place| measure(place, 2), claims: &SOON };

fn measure(place: &Place, instances: usize) -> anyhow::Result<Figures> {
    let (shelves, reports) = (place.shelves()?, place.database()?);
    let kafka = kafka::start()?;
    let mut stocks = (0..instances).map(|_| place.stock(&shelves, &kafka)).collect::<anyhow::Result<Vec<_>>>()?;
    let mut analytics = place.analytics(&reports, &kafka)?;
    place.block_on(changes::restock(&stocks[0]))?;
    kafka::consumed(&kafka, GROUP, STOCK_CHANGES, HOW_MANY.into())?;
    let pace = changes::pace(place.seconds + WARM_UP_SECONDS);
    let events = i64::from(HOW_MANY + pace.rate * pace.seconds);
    let listener = Listener::start(&kafka, events)?;
    place.settle()?;
    let from = Timestamp::now() + SignedDuration::from_secs(WARM_UP_SECONDS.into());
    let addresses = stocks.iter().map(address).collect::<anyhow::Result<Vec<_>>>()?;
    let asked = place.block_on(steady::ask(&addresses, pace, Sell))?;
    let mut heard = listener.end()?;
    kafka::consumed(&kafka, GROUP, STOCK_CHANGES, events)?;
    heard.retain(|_, heard| heard.recorded >= from);
    let mut applied = Vec::new();
    for row in place.rows(&reports, COMMITTED)? {
        let of: (String, i64) = (row.try_get(0)?, row.try_get(1)?);
        applied.extend(heard.get(&of).map(|heard| (heard.recorded, row.get::<_, i64>(2))));
    }
    ensure!(applied.len() == heard.len(), "Analytics has {} of {} changes", applied.len(), heard.len());
    let applied = applied.into_iter().map(|(recorded, at)| Ok(between(recorded, Timestamp::from_microsecond(at)?)));
    let applied = applied.collect::<anyhow::Result<Vec<_>>>()?;
    stocks.iter_mut().for_each(testkit::Program::stop);
    analytics.stop();
    place.drop(&shelves)?;
    place.drop(&reports)?;
    let mut figures = Figures::new();
    for (quantile, share) in [0.5, 0.99].into_iter().enumerate() {
        figures.insert(ANSWERED[quantile], quantile_ms(asked.iter().map(|(took, ())| *took), share));
        figures.insert(HEARD[quantile], quantile_ms(heard.values().map(|heard| between(heard.recorded, heard.at)), share));
        figures.insert(APPLIED[quantile], quantile_ms(applied.iter().copied(), share));
    }
    Ok(figures)
}

/// How long after `earlier` the other was; nothing where clocks were set in between.
fn between(earlier: Timestamp, later: Timestamp) -> Duration {
    Duration::try_from(later.duration_since(earlier)).unwrap_or_default()
}

/// When a change was recorded, and when it was heard of.
struct Heard {
    recorded: Timestamp,
    at: Timestamp,
}

/// Changes by stream and version.
type Changes = HashMap<(String, i64), Heard>;

/// A consumer in a thread of its own.
struct Listener(JoinHandle<anyhow::Result<Changes>>);

impl Listener {
    /// Listens until so many messages have come.
    fn start(kafka: &Kafka, count: i64) -> anyhow::Result<Self> {
        let consumer = kafka::consumer(kafka, STOCK_CHANGES)?;
        Ok(Self(thread::spawn(move || listen(&consumer, count))))
    }

    fn end(self) -> anyhow::Result<Changes> {
        self.0.join().ok().context("the consumer ended by itself")?
    }
}

fn listen(consumer: &BaseConsumer, count: i64) -> anyhow::Result<Changes> {
    let mut changes = Changes::new();
    for _ in 0..count {
        let message = consumer.poll(SILENCE).context("no message came")??;
        let at = Timestamp::now();
        let headers = message.headers().context("headers")?;
        let text = |name: &str| {
            let header = headers.iter().find(|header| header.key == name).context("a header is missing")?;
            Ok::<_, anyhow::Error>(std::str::from_utf8(header.value.unwrap_or_default())?)
        };
        let recorded = Time::parse(text("ce_recordedtime")?)?.timestamp();
        changes.insert((text("ce_subject")?.to_owned(), text("ce_sequence")?.parse()?), Heard { recorded, at });
    }
    Ok(changes)
}
