//! `gudang scale` against an API server that keeps the objects of the test and answers in the shapes of Kubernetes' and KEDA 2.21's own types.

mod cluster;

use std::process::Command;

use serde_json::json;

use crate::said::{GUDANG, Said};
use cluster::{Cluster, Knows};

/// Runs `gudang scale` with this kubeconfig and nothing else.
fn scale(kubeconfig: &std::path::Path, arguments: &[&str]) -> Said {
    let mut command = Command::new(GUDANG);
    for variable in ["KAFKA_BOOTSTRAP_SERVERS", "KUBERNETES_SERVICE_HOST"] {
        command.env_remove(variable);
    }
    Said::by(command.env("KUBECONFIG", kubeconfig).arg("scale").args(arguments))
}

#[test]
fn each_worker_is_shown_with_its_lag_its_replicas_and_what_scales_it() {
    let cluster = Cluster::start(Knows::Everything);
    let said = scale(cluster.kubeconfig(), &[]).expect(0);
    let lines: Vec<Vec<&str>> = said.out.lines().map(|line| line.split('|').map(str::trim).collect()).collect();
    let row = |worker: &str| lines.iter().find(|line| line.get(1) == Some(&worker)).unwrap_or_else(|| panic!("{worker}: {said:?}"));
    assert_eq!(row("analytics")[1..7], ["analytics", "~3,500", "2", "3", "0-12", "active"]);
    assert_eq!(row("notification")[1..7], ["notification", "~0", "0", "0", "0-12", "idle"], "what idles is behind in nothing");
    assert_eq!(row("product")[1..7], ["product", "?", "1", "1", "-", "not scaled"]);
    let report = scale(cluster.kubeconfig(), &["--json"]).expect(0).json();
    assert_eq!((&report["namespace"], &report["release"]), (&json!("shop"), &json!("gudang")));
    let analytics = &report["workers"][0];
    assert_eq!(analytics["scaler"]["state"], "active");
    assert_eq!(analytics["lag"][1], json!({ "topic": "stock-changes", "messages": 3000, "exact": false }));
}

#[test]
fn a_pause_and_its_end_are_annotations_that_keda_has_followed_when_the_command_ends() {
    let cluster = Cluster::start(Knows::Everything);
    let paused = scale(cluster.kubeconfig(), &["pause", "--replicas", "1", "analytics", "--json"]).expect(0).json();
    assert_eq!(paused["workers"][0]["scaler"]["state"], json!({ "paused": { "at": 1 } }));
    assert_eq!(paused["workers"][0]["replicas"], 1);
    assert_eq!(paused["workers"].as_array().map(Vec::len), Some(1), "the others are none of its business");
    assert_eq!(cluster.annotations("analytics"), json!({ "autoscaling.keda.sh/paused-replicas": "1" }));
    assert_eq!(cluster.annotations("notification"), json!({}));

    let said = scale(cluster.kubeconfig(), &["pause"]).expect(0);
    assert_eq!(said.out.matches("paused").count(), 2, "{said:?}");
    assert_eq!(cluster.annotations("analytics"), json!({ "autoscaling.keda.sh/paused": "true" }), "the number is gone");

    let said = scale(cluster.kubeconfig(), &["resume"]).expect(0);
    assert!(said.out.contains("active") && !said.out.contains("pause"), "{said:?}");
    for worker in ["analytics", "notification"] {
        assert_eq!(cluster.annotations(worker), json!({}));
    }
}

#[test]
fn a_cluster_without_keda_is_shown_and_cannot_be_paused() {
    let cluster = Cluster::start(Knows::NoKeda);
    let said = scale(cluster.kubeconfig(), &[]).expect(0);
    assert_eq!(said.out.matches("not scaled").count(), 3, "{said:?}");
    let said = scale(cluster.kubeconfig(), &["pause"]).expect(1);
    assert!(said.err.contains("KEDA is not installed"), "{said:?}");
}

#[test]
fn whoever_may_not_read_metrics_sees_everything_else() {
    let cluster = Cluster::start(Knows::NoMetrics);
    let said = scale(cluster.kubeconfig(), &[]).expect(0);
    assert!(said.out.contains("analytics: lag is unknown") && said.out.contains("forbidden") && said.out.contains("active"), "{said:?}");
}

#[test]
fn what_stands_in_the_way_is_said_with_what_to_do() {
    let cluster = Cluster::start(Knows::Everything);
    for (arguments, told) in [
        (&["--namespace", "elsewhere"][..], "no release of Gudang in namespace `elsewhere`"),
        (&["--release", "other"], "no release `other` of Gudang in namespace `shop`"),
        (&["--context", "other"], "no cluster is known here"),
        (&["pause", "sales"], "there is no worker `sales`: there are analytics, notification, product"),
        (&["pause", "product"], "KEDA does not scale `product`"),
    ] {
        let said = scale(cluster.kubeconfig(), arguments).expect(1);
        assert!(said.err.contains(told), "{arguments:?}: {said:?}");
    }
    let said = scale(Cluster::start(Knows::TwoReleases).kubeconfig(), &[]).expect(1);
    assert!(said.err.contains("several releases of Gudang, gudang, second: name one with --release"), "{said:?}");
    let said = scale(Cluster::start(Knows::Nobody).kubeconfig(), &[]).expect(1);
    assert!(said.err.contains("does not allow it") && said.err.contains("cannot list resource"), "{said:?}");
    assert!(cluster.is_untouched());
}

#[test]
fn a_cluster_that_is_away_or_unheard_of_is_an_error_that_says_so() {
    let home = tempfile::tempdir().unwrap();
    let said = scale(&home.path().join("none"), &[]).expect(1);
    assert!(said.err.contains("no cluster is known here") && said.err.contains("KUBECONFIG"), "{said:?}");
    let away = cluster::kubeconfig(home.path(), 1);
    let said = scale(&away, &[]).expect(1);
    assert!(said.err.contains("does not answer") && said.err.contains("refused"), "{said:?}");
}
