//! Changing, archiving and restoring products.

use axum::body::Body;
use serde_json::json;

use crate::fixture::Shop;

#[tokio::test]
async fn a_patch_changes_what_it_names_and_raises_the_version() {
    let shop = Shop::open().await;
    let before = shop.add("mug").await;
    let reply = shop.patch("mug", &json!({"name": "Mug", "price": "3", "attributes": {"a": "1", "b": "2"}})).await;
    assert_eq!((reply.status.as_u16(), reply.header("etag")), (200, "\"2-0\""));
    let after = reply.json();
    assert_eq!((&after["name"], &after["price"], &after["version"]), (&json!("Mug"), &json!("3.00"), &json!(2)));
    assert_eq!((&after["category"], &after["created_at"]), (&before["category"], &before["created_at"]));
    assert!(after["updated_at"].as_str() > before["updated_at"].as_str());
    assert_eq!(shop.get("/v1/products/mug").await.json(), after);

    let after = shop.patch(after["id"].as_str().unwrap(), &json!({"price": null, "attributes": {"a": null, "c": "3"}})).await.json();
    assert_eq!((&after["price"], &after["attributes"]), (&json!(null), &json!({"b": "2", "c": "3"})));
    shop.balances().await;
}

#[tokio::test]
async fn a_patch_that_changes_nothing_keeps_the_version() {
    let shop = Shop::open().await;
    let before = shop.add("mug").await;
    for same in [json!({}), json!({"name": "mug", "price": null, "attributes": {"none": null}})] {
        let reply = shop.patch("mug", &same).await;
        assert_eq!((reply.status.as_u16(), reply.json()), (200, before.clone()));
    }
    assert_eq!(shop.journal(&before).await.len(), 1);
}

#[tokio::test]
async fn a_patch_may_come_as_plain_json_but_as_nothing_else() {
    let shop = Shop::open().await;
    shop.add("mug").await;
    let send = async |media: &str| shop.send("PATCH", "/v1/products/mug", &[("content-type", media)], r#"{"name":"Mug"}"#).await;
    assert_eq!(send("application/json").await.status, 200);
    assert_eq!(send("application/merge-patch+json; charset=utf-8").await.status, 200);
    assert_eq!(send("text/plain").await.refused(415).0, "unsupported_media_type");
}

#[tokio::test]
async fn what_a_patch_may_not_touch_is_refused_and_named() {
    let shop = Shop::open().await;
    shop.add("mug").await;
    for (patch, field) in [
        (json!({"sku": "other"}), "sku"),
        (json!({"stock": {}}), "stock"),
        (json!({"name": null}), "name"),
        (json!({"category": null}), "category"),
        (json!({"currency": null}), "currency"),
        (json!({"min_stock": null}), "min_stock"),
        (json!({"min_stock": "3"}), "min_stock"),
        (json!({"attributes": {"a": 1}}), "attributes.a"),
    ] {
        assert_eq!(shop.patch("mug", &patch).await.fields(), [field], "{patch}");
    }
    let many: serde_json::Map<_, _> = (0..51).map(|n| (format!("n{n}"), json!("v"))).collect();
    assert_eq!(
        shop.patch("mug", &json!({"attributes": many})).await.refused(422),
        ("invalid_request".to_owned(), vec![("attributes".to_owned(), "too_many".to_owned())])
    );
    assert_eq!(shop.get("/v1/products/mug").await.json()["version"], 1);
}

#[tokio::test]
async fn if_match_compares_the_version_alone() {
    let shop = Shop::open().await;
    shop.add("mug").await;
    let patch = async |tag: &str, name: &str| {
        let headers = [("content-type", "application/json"), ("if-match", tag)];
        shop.send("PATCH", "/v1/products/mug", &headers, json!({"name": name}).to_string()).await
    };
    assert_eq!(patch("\"1\"", "a").await.json()["version"], 2);
    assert_eq!(patch("\"2-77\"", "b").await.json()["version"], 3);
    assert_eq!(patch("*", "c").await.json()["version"], 4);
    assert_eq!(patch("\"3\", \"4\"", "d").await.json()["version"], 5);
    let outdated = patch("\"4\"", "e").await;
    assert_eq!((outdated.refused(412).0, &outdated.json()["version"]), ("precondition_failed".to_owned(), &json!(5)));
    assert_eq!(patch("\"abc\"", "e").await.refused(412).0, "precondition_failed");
    assert_eq!(patch("5", "e").await.fields(), ["If-Match"]);
    assert_eq!(shop.get("/v1/products/mug").await.json()["name"], "d");
}

#[tokio::test]
async fn of_two_patches_for_one_version_one_is_made() {
    let shop = Shop::open().await;
    shop.add("mug").await;
    let headers = [("content-type", "application/json"), ("if-match", "\"1\"")];
    let patches = (0..6).map(|n| shop.send("PATCH", "/v1/products/mug", &headers, json!({"name": format!("name {n}")}).to_string()));
    let replies = futures::future::join_all(patches).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 200).count(), 1);
    assert_eq!(replies.iter().filter(|reply| reply.status == 412).count(), 5);
    shop.balances().await;
}

