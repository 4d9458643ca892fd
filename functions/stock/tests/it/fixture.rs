//! Stock on a port, with a Product beside it that answers what a test put there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use bus::Incoming;
use contract::{Event, Product, Topic};
use host::Function;
use serde_json::{Value, json};
use testkit::{Answer, Http, TestDatabase};
use uuid::Uuid;

type Shelf = Arc<Mutex<BTreeMap<String, Product>>>;

/// A running Stock.
pub(crate) struct Stock {
    pub(crate) http: Http,
    pub(crate) function: Function,
    pub(crate) settings: postgres::Settings,
    product_url: String,
    at_product: Shelf,
}

async fn serve(routes: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    url
}

async fn read(State(shelf): State<Shelf>, Path(name): Path<String>) -> impl IntoResponse {
    let shelf = shelf.lock().unwrap();
    let product = shelf.values().find(|product| product.sku.as_str() == name || product.id.to_string() == name);
    product.map(|product| axum::Json(product.clone())).ok_or(StatusCode::NOT_FOUND)
}

async fn serve_product(shelf: &Shelf) -> String {
    serve(Router::new().route("/v1/products/{ref}", get(read)).with_state(Arc::clone(shelf))).await
}

/// A Product that has products of these SKUs; its address.
pub(crate) async fn product_server(skus: impl IntoIterator<Item = String>) -> String {
    let shelf = skus.into_iter().map(|sku| (sku.clone(), product(&sku))).collect();
    serve_product(&Arc::new(Mutex::new(shelf))).await
}

/// Starts Stock with nothing in it.
pub(crate) async fn stock() -> Stock {
    let at_product = Shelf::default();
    let product_url = serve_product(&at_product).await;
    instance(TestDatabase::create().await.settings(), product_url, at_product).await
}

async fn instance(settings: postgres::Settings, product_url: String, at_product: Shelf) -> Stock {
    let config = stock::Config { database: settings.clone(), product_url: product_url.clone(), lanes: stock::LANES };
    let function = stock::function(config).await.unwrap();
    let http = Http::new(&serve(function.routes.clone()).await);
    Stock { http, function, settings, product_url, at_product }
}

pub(crate) fn product(sku: &str) -> Product {
    let product = json!({
        "id": Uuid::now_v7(), "sku": sku, "name": format!("{sku} by name"), "category": "Things", "description": null, "price": "2.50",
        "currency": "GBP", "min_stock": 10, "attributes": {}, "status": "active", "version": 1,
        "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"
    });
    serde_json::from_value(product).unwrap()
}

impl Stock {
    /// A second instance on the same database.
    pub(crate) async fn another(&self) -> Stock {
        instance(self.settings.clone(), self.product_url.clone(), Arc::clone(&self.at_product)).await
    }

    /// A product that Product has and Stock has not heard of.
    pub(crate) fn only_at_product(&self, sku: &str) -> Product {
        let product = product(sku);
        self.at_product.lock().unwrap().insert(sku.to_owned(), product.clone());
        product
    }

    /// A product with `units` on the shelf.
    pub(crate) async fn with(&self, sku: &str, units: i64) -> Product {
        let product = self.only_at_product(sku);
        if units > 0 {
            self.change(sku, "RESTOCK", units).await.expect(201);
        }
        product
    }

    /// Tells Stock of a product by event.
    pub(crate) async fn hear(&self, product: &Product, kind: &str) {
        let subject = product.id.to_string();
        let event = Event {
            id: Event::id_of(Topic::ProductEvents.source(), &subject, product.version),
            source: Topic::ProductEvents.source().to_owned(),
            kind: format!("gudang.product.{kind}.v1"),
            time: product.updated_at,
            version: product.version,
            recorded_at: product.updated_at,
            partition_key: subject.clone(),
            traceparent: None,
            position: None,
            data: serde_json::value::to_raw_value(product).unwrap(),
            subject,
        };
        self.function.consumes.as_ref().unwrap().handle(&[Incoming::Event(event)]).await.unwrap();
    }

    pub(crate) async fn change(&self, sku: &str, kind: &str, quantity: i64) -> Answer {
        self.post(&json!({"sku": sku, "type": kind, "quantity": quantity})).await
    }

    pub(crate) async fn post(&self, change: &Value) -> Answer {
        self.http.post("/v1/stock-changes", change).await
    }

    pub(crate) async fn level(&self, sku: &str) -> Value {
        self.http.get(&format!("/v1/stock/{sku}")).await.expect(200).json()
    }

    /// What Stock finds wrong in its own books: nothing, or the test stops.
    pub(crate) async fn balances(&self) {
        let books = self.http.get("/v1/books").await.expect(200).json();
        assert_eq!(books["drifts"], json!([]));
    }
}
