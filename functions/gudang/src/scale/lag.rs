//! How far workers are behind: from Kafka, where it can be reached from here; else from KEDA, by the metrics that make replicas.
//!
//! KEDA's number is no count: it is never more than what makes a replica of each partition, and where partitions are to be spread evenly it is
//! rounded up to what makes a number of replicas that divides them, even from nothing. So an idle worker's is taken as none.

use bus::kafka::{self, Settings};

use super::answers::whole;
use super::cluster::{Cluster, NoCluster};
use super::state::State;
use super::worker::{Heard, Lag, Scaler, Worker};

/// Measures all of them. What cannot be measured is unknown, with the reason.
pub(super) async fn measure(cluster: &Cluster, kafka: Option<&Settings>, workers: &mut [Worker]) {
    for worker in workers {
        let Some(scaler) = &worker.scaler else { continue };
        let mut lag = Vec::new();
        for (at, heard) in scaler.heard.iter().enumerate() {
            lag.push(match kafka {
                Some(settings) => counted(settings, heard).await,
                None => told(cluster, scaler, at, &heard.topic).await,
            });
        }
        worker.lag = lag;
    }
}

async fn counted(settings: &Settings, heard: &Heard) -> Lag {
    let (messages, unknown) = match kafka::lag(settings, &heard.group, &heard.topic).await {
        Ok(messages) => (Some(messages), None),
        Err(error) => (None, Some(error.to_string())),
    };
    Lag { topic: heard.topic.clone(), messages, exact: true, unknown }
}

async fn told(cluster: &Cluster, scaler: &Scaler, at: usize, topic: &str) -> Lag {
    let (messages, unknown) = match value(cluster, scaler, at).await {
        Ok(Some(messages)) => (Some(if scaler.state == State::Idle { 0 } else { messages }), None),
        Ok(None) => (None, Some("KEDA has no number for it yet".to_owned())),
        Err(error) => (None, Some(fault::chain(&error))),
    };
    Lag { topic: topic.to_owned(), messages, exact: false, unknown }
}

/// KEDA names a trigger's metric by the trigger's place: `s0-kafka-stock-changes`.
async fn value(cluster: &Cluster, scaler: &Scaler, at: usize) -> Result<Option<u64>, NoCluster> {
    let Some(metric) = scaler.metrics.iter().find(|name| name.starts_with(&format!("s{at}-"))) else { return Ok(None) };
    let values = cluster.metric(&scaler.name, metric).await?;
    Ok(values.first().and_then(|value| whole(&value.value)))
}
