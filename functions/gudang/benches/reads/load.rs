//! Readers that ask again as soon as they are answered, the same for whoever is asked.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::ensure;
use tokio::task::JoinSet;

use crate::wire::{self, Wire};

/// Reads `path` over so many connections for a while; answers a second.
pub(crate) async fn read(address: SocketAddr, path: &str, connections: u32, lasting: Duration) -> anyhow::Result<f64> {
    let request = wire::request(address, &format!("GET {path}"), "", "");
    let begun = Instant::now();
    let mut readers = JoinSet::new();
    for _ in 0..connections {
        readers.spawn(ask(address, request.clone(), begun + lasting));
    }
    let mut answers = 0;
    while let Some(reader) = readers.join_next().await {
        answers += reader??;
    }
    Ok(f64::from(answers) / begun.elapsed().as_secs_f64())
}

/// One connection; counts its answers, which must be 200.
async fn ask(address: SocketAddr, request: Vec<u8>, end: Instant) -> anyhow::Result<u32> {
    let mut wire = Wire::open(address).await?;
    let mut answers = 0;
    while Instant::now() < end {
        let (status, _) = wire.ask(&request).await?;
        ensure!(status == 200, "answered {status}");
        answers += 1;
    }
    Ok(answers)
}
