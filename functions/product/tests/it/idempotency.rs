//! Writes that are sent again.

use axum::body::Body;
use serde_json::json;

use crate::fixture::{Reply, Shop};

const JSON: (&str, &str) = ("content-type", "application/json");

async fn create(shop: &Shop, key: &str, name: &str) -> Reply {
    let body = json!({"sku": "mug", "name": name, "category": "Kitchen"}).to_string();
    shop.send("POST", "/v1/products", &[JSON, ("idempotency-key", key)], body).await
}

fn assert_replayed(first: &Reply, again: &Reply) {
    assert_eq!((first.status, &first.body), (again.status, &again.body));
    for header in ["location", "etag", "content-type"] {
        assert_eq!(first.header(header), again.header(header), "{header}");
    }
    assert_eq!((first.header("idempotent-replayed"), again.header("idempotent-replayed")), ("", "true"));
}

#[tokio::test]
async fn a_write_sent_again_has_its_effect_once_and_the_same_answer() {
    let shop = Shop::open().await;
    let first = create(&shop, "k", "Mug").await;
    assert_eq!(first.status, 201);
    shop.patch("mug", &json!({"name": "Changed since"})).await;
    assert_replayed(&first, &create(&shop, "k", "Mug").await);
    assert_eq!(first.header("location").len(), "/v1/products/".len() + 36);
    assert_eq!(shop.get("/v1/products/mug").await.json()["name"], "Changed since");
}

#[tokio::test]
async fn a_conflict_is_remembered_too() {
    let shop = Shop::open().await;
    shop.add("mug").await;
    let refused = create(&shop, "k", "Mug").await;
    assert_eq!(refused.refused(409).0, "sku_taken");
    assert_replayed(&refused, &create(&shop, "k", "Mug").await);

    shop.step("DELETE", "/v1/products/mug").await;
    let patch = async || shop.send("PATCH", "/v1/products/mug", &[JSON, ("idempotency-key", "p")], r#"{"name":"x"}"#).await;
    let refused = patch().await;
    assert_eq!(refused.refused(409).0, "product_archived");
    shop.step("POST", "/v1/products/mug/restore").await;
    assert_replayed(&refused, &patch().await);
}

#[tokio::test]
async fn every_kind_of_write_can_be_sent_again() {
    let shop = Shop::open().await;
    shop.add("mug").await;
    for (method, path, key) in [
        ("DELETE", "/v1/products/mug", "delete"),
        ("POST", "/v1/products/mug/restore", "restore"),
        ("DELETE", "/v1/products/mug", "delete again"),
    ] {
        let send = async || shop.send(method, path, &[("idempotency-key", key)], Body::empty()).await;
        let first = send().await;
        assert!(first.status.is_success());
        assert_replayed(&first, &send().await);
    }
    assert_eq!(shop.get("/v1/products/mug").await.json()["version"], 4);
}

#[tokio::test]
async fn a_key_belongs_to_one_request() {
    let shop = Shop::open().await;
    create(&shop, "k", "Mug").await;
    for other in
        [create(&shop, "k", "Other").await, shop.send("DELETE", "/v1/products/mug", &[("idempotency-key", "k")], Body::empty()).await]
    {
        let code = "idempotency_key_mismatch".to_owned();
        assert_eq!(other.refused(422), (code.clone(), vec![("Idempotency-Key".to_owned(), code)]));
    }
    assert_eq!(shop.get("/v1/products/mug").await.json()["version"], 1);
}

#[tokio::test]
async fn what_is_corrected_may_keep_its_key() {
    let shop = Shop::open().await;
    assert_eq!(create(&shop, "k", "").await.fields(), ["name"]);
    assert_eq!(create(&shop, "k", "Mug").await.status, 201);

    let patch = async |name: &str| {
        let body = json!({"name": name}).to_string();
        shop.send("PATCH", "/v1/products/late", &[JSON, ("idempotency-key", "p")], body).await
    };
    assert_eq!(patch("a").await.refused(404).0, "product_not_found");
    shop.add("late").await;
    assert_eq!(patch("b").await.status, 200);
    let outdated = [JSON, ("idempotency-key", "q"), ("if-match", "\"9\"")];
    assert_eq!(shop.send("PATCH", "/v1/products/late", &outdated, r#"{"name":"x"}"#).await.status, 412);
    assert_eq!(shop.send("PATCH", "/v1/products/late", &outdated[..2], r#"{"name":"c"}"#).await.status, 200);
}

#[tokio::test]
async fn two_in_flight_with_one_key_are_one_write() {
    let shop = Shop::open().await;
    let replies = futures::future::join_all((0..8).map(|_| create(&shop, "k", "Mug"))).await;
    assert_eq!(replies.iter().filter(|reply| reply.header("idempotent-replayed").is_empty()).count(), 1);
    for reply in &replies {
        assert_eq!((reply.status.as_u16(), &reply.body), (201, &replies[0].body));
    }
    shop.balances().await;
}

#[tokio::test]
async fn a_key_has_1_to_255_characters() {
    let shop = Shop::open().await;
    assert_eq!(create(&shop, "", "Mug").await.fields(), ["Idempotency-Key"]);
    assert_eq!(create(&shop, &"k".repeat(256), "Mug").await.fields(), ["Idempotency-Key"]);
    assert_eq!(create(&shop, &"k".repeat(255), "Mug").await.status, 201);
}
