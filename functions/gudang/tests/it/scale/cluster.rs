//! An API server of a few questions: answers written after the types, and a KEDA that does at once what an annotation asks for.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{Method, StatusCode, Uri};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// What it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Knows {
    /// As it stands in its file.
    Everything,
    /// KEDA's part is missing.
    NoKeda,
    /// Metrics are not for everybody.
    NoMetrics,
    /// Nobody is allowed anything.
    Nobody,
    /// Gudang is there twice.
    TwoReleases,
}

/// It runs until it is dropped.
pub(super) struct Cluster {
    objects: Arc<Mutex<Kept>>,
    kubeconfig: PathBuf,
    _home: TempDir,
    _runtime: Runtime,
}

struct Kept {
    knows: Knows,
    deployments: Value,
    scaled_objects: Value,
    patched: bool,
}

/// A kubeconfig for an API server on this port, in namespace `shop`.
pub(super) fn kubeconfig(home: &Path, port: u16) -> PathBuf {
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "here", "cluster": { "server": format!("http://127.0.0.1:{port}") } }],
        "users": [{ "name": "me", "user": {} }],
        "contexts": [{ "name": "here", "context": { "cluster": "here", "user": "me", "namespace": "shop" } }],
        "current-context": "here",
    });
    let path = home.join("kubeconfig");
    std::fs::write(&path, config.to_string()).unwrap();
    path
}

impl Cluster {
    pub(super) fn start(knows: Knows) -> Self {
        let (runtime, home) = (Runtime::new().unwrap(), tempfile::tempdir().unwrap());
        let read = |written| serde_json::from_str::<Value>(written).unwrap();
        let (deployments, scaled_objects) = (read(include_str!("deployments.json")), read(include_str!("scaledobjects.json")));
        let objects = Arc::new(Mutex::new(Kept { knows, deployments, scaled_objects, patched: false }));
        let shared = objects.clone();
        let answer = move |method: Method, uri: Uri, body: Bytes| {
            let answered = shared.lock().unwrap().answer(&method, &uri, &body);
            async move { (answered.0, [("content-type", "application/json")], answered.1.to_string()) }
        };
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        runtime.spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
        Self { objects, kubeconfig: kubeconfig(home.path(), port), _home: home, _runtime: runtime }
    }

    pub(super) fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// KEDA's annotations of a worker's ScaledObject.
    pub(super) fn annotations(&self, worker: &str) -> Value {
        let mut objects = self.objects.lock().unwrap();
        let annotations = scaled_object(&mut objects.scaled_objects, &format!("gudang-{worker}-worker"))["metadata"]["annotations"].clone();
        let of_keda = annotations.as_object().into_iter().flatten().filter(|(name, _)| name.starts_with("autoscaling.keda.sh/"));
        of_keda.map(|(name, value)| (name.clone(), value.clone())).collect::<serde_json::Map<_, _>>().into()
    }

    /// Whether nobody has changed anything.
    pub(super) fn is_untouched(&self) -> bool {
        !self.objects.lock().unwrap().patched
    }
}

impl Kept {
    fn answer(&mut self, method: &Method, uri: &Uri, body: &[u8]) -> (StatusCode, Value) {
        let (path, query) = (uri.path(), uri.query().unwrap_or_default());
        if self.knows == Knows::Nobody {
            return (StatusCode::FORBIDDEN, serde_json::from_str(include_str!("forbidden.json")).unwrap());
        }
        if let Some(name) = path.strip_prefix("/apis/keda.sh/v1alpha1/namespaces/shop/scaledobjects") {
            return match (self.knows, method) {
                (Knows::NoKeda, _) => (StatusCode::NOT_FOUND, json!("404 page not found")),
                (_, &Method::PATCH) => (StatusCode::OK, self.patch(name.trim_start_matches('/'), body)),
                _ => (StatusCode::OK, self.scaled_objects.clone()),
            };
        }
        if path.starts_with("/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/s") {
            assert!(query.contains("labelSelector=scaledobject.keda.sh%2Fname%3Dgudang-"), "KEDA asks for the ScaledObject: {query}");
            return match self.knows {
                Knows::NoMetrics => (StatusCode::FORBIDDEN, serde_json::from_str(include_str!("forbidden.json")).unwrap()),
                _ => (StatusCode::OK, metric(path)),
            };
        }
        if path.ends_with("/deployments") && path.starts_with("/apis/apps/v1/namespaces/") {
            assert!(query.contains("part-of%3Dgudang"), "other people's Deployments are not looked at: {query}");
            let mut found = self.deployments.clone();
            if path != "/apis/apps/v1/namespaces/shop/deployments" || query.contains("instance%3Dother") {
                found["items"] = json!([]);
            } else if self.knows == Knows::TwoReleases {
                found["items"][0]["metadata"]["labels"]["app.kubernetes.io/instance"] = json!("second");
            }
            return (StatusCode::OK, found);
        }
        panic!("nobody should ask for {method} {uri}");
    }

    /// Merges the annotations, and does what KEDA does then.
    fn patch(&mut self, name: &str, body: &[u8]) -> Value {
        self.patched = true;
        let object = scaled_object(&mut self.scaled_objects, name);
        let patch: Value = serde_json::from_slice(body).unwrap();
        for (annotation, value) in patch["metadata"]["annotations"].as_object().unwrap() {
            let annotations = object["metadata"]["annotations"].as_object_mut().unwrap();
            match value {
                Value::Null => annotations.remove(annotation),
                value => annotations.insert(annotation.clone(), value.clone()),
            };
        }
        let asked = |annotation: &str| object["metadata"]["annotations"][format!("autoscaling.keda.sh/{annotation}")].as_str();
        let replicas = asked("paused-replicas").map(|replicas| replicas.parse::<i32>().unwrap());
        let paused = if replicas.is_some() || asked("paused").is_some() { "True" } else { "False" };
        for condition in object["status"]["conditions"].as_array_mut().unwrap() {
            if condition["type"] == "Paused" {
                condition["status"] = json!(paused);
            }
        }
        let object = object.clone();
        if let Some(replicas) = replicas {
            let deployments = self.deployments["items"].as_array_mut().unwrap();
            let target = deployments.iter_mut().find(|it| it["metadata"]["name"] == object["spec"]["scaleTargetRef"]["name"]);
            target.unwrap()["spec"]["replicas"] = json!(replicas);
        }
        object
    }
}

fn scaled_object<'a>(list: &'a mut Value, name: &str) -> &'a mut Value {
    list["items"].as_array_mut().unwrap().iter_mut().find(|it| it["metadata"]["name"] == name).unwrap_or_else(|| panic!("{name}"))
}

/// One value, by the metric's name.
fn metric(path: &str) -> Value {
    let name = path.rsplit('/').next().unwrap();
    let written: Value = serde_json::from_str(include_str!("metrics.json")).unwrap();
    written[name].clone()
}