#[tokio::test]
async fn patches_at_once_each_take_a_version() {
    let shop = Shop::open().await;
    let product = shop.add("mug").await;
    let patches: Vec<_> = (0..20).map(|n| json!({"name": format!("name {n}")})).collect();
    let replies = futures::future::join_all(patches.iter().map(|patch| shop.patch("mug", patch))).await;
    let mut versions: Vec<i64> = replies.iter().map(|reply| reply.json()["version"].as_i64().unwrap()).collect();
    versions.sort_unstable();
    assert_eq!(versions, (2..=21).collect::<Vec<_>>());
    let journal = shop.journal(&product).await;
    let times: Vec<&str> = journal.iter().map(|event| event["recordedtime"].as_str().unwrap()).collect();
    assert!(times.is_sorted_by(|a, b| a.len() != b.len() || a < b), "{times:?}");
    shop.balances().await;
}

#[tokio::test]
async fn an_archived_product_stays_readable_and_keeps_its_sku_until_it_is_restored() {
    let shop = Shop::open().await;
    let added = shop.add("mug").await;
    for _ in 0..2 {
        let reply = shop.step("DELETE", "/v1/products/mug").await;
        assert_eq!((reply.status.as_u16(), reply.body.len()), (204, 0));
    }
    let archived = shop.get("/v1/products/mug").await;
    assert_eq!((archived.status.as_u16(), archived.header("etag")), (200, "\"2-0\""));
    assert_eq!(archived.json()["status"], "archived");
    assert_eq!(shop.patch("mug", &json!({"name": "Mug"})).await.refused(409).0, "product_archived");

    for _ in 0..2 {
        let reply = shop.step("POST", "/v1/products/mug/restore").await;
        assert_eq!((reply.status.as_u16(), reply.header("etag")), (200, "\"3-0\""));
        assert_eq!(reply.json()["status"], "active");
    }
    assert_eq!(shop.patch("mug", &json!({"name": "Mug"})).await.status, 200);
    let kinds: Vec<String> = shop.journal(&added).await.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect();
    assert_eq!(
        kinds,
        ["gudang.product.created.v1", "gudang.product.archived.v1", "gudang.product.restored.v1", "gudang.product.updated.v1"]
    );
    shop.balances().await;
}

#[tokio::test]
async fn a_step_takes_any_content_type_or_none() {
    let shop = Shop::open().await;
    shop.add("mug").await;
    let reply = shop.send("POST", "/v1/products/mug/restore", &[("content-type", "text/plain")], Body::from("whatever")).await;
    assert_eq!(reply.status, 200);
    assert_eq!(shop.send("POST", "/v1/products/mug/restore?x=1", &[], Body::empty()).await.fields(), ["x"]);
}
