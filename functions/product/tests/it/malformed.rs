//! Requests that cannot be taken, and the conventions of every answer.

use axum::body::Body;
use serde_json::json;

use crate::fixture::Shop;

#[tokio::test]
async fn what_is_no_json_is_400_and_what_breaks_the_contract_422() {
    let shop = Shop::open().await;
    let post = |body: &'static str| shop.send("POST", "/v1/products", &[("content-type", "application/json")], body);
    for body in ["", "{", "{\"sku\": }", "nonsense", "{} {}", "{\"sku\": \"a\",}"] {
        assert_eq!(post(body).await.refused(400).0, "malformed_json", "{body}");
    }
    assert_eq!(post("[]").await.refused(422).0, "invalid_request");
    assert_eq!(post("null").await.refused(422).0, "invalid_request");
    assert_eq!(post("{}").await.refused(422), ("invalid_request".to_owned(), vec![("sku".to_owned(), "missing".to_owned())]));
    assert_eq!(
        post(r#"{"sku":"a","name":"a","category":"a","colour":"red"}"#).await.refused(422).1,
        [("colour".to_owned(), "unknown_field".to_owned())]
    );
    assert_eq!(post(r#"{"sku":"a","sku":"b","name":"a","category":"a"}"#).await.fields(), ["sku"]);
    assert_eq!(
        shop.post(&json!({"sku": 5, "name": "a", "category": "a"})).await.refused(422).1,
        [("sku".to_owned(), "invalid_type".to_owned())]
    );
}

#[tokio::test]
async fn bodies_are_bounded_and_typed() {
    let shop = Shop::open().await;
    let large = json!({"sku": "a", "name": "a", "category": "a", "description": "x".repeat(1 << 20)});
    assert_eq!(shop.post(&large).await.refused(413).0, "too_large");
    assert_eq!(shop.send("POST", "/v1/products", &[], "{}").await.refused(415).0, "unsupported_media_type");
    assert_eq!(shop.send("POST", "/v1/products?x=1", &[("content-type", "application/json")], "{}").await.fields(), ["x"]);
}

#[tokio::test]
async fn paths_and_methods_that_are_not_there_say_so() {
    let shop = Shop::open().await;
    assert_eq!(shop.get("/v1/nothing").await.refused(404).0, "not_found");
    for (method, path) in [("PUT", "/v1/products"), ("OPTIONS", "/v1/products/x"), ("GET", "/v1/products/import")] {
        let reply = shop.send(method, path, &[], Body::empty()).await;
        assert_eq!(reply.refused(405).0, "method_not_allowed");
        assert!(!reply.header("allow").is_empty(), "{method} {path}");
    }
}

#[tokio::test]
async fn the_service_says_how_it_is_and_what_it_takes() {
    let shop = Shop::open().await;
    for path in ["/healthz", "/readyz", "/metrics", "/docs/"] {
        assert_eq!(shop.get(path).await.status, 200, "{path}");
    }
    let document = shop.get("/openapi.json").await.json();
    for (path, methods) in [
        ("/v1/products", &["get", "post"][..]),
        ("/v1/products/{ref}", &["get", "patch", "delete"]),
        ("/v1/products/{ref}/restore", &["post"]),
        ("/v1/products/import", &["post"]),
        ("/v1/journal", &["get"]),
        ("/v1/books", &["get"]),
        ("/v1/dead-letters", &["get"]),
    ] {
        for method in methods {
            assert!(document["paths"][path][method].is_object(), "{method} {path}");
        }
    }
    let parameters = document["paths"]["/v1/products"]["get"]["parameters"].as_array().unwrap();
    let names: Vec<&str> = parameters.iter().map(|parameter| parameter["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["category", "status", "limit", "cursor"]);
    let patch = &document["paths"]["/v1/products/{ref}"]["patch"]["requestBody"]["content"];
    assert!(patch["application/merge-patch+json"].is_object() && patch["application/json"].is_object());
    let sku = &document["components"]["schemas"]["Sku"];
    assert_eq!((&sku["minLength"], &sku["maxLength"]), (&json!(1), &json!(64)));
    let restore = document["paths"]["/v1/products/{ref}/restore"]["post"]["parameters"].as_array().unwrap();
    let key = restore.iter().find(|parameter| parameter["name"] == "Idempotency-Key").unwrap();
    assert_eq!((&key["schema"]["minLength"], &key["schema"]["maxLength"], &key["required"]), (&json!(1), &json!(255), &json!(false)));
}
