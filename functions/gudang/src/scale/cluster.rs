//! The cluster: its API server's questions and answers, and what a refusal of it means. This is the only place that names `kube`.

use std::time::Duration;

use kube::config::KubeConfigOptions;
use kube::core::Request;
use kube::core::params::{ListParams, Patch, PatchParams};
use kube::{Client, Config};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::answers::{Deployment, List, MetricValue, ScaledObject};
use super::worker::{self, Worker};

/// For a connection to the API server.
const CONNECT: Duration = Duration::from_secs(5);
/// For one answer of it. Metrics come from a server behind it, which asks Kafka.
const ANSWER: Duration = Duration::from_secs(15);
/// Who wrote a field, as the API server keeps it.
const MANAGER: &str = "gudang";
/// By which labels the chart's objects are found, whatever it was told to call them.
const OURS: &str = "app.kubernetes.io/part-of=gudang";
const RELEASE: &str = "app.kubernetes.io/instance";

/// Why the cluster did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoCluster {
    /// Nobody said which.
    #[error("no cluster is known here: set KUBECONFIG, name a --context of it, or run inside of a cluster")]
    Unknown(#[source] Box<kube::Error>),
    /// Nobody is there.
    #[error("the cluster's API server does not answer")]
    Away(#[source] Box<kube::Error>),
    /// It does not know us.
    #[error("the cluster does not know who asks: the kubeconfig's credentials are wrong, or too old ({0})")]
    Unauthorized(String),
    /// It knows us, and this is not ours to do.
    #[error("the cluster does not allow it: {0}")]
    Forbidden(String),
    /// KEDA's part of the API is missing.
    #[error("KEDA is not installed in this cluster: it has no ScaledObjects")]
    NoKeda,
    /// Gudang is not there.
    #[error("there is no release{named} of Gudang in namespace `{namespace}`: is it another --namespace?")]
    NoRelease { namespace: String, named: String },
    /// Gudang is there several times.
    #[error("namespace `{namespace}` has several releases of Gudang, {releases}: name one with --release")]
    Several { namespace: String, releases: String },
    /// Anything else that it says.
    #[error("the cluster says no: {0}")]
    Refused(String),
}

impl From<kube::Error> for NoCluster {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => match status.code {
                401 => Self::Unauthorized(status.message),
                403 => Self::Forbidden(status.message),
                code => Self::Refused(format!("{} (status {code})", status.message.trim())),
            },
            kube::Error::InferConfig(_) | kube::Error::InferKubeconfig(_) => Self::Unknown(Box::new(error)),
            error => Self::Away(Box::new(error)),
        }
    }
}

/// A release of the chart.
pub(super) struct Release {
    pub(super) name: String,
    pub(super) workers: Vec<Worker>,
    /// Whether the cluster has KEDA.
    pub(super) has_keda: bool,
}

/// An API server, and what is asked of it.
pub(super) struct Cluster {
    client: Client,
    namespace: String,
    release: Option<String>,
}

impl Cluster {
    /// Finds the cluster as kubectl does, and inside of one its own.
    pub(super) async fn connect(context: Option<String>, namespace: Option<String>, release: Option<String>) -> Result<Self, NoCluster> {
        let config = match context {
            None => Config::infer().await.map_err(kube::Error::InferConfig),
            context => {
                let options = KubeConfigOptions { context, ..KubeConfigOptions::default() };
                Config::from_kubeconfig(&options).await.map_err(kube::Error::InferKubeconfig)
            }
        };
        let mut config = config?;
        config.connect_timeout = Some(CONNECT);
        config.read_timeout = Some(ANSWER);
        let namespace = namespace.unwrap_or_else(|| config.default_namespace.clone());
        Ok(Self { client: Client::try_from(config)?, namespace, release })
    }

    pub(super) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The release and its workers, each with what scales it.
    pub(super) async fn release(&self) -> Result<Release, NoCluster> {
        let labels = match &self.release {
            None => OURS.to_owned(),
            Some(release) => format!("{OURS},{RELEASE}={release}"),
        };
        let deployments: List<Deployment> = self.list(&self.path("apps/v1", "deployments"), &labels).await?;
        let mut names: Vec<&str> = deployments.items.iter().filter_map(|it| Some(it.metadata.labels.get(RELEASE)?.as_str())).collect();
        names.sort_unstable();
        names.dedup();
        let name = match names.as_slice() {
            [] => return Err(self.no_release()),
            [name] => (*name).to_owned(),
            several => return Err(NoCluster::Several { namespace: self.namespace.clone(), releases: several.join(", ") }),
        };
        let scaled_objects = match self.list(&self.path("keda.sh/v1alpha1", "scaledobjects"), "").await {
            Ok(List { items }) => Some(items),
            Err(kube::Error::Api(status)) if status.code == 404 => None,
            Err(error) => return Err(error.into()),
        };
        let has_keda = scaled_objects.is_some();
        Ok(Release { name, workers: worker::of(deployments.items, scaled_objects.unwrap_or_default()), has_keda })
    }

    /// Annotates a ScaledObject; what is null goes.
    pub(super) async fn annotate(&self, scaled_object: &str, annotations: Value) -> Result<(), NoCluster> {
        let patch = Patch::Merge(serde_json::json!({ "metadata": { "annotations": annotations } }));
        let parameters = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let request = Request::new(self.path("keda.sh/v1alpha1", "scaledobjects")).patch(scaled_object, &parameters, &patch);
        self.client.request::<ScaledObject>(request.map_err(kube::Error::BuildRequest)?).await?;
        Ok(())
    }

    /// What KEDA tells the autoscaler of one metric of a ScaledObject.
    pub(super) async fn metric(&self, scaled_object: &str, metric: &str) -> Result<Vec<MetricValue>, NoCluster> {
        let labels = format!("scaledobject.keda.sh/name={scaled_object}");
        let values: List<MetricValue> = self.list(&self.path("external.metrics.k8s.io/v1beta1", metric), &labels).await?;
        Ok(values.items)
    }

    async fn list<T: DeserializeOwned>(&self, path: &str, labels: &str) -> Result<List<T>, kube::Error> {
        let request = Request::new(path).list(&ListParams::default().labels(labels)).map_err(kube::Error::BuildRequest)?;
        self.client.request(request).await
    }

    fn path(&self, api: &str, of: &str) -> String {
        format!("/apis/{api}/namespaces/{}/{of}", self.namespace)
    }

    fn no_release(&self) -> NoCluster {
        let named = self.release.as_ref().map_or(String::new(), |release| format!(" `{release}`"));
        NoCluster::NoRelease { namespace: self.namespace.clone(), named }
    }
}
