//! Requests at a rate of their own, whatever becomes of those before them. It knows neither what is asked nor of whom.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::wire::Wire;

/// How many requests a second, over how many connections, for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) rate: u32,
    pub(crate) connections: u32,
    pub(crate) seconds: u32,
}

/// What is asked at each turn, and what is made of the answer's status and body.
pub(crate) trait Ask: Send + Sync + 'static {
    /// What is kept of an answer.
    type Kept: Send + 'static;

    /// The request of a turn.
    fn request(&self, address: SocketAddr, turn: u32) -> Vec<u8>;

    /// What is kept of its answer; an error ends everything.
    fn kept(&self, turn: u32, status: u16, body: &[u8]) -> anyhow::Result<Self::Kept>;
}

/// Asks at this pace, connections spread over `addresses`. Gives for each request how long it took since it was due, and what was kept.
///
/// A connection that is late asks at once, and its being late counts.
pub(crate) async fn ask<A: Ask>(addresses: &[SocketAddr], pace: Pace, what: A) -> anyhow::Result<Vec<(Duration, A::Kept)>> {
    let what = Arc::new(what);
    let mut wires = Vec::new();
    for (_, address) in (0..pace.connections).zip(addresses.iter().cycle()) {
        wires.push((*address, Wire::open(*address).await?));
    }
    let begun = Instant::now();
    let mut connections = JoinSet::new();
    for (number, (address, mut wire)) in wires.into_iter().enumerate() {
        let what = Arc::clone(&what);
        connections.spawn(async move {
            let mut asked = Vec::new();
            for turn in (number as u32..pace.rate * pace.seconds).step_by(pace.connections as usize) {
                let due = begun + Duration::from_secs_f64(f64::from(turn) / f64::from(pace.rate));
                sleep_until(due).await;
                let (status, body) = wire.ask(&what.request(address, turn)).await?;
                asked.push((due.elapsed(), what.kept(turn, status, body)?));
            }
            anyhow::Ok(asked)
        });
    }
    let mut asked = Vec::new();
    while let Some(connection) = connections.join_next().await {
        asked.extend(connection??);
    }
    Ok(asked)
}
