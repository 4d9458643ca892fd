//! What the API server answers, as far as it is read here: Deployments, KEDA's ScaledObjects, and external metrics.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A list of anything.
#[derive(Debug, Deserialize)]
pub(super) struct List<T> {
    pub(super) items: Vec<T>,
}

/// What every object has.
#[derive(Debug, Deserialize)]
pub(super) struct Metadata {
    pub(super) name: String,
    #[serde(default)]
    pub(super) labels: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) annotations: BTreeMap<String, String>,
}

/// A Deployment.
#[derive(Debug, Deserialize)]
pub(super) struct Deployment {
    pub(super) metadata: Metadata,
    pub(super) spec: DeploymentSpec,
    #[serde(default)]
    pub(super) status: DeploymentStatus,
}

#[derive(Debug, Deserialize)]
pub(super) struct DeploymentSpec {
    /// The API server fills it in where nobody did.
    pub(super) replicas: i32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeploymentStatus {
    #[serde(default)]
    pub(super) ready_replicas: i32,
}

/// A ScaledObject of KEDA.
#[derive(Debug, Deserialize)]
pub(super) struct ScaledObject {
    pub(super) metadata: Metadata,
    pub(super) spec: ScaledObjectSpec,
    #[serde(default)]
    pub(super) status: ScaledObjectStatus,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ScaledObjectSpec {
    pub(super) scale_target_ref: Target,
    #[serde(default)]
    pub(super) min_replica_count: i32,
    pub(super) max_replica_count: Option<i32>,
    #[serde(default)]
    pub(super) triggers: Vec<Trigger>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Target {
    pub(super) name: String,
}

/// What makes replicas.
#[derive(Debug, Deserialize)]
pub(super) struct Trigger {
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) metadata: TriggerMetadata,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TriggerMetadata {
    pub(super) topic: Option<String>,
    pub(super) consumer_group: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ScaledObjectStatus {
    #[serde(default)]
    pub(super) external_metric_names: Vec<String>,
    #[serde(default)]
    pub(super) conditions: Vec<Condition>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Condition {
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// `True`, `False` or `Unknown`.
    pub(super) status: String,
    #[serde(default)]
    pub(super) message: String,
}

/// One value of an external metric.
#[derive(Debug, Deserialize)]
pub(super) struct MetricValue {
    /// A quantity: `1500`, `100k`, `1500m`.
    pub(super) value: String,
}

/// A quantity of Kubernetes as a whole number, a fraction rounded up: whatever is left counts as a message.
pub(super) fn whole(quantity: &str) -> Option<u64> {
    let digits = quantity.trim_end_matches(|last: char| last.is_ascii_alphabetic());
    let (times, by): (u64, u64) = match &quantity[digits.len()..] {
        "" => (1, 1),
        "m" => (1, 1000),
        "k" => (1000, 1),
        "M" => (1_000_000, 1),
        "G" => (1_000_000_000, 1),
        _ => return None,
    };
    Some(digits.parse::<u64>().ok()?.checked_mul(times)?.div_ceil(by))
}

#[cfg(test)]
mod tests {
    use super::whole;

    #[test]
    fn a_quantity_is_read_as_kubernetes_writes_it() {
        for (quantity, number) in [
            ("0", Some(0)),
            ("1500", Some(1500)),
            ("100k", Some(100_000)),
            ("1500m", Some(2)),
            ("3M", Some(3_000_000)),
            ("1Ki", None),
            ("", None),
        ] {
            assert_eq!(whole(quantity), number, "{quantity}");
        }
    }
}
