//! How fast Analytics takes in what lies in Kafka, against polling the same topic and COPY of the same facts into the same indexed table, in
//! transactions as large. Rates are read from PostgreSQL's own times of commits, so no start and no end of a program is part of them.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use contract::{ChangeType, Money, StockEvent};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::Message;
use rust_decimal::Decimal;
use testkit::Kafka;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, NoTls};

use crate::comparison::{Aim, Claim, Comparison, Figures, of};
use crate::kafka::{self, STOCK_CHANGES};
use crate::place::{EVENTS, FACTS, Place};

const GROUP: &str = "gudang-analytics";
/// Messages of a transaction at most, and how long the first of them waits for the others: as with the services' own consumer.
const BATCH: usize = 2000;
const LINGER: Duration = Duration::from_millis(2);
/// No message comes later than that.
const SILENCE: Duration = Duration::from_secs(30);

/// The table that Analytics has, alone.
const TABLE: &str = "
    CREATE TABLE fact (
        occurred_at timestamptz NOT NULL,
        version bigint NOT NULL,
        series integer NOT NULL,
        quantity integer NOT NULL CHECK (quantity <> 0),
        amount numeric NOT NULL,
        PRIMARY KEY (series, version)
    );
    CREATE INDEX fact_occurred_at ON fact (occurred_at);";
const COPY: &str = "COPY fact (occurred_at, version, series, quantity, amount) FROM STDIN (FORMAT binary)";
const COLUMNS: [Type; 5] = [Type::TIMESTAMPTZ, Type::INT8, Type::INT4, Type::INT4, Type::NUMERIC];
/// Facts behind those of the first commit, and the seconds from that to the last.
const PROGRESS: &str = "
    WITH made AS (SELECT pg_xact_commit_timestamp(xmin) AS at, count(*) AS facts FROM fact GROUP BY 1)
    SELECT sum(facts)::bigint, (sum(facts) - (SELECT facts FROM made ORDER BY at LIMIT 1))::float8, extract(epoch FROM max(at) - min(at))::float8,
        count(*) FROM made";

const ANALYTICS: &str = "Analytics: facts a second";
const ANALYTICS_BATCH: &str = "Analytics: facts a transaction";
const ALONE: &str = "polling and COPY: facts a second";
const ALONE_BATCH: &str = "polling and COPY: facts a transaction";

/// Ingest.
pub(crate) const INGEST: Comparison<Place> = Comparison {
    name: "ingest",
    measure,
    claims: &[Claim {
        says: "Analytics / polling and COPY",
        figure: |figures| of(figures, ANALYTICS) / of(figures, ALONE),
        aim: Aim::AtLeast(0.5),
    }],
};

fn measure(place: &Place) -> anyhow::Result<Figures> {
    let past = place.past()?;
    let kafka = kafka::start()?;
    let mut stock = place.stock(past, &kafka)?;
    kafka::filled(&kafka, STOCK_CHANGES, EVENTS)?;
    stock.stop();
    let mut figures = Figures::new();

    let reports = place.database()?;
    place.settle()?;
    let mut analytics = place.analytics(&reports, &kafka)?;
    kafka::consumed(&kafka, GROUP, STOCK_CHANGES, EVENTS)?;
    let (rate, batch) = progress(place, &reports)?;
    figures.extend([(ANALYTICS, rate), (ANALYTICS_BATCH, batch)]);
    analytics.stop();
    place.drop(&reports)?;

    let alone = place.database()?;
    place.sql(&alone, TABLE)?;
    place.settle()?;
    place.block_on(copy(&kafka, &place.url(&alone)))?;
    let (rate, batch) = progress(place, &alone)?;
    figures.extend([(ALONE, rate), (ALONE_BATCH, batch)]);
    place.drop(&alone)?;
    Ok(figures)
}

/// Facts a second, and facts a transaction.
fn progress(place: &Place, database: &str) -> anyhow::Result<(f64, f64)> {
    let rows = place.rows(database, PROGRESS)?;
    let row = rows.first().context("a row")?;
    let (facts, later, seconds, commits): (i64, f64, f64, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
    ensure!(facts == FACTS, "{facts} of {FACTS} facts are there");
    Ok((later / seconds, facts as f64 / commits as f64))
}

/// Polls everything and copies it.
async fn copy(kafka: &Kafka, database: &str) -> anyhow::Result<()> {
    let (client, connection) = tokio_postgres::connect(database, NoTls).await?;
    tokio::spawn(connection);
    let consumer = kafka::consumer(kafka, STOCK_CHANGES)?;
    let (mut series, mut heard) = (HashMap::new(), 0);
    while heard < EVENTS {
        let batch = poll(&consumer)?;
        heard += batch.len() as i64;
        write(&client, &batch, &mut series).await?;
        consumer.commit_consumer_state(CommitMode::Async)?;
    }
    Ok(())
}

fn poll(consumer: &BaseConsumer) -> anyhow::Result<Vec<StockEvent>> {
    let first = consumer.poll(SILENCE).context("no message came")??;
    let mut batch = vec![serde_json::from_slice(first.payload().unwrap_or_default())?];
    let until = Instant::now() + LINGER;
    while batch.len() < BATCH {
        let Some(message) = consumer.poll(until.saturating_duration_since(Instant::now())) else { break };
        batch.push(serde_json::from_slice(message?.payload().unwrap_or_default())?);
    }
    Ok(batch)
}

/// One transaction.
async fn write(client: &Client, batch: &[StockEvent], series: &mut HashMap<String, i32>) -> anyhow::Result<()> {
    let mut facts = Vec::with_capacity(batch.len());
    for event in batch {
        if let (Some(ChangeType::Sale), Some(quantity)) = (event.kind, event.quantity) {
            let next = series.len() as i32;
            let series = *series.entry(event.stream().to_string()).or_insert(next);
            let price = event.price_in_force().map_or(Decimal::ZERO, Money::amount);
            facts.push((series, event.version, event.occurred_at.timestamp(), quantity as i32, price * Decimal::from(quantity)));
        }
    }
    facts.sort_unstable_by_key(|(series, version, ..)| (*series, *version));
    let mut sink = std::pin::pin!(BinaryCopyInWriter::new(client.copy_in(COPY).await?, &COLUMNS));
    for (series, version, occurred_at, quantity, amount) in &facts {
        sink.as_mut().write(&[occurred_at, version, series, quantity, amount]).await?;
    }
    sink.as_mut().finish().await?;
    Ok(())
}
