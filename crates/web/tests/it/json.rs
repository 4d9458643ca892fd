//! JSON bodies: what is refused, how, and which field is named.

use crate::{Told, ask, post, refused};
use axum::body::Body;
use bytes::Bytes;
use futures::StreamExt;
use http::Request;

const JSON: &str = "application/json";

async fn line(body: &str) -> Told {
    post("/v1/lines", JSON, body.to_owned()).await
}

#[tokio::test]
async fn a_right_body_is_read_whatever_the_parameters_of_its_content_type() {
    for content_type in [JSON, "application/json; charset=utf-8", "Application/JSON;charset=\"UTF-8\"", "application/json;v=1"] {
        let told = post("/v1/lines", content_type, r#"{"sku": "A", "quantity": 5}"#).await;
        assert_eq!((told.status, told.json()["quantity"].clone()), (201, 5.into()), "{content_type}");
    }
}

#[tokio::test]
async fn another_media_type_is_415() {
    for content_type in ["text/plain", "application/jsonx", "application/json; charset=latin1", "", "application/merge-patch+json"] {
        assert_eq!(post("/v1/lines", content_type, "{}").await.refusal(), refused(415, "unsupported_media_type", "", ""), "{content_type}");
    }
    let none = ask(Request::post("/v1/lines").body(Body::from("{}")).unwrap()).await;
    assert_eq!(none.status, 415);
    let twice = Request::post("/v1/lines").header("content-type", JSON).header("content-type", JSON).body(Body::from("{}")).unwrap();
    assert_eq!(ask(twice).await.status, 415);
    let packed = Request::post("/v1/lines").header("content-type", JSON).header("content-encoding", "gzip").body(Body::from("{}")).unwrap();
    assert_eq!(ask(packed).await.status, 415);
}

#[tokio::test]
async fn what_is_no_json_is_400_with_the_place() {
    let deep = "[".repeat(100_000);
    for body in [
        "",
        "  \n",
        "{",
        "{\"sku\": \"A\",}",
        "{'sku': 1}",
        r#"{"sku": "A", "quantity": 5} x"#,
        r#"{"sku": "A", "quantity": 5}{}"#,
        r#"{"sku": "A", "quantity": 05}"#,
        r#"{"sku": "A", "quantity": NaN}"#,
        "{\"sku\": \"A\u{0}\", \"quantity\": 5}",
        "\u{feff}{\"sku\": \"A\", \"quantity\": 5}",
        r#"{"quantity": "wrong type first", "sku": "#,
        r#"{"sku": "\ud800", "quantity": 5}"#,
        "nope",
        &deep,
    ] {
        let told = line(body).await;
        assert_eq!(told.refusal(), refused(400, "malformed_json", "", ""), "{body:.80}");
    }
    let told = line("{\"sku\": \"A\",\n \"quantity\": }").await;
    assert_eq!((&told.json()["line"], &told.json()["column"]), (&2.into(), &14.into()));
    assert_eq!(post("/v1/lines", JSON, Bytes::from_static(b"{\"sku\": \"\xff\"}")).await.refusal(), refused(400, "malformed_json", "", ""));
}

#[tokio::test]
async fn a_wrong_value_is_422_and_names_its_field() {
    for (body, field, code) in [
        (r#"{"quantity": 5}"#, "sku", "missing"),
        ("{}", "sku", "missing"),
        (r#"{"sku": "A", "quantity": 5, "qty": 1}"#, "qty", "unknown_field"),
        (r#"{"sku": "A", "quantity": 5, "a`, expected b": 1}"#, "a`, expected b", "unknown_field"),
        (r#"{"sku": "A", "quantity": "5"}"#, "quantity", "invalid_type"),
        (r#"{"sku": "A", "quantity": 1.0}"#, "quantity", "invalid_type"),
        (r#"{"sku": "A", "quantity": 1.5}"#, "quantity", "invalid_type"),
        (r#"{"sku": "A", "quantity": 1e2}"#, "quantity", "invalid_type"),
        (r#"{"sku": "A", "quantity": true}"#, "quantity", "invalid_type"),
        (r#"{"sku": "A", "quantity": null}"#, "quantity", "invalid_type"),
        (r#"{"sku": "A", "quantity": [1]}"#, "quantity", "invalid_type"),
        (r#"{"sku": "A", "quantity": 99999999999999999999999}"#, "quantity", "out_of_range"),
        (r#"{"sku": "A", "quantity": -99999999999999999999999}"#, "quantity", "out_of_range"),
        (r#"{"sku": "A", "quantity": 1e999}"#, "quantity", "out_of_range"),
        (r#"{"sku": 7, "quantity": 5}"#, "sku", "invalid_type"),
        (r#"{"sku": "A", "quantity": 5, "sku": "B"}"#, "sku", "duplicate_field"),
        (r#"{"sku": "A", "quantity": 5, "attributes": {"a": "1", "a": "2"}}"#, "attributes", "duplicate_field"),
        (r#"{"sku": "A", "quantity": 5, "attributes": {"a": 1}}"#, "attributes.a", "invalid_type"),
        (r#"{"sku": "A", "quantity": 5, "attributes": []}"#, "attributes", "invalid_type"),
        ("[]", "", "invalid_type"),
        (r#"["A", 5]"#, "", "invalid_type"),
        ("5", "", "invalid_type"),
        ("null", "", "invalid_type"),
    ] {
        assert_eq!(line(body).await.refusal(), refused(422, "invalid_request", field, code), "{body}");
    }
}

#[tokio::test]
async fn a_value_out_of_the_contract_is_422_with_what_would_be_right() {
    for quantity in ["0", "-1", "1000000001", "9223372036854775807", "18446744073709551615"] {
        let told = line(&format!(r#"{{"sku": "A", "quantity": {quantity}}}"#)).await;
        let (status, code, field, _) = told.refusal();
        assert_eq!((status, &*code, &*field), (422, "invalid_request", "quantity"));
        assert!(told.text.contains("from 1 to 1000000000"), "{}", told.text);
    }
    let told = line(&format!(r#"{{"sku": "{}", "quantity": 1}}"#, "x".repeat(65))).await;
    assert_eq!(told.refusal().2, "sku");
    assert!(told.text.contains("at most 64"), "{}", told.text);
}

#[tokio::test]
async fn a_field_deep_inside_is_named_with_its_whole_path() {
    let order = |line: &str| format!(r#"{{"changes": [{{"sku": "A", "quantity": 1}}, {line}]}}"#);
    for (body, field, code) in [
        (order(r#"{"sku": "A", "quantity": 1.5}"#), "changes[1].quantity", "invalid_type"),
        (order(r#"{"sku": "A"}"#), "changes[1].quantity", "missing"),
        (order(r#"{"sku": "A", "quantity": 1, "x": 1}"#), "changes[1].x", "unknown_field"),
        (order(r#"{"sku": "A", "quantity": 1, "quantity": 1}"#), "changes[1].quantity", "duplicate_field"),
        (order(r#"{"sku": "A", "quantity": 1, "attributes": {"a": null}}"#), "changes[1].attributes.a", "invalid_type"),
        (r#"{"changes": {}}"#.to_owned(), "changes", "invalid_type"),
        (r#"{"changes": [7]}"#.to_owned(), "changes[0]", "invalid_type"),
    ] {
        let told = post("/v1/orders", JSON, body.clone()).await;
        assert_eq!(told.refusal(), refused(422, "invalid_request", field, code), "{body}");
        assert!(told.json()["detail"].as_str().unwrap().starts_with(&format!("`{field}`: ")), "{}", told.text);
    }
}

#[tokio::test]
async fn a_body_over_its_bound_is_413_and_one_at_its_bound_is_read() {
    let padded = |bytes: usize| format!(r#"{{"sku": "A", "quantity": 1{}}}"#, " ".repeat(bytes - 27));
    assert_eq!(padded(1 << 20).len(), 1 << 20);
    assert_eq!(line(&padded(1 << 20)).await.status, 201);
    assert_eq!(line(&padded((1 << 20) + 1)).await.refusal(), refused(413, "too_large", "", ""));
    let order = |bytes: usize| format!(r#"{{"changes": []{}}}"#, " ".repeat(bytes - 15));
    assert_eq!(post("/v1/orders", JSON, order(2 << 20)).await.json()["bytes"], 2 << 20);
    assert_eq!(post("/v1/orders", JSON, order((2 << 20) + 1)).await.status, 413);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_400() {
    let parts = [Ok(Bytes::from_static(b"{\"sku\"")), Err(std::io::Error::other("reset"))];
    let told = post("/v1/lines", JSON, Body::from_stream(futures::stream::iter(parts))).await;
    assert_eq!(told.refusal(), refused(400, "incomplete_body", "", ""));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_400_before_the_route_is_out_of_time() {
    let begun = Ok::<_, std::io::Error>(Bytes::from_static(b"{\"sku\""));
    let stalled = futures::stream::once(std::future::ready(begun)).chain(futures::stream::pending());
    let told = post("/v1/lines", JSON, Body::from_stream(stalled)).await;
    assert_eq!(told.refusal(), refused(400, "incomplete_body", "", ""));
}

#[tokio::test]
async fn what_a_client_wrote_is_shown_shortened() {
    let told = line(&format!(r#"{{"sku": "A", "quantity": "{}"}}"#, "é".repeat(100_000))).await;
    assert_eq!(told.status, 422);
    assert!(told.text.len() < 2000);
}

#[tokio::test]
async fn a_merge_patch_tells_null_from_absence_and_has_two_media_types() {
    let patch = async |content_type: &str, body: &str| {
        ask(Request::patch("/v1/products/A").header("content-type", content_type).body(Body::from(body.to_owned())).unwrap()).await
    };
    assert_eq!(patch(JSON, r#"{"description": null}"#).await.text, r#"{"description":null}"#);
    assert_eq!(patch("application/merge-patch+json", "{}").await.text, "{}");
    assert_eq!(patch("application/merge-patch+json", r#"{"description": "d"}"#).await.text, r#"{"description":"d"}"#);
    assert_eq!(patch(JSON, r#"{"description": 5}"#).await.refusal(), refused(422, "invalid_request", "description", "invalid_type"));
    assert_eq!(patch("text/plain", "{}").await.status, 415);
}
