//! `gudang scale`: how the workers of a release in Kubernetes are scaled, and the switch that stops and resumes it.
//!
//! KEDA does the scaling; this reads what it says and writes the annotations that it listens to. It asks no service anything.

mod answers;
mod cluster;
mod lag;
mod state;
mod worker;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::bail;
use clap::{Args, Subcommand};
use host::flags::Kafka;
use serde::Serialize;

use crate::table::{self, table};
use cluster::{Cluster, NoCluster, Release};
use state::Pause;
use worker::Worker;

/// How long KEDA may take to do what an annotation asks of it.
const KEDA: Duration = Duration::from_secs(30);
/// Between two looks at whether it has.
const LOOK: Duration = Duration::from_millis(500);

/// `gudang scale`.
#[derive(Debug, Args)]
#[command(
    after_help = "Lag is what KEDA says (~), which it rounds to what makes replicas; where KAFKA_BOOTSTRAP_SERVERS says how to reach Kafka \
                  from here, it is exact."
)]
pub(crate) struct Options {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    at: Place,
    #[command(flatten, next_help_heading = "Kafka, for exact lag")]
    kafka: Kafka,
}

/// Which release, and how to say it.
#[derive(Debug, Args)]
struct Place {
    /// Its namespace [default: the one of the kubeconfig's context]
    #[arg(long, short, global = true)]
    namespace: Option<String>,
    /// The Helm release, where the namespace has several of Gudang
    #[arg(long, global = true)]
    release: Option<String>,
    /// Context of the kubeconfig [default: the current one]
    #[arg(long, global = true)]
    context: Option<String>,
    /// Print one JSON object
    #[arg(long, global = true)]
    json: bool,
}

/// What to do instead of looking.
#[derive(Debug, Subcommand)]
enum What {
    /// Stop scaling: workers keep the replicas that they have, or get so many
    Pause {
        /// Replicas to keep until scaling is resumed [default: as many as there are]
        #[arg(long, value_parser = clap::value_parser!(i32).range(0..=10_000))]
        replicas: Option<i32>,
        /// Workers, such as `analytics` [default: all that KEDA scales]
        workers: Vec<String>,
    },
    /// Let KEDA scale again
    Resume {
        /// Workers, such as `analytics` [default: all that KEDA scales]
        workers: Vec<String>,
    },
}

/// What a program reads.
#[derive(Serialize)]
struct Report<'a> {
    namespace: &'a str,
    release: &'a str,
    workers: &'a [Worker],
}

/// Does it, and then shows how things are.
pub(crate) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let Place { namespace, release, context, json } = options.at;
    let kafka = crate::config::kafka(&options.kafka)?;
    let cluster = Cluster::connect(context, namespace, release).await?;
    let (mut release, mut chosen) = (cluster.release().await?, Vec::new());
    if let Some(what) = options.what {
        let (pause, named) = match what {
            What::Pause { replicas, workers } => (Some(replicas.map_or(Pause::AsItIs, Pause::At)), workers),
            What::Resume { workers } => (None, workers),
        };
        chosen = choose(&release, &named)?;
        release = switch(&cluster, &chosen, pause).await?;
    }
    let mut workers = release.workers;
    workers.retain(|worker| chosen.is_empty() || chosen.contains(&worker.name));
    lag::measure(&cluster, kafka.as_ref(), &mut workers).await;
    if json {
        let report = Report { namespace: cluster.namespace(), release: &release.name, workers: &workers };
        table::line(&serde_json::to_string(&report)?)?;
    } else {
        table::line(&told(&workers))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The workers that are meant: those named, which KEDA must scale, or all that it does.
fn choose(Release { workers, has_keda, .. }: &Release, named: &[String]) -> anyhow::Result<Vec<String>> {
    if !has_keda {
        return Err(NoCluster::NoKeda.into());
    }
    let scaled = || workers.iter().filter(|worker| worker.scaler.is_some());
    if let Some(unknown) = named.iter().find(|name| !workers.iter().any(|worker| worker.name == **name)) {
        let names: Vec<&str> = workers.iter().map(|worker| worker.name.as_str()).collect();
        bail!("there is no worker `{unknown}`: there are {}", names.join(", "));
    }
    if let Some(fixed) = named.iter().find(|name| !scaled().any(|worker| worker.name == **name)) {
        bail!("KEDA does not scale `{fixed}`: it has no ScaledObject; the chart makes one with keda.enabled=true");
    }
    let chosen: Vec<String> = if named.is_empty() { scaled().map(|worker| worker.name.clone()).collect() } else { named.to_vec() };
    if chosen.is_empty() {
        bail!("KEDA scales no worker of this release: the chart makes ScaledObjects with keda.enabled=true");
    }
    Ok(chosen)
}

/// Writes the annotations and waits until KEDA has done what they say.
async fn switch(cluster: &Cluster, chosen: &[String], pause: Option<Pause>) -> anyhow::Result<Release> {
    let begun = Instant::now();
    let release = cluster.release().await?;
    for scaler in release.workers.iter().filter(|worker| chosen.contains(&worker.name)).filter_map(|worker| worker.scaler.as_ref()) {
        cluster.annotate(&scaler.name, state::annotations(pause)).await?;
    }
    loop {
        let release = cluster.release().await?;
        let late = release.workers.iter().filter(|worker| chosen.contains(&worker.name)).find(|worker| !worker.obeys(pause));
        let Some(late) = late else { return Ok(release) };
        if begun.elapsed() > KEDA {
            bail!(
                "KEDA did nothing about `{}` for {} s: is its operator running? It will do so when it is back",
                late.name,
                KEDA.as_secs()
            );
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// What a person reads.
fn told(workers: &[Worker]) -> String {
    let columns = ["worker", ">lag", ">ready", ">replicas", ">bounds", "scaling"];
    let rows = workers.iter().map(|worker| {
        vec![
            worker.name.clone(),
            worker.lag_told(),
            worker.ready.to_string(),
            worker.replicas.to_string(),
            worker.scaler.as_ref().map_or("-".to_owned(), |scaler| format!("{}-{}", scaler.min, scaler.max)),
            worker.state_told(),
        ]
    });
    let mut lines = vec![table(&columns, rows)];
    for worker in workers {
        lines.extend(worker.lag.iter().filter_map(|lag| Some(format!("{}: lag is unknown: {}", worker.name, lag.unknown.as_ref()?))));
        lines.extend(worker.scaler.iter().filter_map(|scaler| Some(format!("{}: {}", worker.name, scaler.trouble.as_ref()?))));
    }
    lines.join("\n")
}
