//! A worker: its Deployment, joined with the ScaledObject that scales it. It asks nobody anything.

use serde::Serialize;

use super::answers::{Deployment, ScaledObject};
use super::state::{self, Pause, State};
use crate::table::thousands;

/// How the chart names a worker's Deployment: `<release>-<service>-worker`.
const SUFFIX: &str = "-worker";
/// What KEDA allows where a ScaledObject says nothing.
const MAX: i32 = 100;

/// The worker role of one service.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Worker {
    /// The service.
    #[serde(rename = "worker")]
    pub(super) name: String,
    deployment: String,
    /// How many there should be.
    pub(super) replicas: i32,
    /// How many of them work.
    pub(super) ready: i32,
    /// What scales it; absent: nothing does.
    pub(super) scaler: Option<Scaler>,
    /// How far it is behind, a topic at a time.
    pub(super) lag: Vec<Lag>,
}

/// A ScaledObject.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Scaler {
    pub(super) name: String,
    pub(super) min: i32,
    pub(super) max: i32,
    pub(super) state: State,
    /// Directions in which it was told not to go.
    stopped: Vec<&'static str>,
    /// What KEDA says is wrong.
    pub(super) trouble: Option<String>,
    #[serde(skip)]
    pub(super) heard: Vec<Heard>,
    /// The names of what KEDA measures.
    #[serde(skip)]
    pub(super) metrics: Vec<String>,
}

/// What a trigger listens to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) group: String,
    pub(super) topic: String,
}

/// How far a worker is behind in one topic.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Lag {
    pub(super) topic: String,
    /// Absent: unknown.
    pub(super) messages: Option<u64>,
    /// Whether Kafka itself said so; KEDA rounds.
    pub(super) exact: bool,
    /// Why it is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unknown: Option<String>,
}

/// The workers among these Deployments, each with what scales it.
pub(super) fn of(deployments: Vec<Deployment>, scaled_objects: Vec<ScaledObject>) -> Vec<Worker> {
    let mut scalers: Vec<(String, Scaler)> = scaled_objects.into_iter().map(scaler).collect();
    let mut workers: Vec<Worker> = deployments
        .into_iter()
        .filter_map(|deployment| {
            let name = deployment.metadata.name.strip_suffix(SUFFIX)?.rsplit('-').next()?.to_owned();
            let scaler = scalers.iter().position(|(target, _)| *target == deployment.metadata.name).map(|at| scalers.swap_remove(at).1);
            let (replicas, ready) = (deployment.spec.replicas, deployment.status.ready_replicas);
            Some(Worker { name, deployment: deployment.metadata.name, replicas, ready, scaler, lag: Vec::new() })
        })
        .collect();
    workers.sort_by(|one, other| one.name.cmp(&other.name));
    workers
}

fn scaler(object: ScaledObject) -> (String, Scaler) {
    let kafka = object.spec.triggers.iter().filter(|trigger| trigger.kind == "kafka");
    let heard = kafka.filter_map(|trigger| {
        let (group, topic) = (trigger.metadata.consumer_group.clone()?, trigger.metadata.topic.clone()?);
        Some(Heard { group, topic })
    });
    let scaler = Scaler {
        min: object.spec.min_replica_count,
        max: object.spec.max_replica_count.unwrap_or(MAX),
        state: state::of(&object),
        stopped: state::directions(&object),
        trouble: state::trouble(&object),
        heard: heard.collect(),
        name: object.metadata.name,
        metrics: object.status.external_metric_names,
    };
    (object.spec.scale_target_ref.name, scaler)
}

impl Worker {
    /// Whether what was asked for is done.
    pub(super) fn obeys(&self, pause: Option<Pause>) -> bool {
        let Some(scaler) = &self.scaler else { return false };
        match pause {
            None => !matches!(scaler.state, State::Paused(_) | State::Pausing(_) | State::Resuming) && scaler.stopped.is_empty(),
            Some(pause) => scaler.state == State::Paused(pause) && !matches!(pause, Pause::At(replicas) if replicas != self.replicas),
        }
    }

    /// All of it, for people. `~` stands before what KEDA says.
    pub(super) fn lag_told(&self) -> String {
        let known: Option<u64> = self.lag.iter().map(|lag| lag.messages).sum();
        match known {
            Some(messages) if !self.lag.is_empty() => {
                let about = if self.lag.iter().all(|lag| lag.exact) { "" } else { "~" };
                format!("{about}{}", thousands(messages))
            }
            _ => "?".to_owned(),
        }
    }

    /// What scaling is about, for people.
    pub(super) fn state_told(&self) -> String {
        let Some(scaler) = &self.scaler else { return "not scaled".to_owned() };
        let told = match scaler.state {
            State::Active => "active".to_owned(),
            State::Idle => "idle".to_owned(),
            State::Paused(Pause::AsItIs) => "paused".to_owned(),
            State::Paused(Pause::At(replicas)) => format!("paused at {replicas}"),
            State::Pausing(_) => "about to pause".to_owned(),
            State::Resuming => "about to resume".to_owned(),
            State::Fallback => "fallback".to_owned(),
            State::Failing => "failing".to_owned(),
            State::Unknown => "unknown".to_owned(),
        };
        if scaler.stopped.is_empty() { told } else { format!("{told}, never {}", scaler.stopped.join(" or ")) }
    }
}
