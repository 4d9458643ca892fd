//! For each test a database and a Product of its own, and a client without a network.

use axum::body::Body;
use contract::Currency;
use host::Function;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use product::Config;
use serde_json::{Value, json};
use testkit::TestDatabase;
use tower::ServiceExt;

/// The rows of a file, one for each number below `count`.
pub(crate) fn rows(count: usize, row: impl Fn(usize) -> String) -> String {
    (0..count).map(row).collect::<Vec<_>>().concat()
}

/// A running Product.
pub(crate) struct Shop {
    pub(crate) function: Function,
}

/// What came back.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// Asserts that it says no, in the form of the contract; gives code and fields.
    pub(crate) fn refused(&self, status: u16) -> (String, Vec<(String, String)>) {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        for name in ["type", "title", "detail", "code"] {
            assert!(problem[name].is_string(), "{name} is missing: {problem}");
        }
        assert_eq!(problem["status"], status);
        let text = |error: &Value, name: &str| error[name].as_str().unwrap().to_owned();
        let errors = problem["errors"].as_array().cloned().unwrap_or_default();
        (self.code(), errors.iter().map(|error| (text(error, "field"), text(error, "code"))).collect())
    }

    /// The fields of a 422.
    pub(crate) fn fields(&self) -> Vec<String> {
        self.refused(422).1.into_iter().map(|(field, _)| field).collect()
    }
}

impl Shop {
    pub(crate) async fn open() -> Self {
        Self::on(&TestDatabase::create().await, None).await
    }

    /// One of several on the same database, that share what they read by a Redis.
    pub(crate) async fn on(database: &TestDatabase, redis: Option<&str>) -> Self {
        Self::over(database.settings(), redis).await
    }

    /// The same of a database that somebody else has made.
    pub(crate) async fn over(database: postgres::Settings, redis: Option<&str>) -> Self {
        let config = Config {
            database,
            currency: Currency::parse("EUR").unwrap(),
            stock_url: "http://127.0.0.1:1".to_owned(),
            redis: redis.map(|url| url.parse().unwrap()),
            elasticsearch: None,
        };
        Self { function: product::function(config).await.unwrap() }
    }

    pub(crate) async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Reply {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.function.routes.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Reply { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], Body::empty()).await
    }

    pub(crate) async fn post(&self, body: &Value) -> Reply {
        self.send("POST", "/v1/products", &[("content-type", "application/json")], body.to_string()).await
    }

    pub(crate) async fn patch(&self, product: &str, body: &Value) -> Reply {
        let path = format!("/v1/products/{product}");
        self.send("PATCH", &path, &[("content-type", "application/merge-patch+json")], body.to_string()).await
    }

    pub(crate) async fn step(&self, method: &str, path: &str) -> Reply {
        self.send(method, path, &[], Body::empty()).await
    }

    /// Adds a product and gives it.
    pub(crate) async fn add(&self, sku: &str) -> Value {
        let reply = self.post(&json!({"sku": sku, "name": sku, "category": "Kitchen"})).await;
        assert_eq!(reply.status, 201, "{}", String::from_utf8_lossy(&reply.body));
        reply.json()
    }

    /// Sends an import.
    pub(crate) async fn import(&self, media: &str, key: Option<&str>, body: impl Into<Body>) -> Reply {
        let mut headers = vec![("content-type", media)];
        headers.extend(key.map(|key| ("idempotency-key", key)));
        self.send("POST", "/v1/products/import", &headers, body).await
    }

    /// The journal of a product.
    pub(crate) async fn journal(&self, product: &Value) -> Vec<Value> {
        let id = product["id"].as_str().unwrap();
        self.get(&format!("/v1/journal?stream={id}")).await.json()["items"].as_array().unwrap().clone()
    }

    /// Asserts that the service can prove its books.
    pub(crate) async fn balances(&self) {
        let books = self.get("/v1/books").await;
        assert_eq!(books.json()["drifts"], json!([]), "{}", String::from_utf8_lossy(&books.body));
    }
}
