//! What a ScaledObject's annotations and conditions come to, and which annotations ask for a pause. It knows no cluster.
//!
//! KEDA's rules: `paused-replicas` scales to that number and stops; `paused` stops where it stands, unless its value is a false one; both
//! take the HorizontalPodAutoscaler away. `paused-scale-in` and `paused-scale-out` stop one direction and leave the rest at work.

use serde::Serialize;
use serde_json::{Value, json};

use super::answers::ScaledObject;

const REPLICAS: &str = "autoscaling.keda.sh/paused-replicas";
const PAUSED: &str = "autoscaling.keda.sh/paused";
const SCALE_IN: &str = "autoscaling.keda.sh/paused-scale-in";
const SCALE_OUT: &str = "autoscaling.keda.sh/paused-scale-out";

/// How scaling is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Pause {
    /// At the replicas that there are.
    AsItIs,
    /// At so many.
    At(i32),
}

/// What scaling is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// There is lag, so there are replicas.
    Active,
    /// There is none.
    Idle,
    /// It was stopped by hand.
    Paused(Pause),
    /// It was stopped by hand, and KEDA has not done so yet.
    Pausing(Pause),
    /// It was resumed by hand, and KEDA has not done so yet.
    Resuming,
    /// KEDA cannot tell the lag, and keeps the replicas that its `fallback` says.
    Fallback,
    /// KEDA cannot scale it.
    Failing,
    /// KEDA has not looked yet.
    Unknown,
}

/// The annotations that ask for it. What they do not say must not be left from before.
pub(super) fn annotations(pause: Option<Pause>) -> Value {
    match pause {
        Some(Pause::AsItIs) => json!({ PAUSED: "true", REPLICAS: null }),
        Some(Pause::At(replicas)) => json!({ PAUSED: null, REPLICAS: replicas.to_string() }),
        None => json!({ PAUSED: null, REPLICAS: null, SCALE_IN: null, SCALE_OUT: null }),
    }
}

/// What the annotations ask for.
fn asked(object: &ScaledObject) -> Option<Pause> {
    let annotations = &object.metadata.annotations;
    if let Some(replicas) = annotations.get(REPLICAS) {
        // KEDA stops for one that is no number, too, and then cannot scale to it.
        return Some(replicas.parse().map_or(Pause::AsItIs, Pause::At));
    }
    holds(annotations.get(PAUSED)).then_some(Pause::AsItIs)
}

/// Whether an annotation switches something on, in Go's words for it: whatever is not a false one is a true one.
fn holds(annotation: Option<&String>) -> bool {
    annotation.is_some_and(|value| !["0", "f", "F", "false", "False", "FALSE"].contains(&value.as_str()))
}

/// What a ScaledObject is about.
pub(super) fn of(object: &ScaledObject) -> State {
    let is = |kind: &str, status: &str| object.status.conditions.iter().any(|it| it.kind == kind && it.status == status);
    match asked(object) {
        Some(pause) if is("Paused", "True") => State::Paused(pause),
        Some(pause) => State::Pausing(pause),
        None if is("Paused", "True") && directions(object).is_empty() => State::Resuming,
        None if is("Ready", "False") => State::Failing,
        None if is("Fallback", "True") => State::Fallback,
        None if is("Active", "True") => State::Active,
        None if is("Active", "False") => State::Idle,
        None => State::Unknown,
    }
}

/// The directions in which it does not go.
pub(super) fn directions(object: &ScaledObject) -> Vec<&'static str> {
    let annotations = &object.metadata.annotations;
    let stopped = [(SCALE_IN, "in"), (SCALE_OUT, "out")].into_iter();
    stopped.filter(|(name, _)| holds(annotations.get(*name))).map(|(_, direction)| direction).collect()
}

/// What KEDA says is wrong.
pub(super) fn trouble(object: &ScaledObject) -> Option<String> {
    let unready = object.status.conditions.iter().find(|it| it.kind == "Ready" && it.status == "False");
    unready.map(|condition| condition.message.clone()).filter(|message| !message.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(annotations: &Value, conditions: &[(&str, &str)]) -> ScaledObject {
        let conditions: Vec<Value> = conditions.iter().map(|(kind, status)| json!({ "type": kind, "status": status })).collect();
        serde_json::from_value(json!({
            "metadata": { "name": "analytics", "annotations": annotations },
            "spec": { "scaleTargetRef": { "name": "analytics" } },
            "status": { "conditions": conditions },
        }))
        .expect("an object")
    }

    #[test]
    fn the_state_is_what_keda_makes_of_annotations_and_conditions() {
        let (active, idle, paused) =
            ([("Ready", "True"), ("Active", "True")], [("Active", "False")], [("Active", "True"), ("Paused", "True")]);
        for (annotations, conditions, state) in [
            (json!({}), &active[..], State::Active),
            (json!({}), &idle, State::Idle),
            (json!({}), &[], State::Unknown),
            (json!({}), &[("Ready", "False"), ("Active", "True")], State::Failing),
            (json!({}), &[("Ready", "True"), ("Fallback", "True"), ("Active", "True")], State::Fallback),
            (json!({ PAUSED: "true" }), &paused, State::Paused(Pause::AsItIs)),
            (json!({ PAUSED: "" }), &paused, State::Paused(Pause::AsItIs)),
            (json!({ PAUSED: "false" }), &active, State::Active),
            (json!({ PAUSED: "false", REPLICAS: "2" }), &paused, State::Paused(Pause::At(2))),
            (json!({ REPLICAS: "0" }), &active, State::Pausing(Pause::At(0))),
            (json!({}), &paused, State::Resuming),
            (json!({ SCALE_IN: "true" }), &paused, State::Active),
        ] {
            let object = object(&annotations, conditions);
            assert_eq!(of(&object), state, "{annotations} {conditions:?}");
        }
        assert_eq!(directions(&object(&json!({ SCALE_OUT: "true", SCALE_IN: "0" }), &[])), ["out"]);
    }

    #[test]
    fn a_pause_takes_another_s_place_and_resuming_leaves_none() {
        let after = |pause| annotations(pause).as_object().expect("an object").clone();
        assert_eq!(after(Some(Pause::At(0))).get(PAUSED), Some(&Value::Null));
        assert_eq!(after(Some(Pause::AsItIs)).get(REPLICAS), Some(&Value::Null));
        assert!(after(None).values().all(Value::is_null) && after(None).len() == 4);
    }
}
