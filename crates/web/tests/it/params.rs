//! Paths, queries, headers, lists and conditions.

use crate::{ask, get, refused};
use axum::body::Body;
use http::Request;

#[tokio::test]
async fn an_unknown_repeated_or_wrong_parameter_is_422_and_named() {
    for (query, field, code) in [
        ("colour=red", "colour", "unknown_field"),
        ("limit=5&limit=6", "limit", "repeated"),
        ("limit=0", "limit", "out_of_range"),
        ("limit=501", "limit", "out_of_range"),
        ("limit=-1", "limit", "invalid_type"),
        ("limit=many", "limit", "invalid_type"),
        ("limit=1.5", "limit", "invalid_type"),
        ("limit=", "limit", "invalid_type"),
        ("limit=99999999999999999999999", "limit", "out_of_range"),
        ("cursor=garbage", "cursor", "invalid_cursor"),
        ("cursor=", "cursor", "invalid_cursor"),
        ("from=yesterday", "from", "invalid_time"),
        ("category=%ff", "category", "invalid"),
        ("%ff=1", "%ff", "invalid"),
    ] {
        assert_eq!(get(&format!("/v1/lines?{query}")).await.refusal(), refused(422, "invalid_request", field, code), "{query}");
    }
    let told = ask(Request::post("/v1/lines?dry=1").body(Body::empty()).unwrap()).await;
    assert_eq!(told.refusal(), refused(422, "invalid_request", "dry", "unknown_field"));
}

#[tokio::test]
async fn a_query_is_percent_decoded_once() {
    assert_eq!(get("/v1/lines?limit=%35&").await.json()["items"].as_array().unwrap().len(), 5);
    assert_eq!(get("/v1/lines?from=2010-12-01T00%3A00%3A00%2B01%3A00&limit=1").await.status, 200);
    assert_eq!(get("/v1/lines?").await.status, 200);
}

#[tokio::test]
async fn pages_follow_one_another_without_gap_or_repeat_and_the_last_says_so() {
    let mut seen = Vec::new();
    let mut next = String::new();
    let mut pages = 0;
    loop {
        let page = get(&format!("/v1/lines?limit=40{next}")).await.json();
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| item.as_u64().unwrap()));
        pages += 1;
        match page["next_cursor"].as_str() {
            Some(cursor) => next = format!("&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen, (1..=120).collect::<Vec<_>>());
    assert_eq!(pages, 3, "a page that is just full is the last one");
    assert_eq!(get("/v1/lines").await.json()["items"].as_array().unwrap().len(), 50);
    assert_eq!(get("/v1/lines?category=none").await.text, r#"{"items":[],"next_cursor":null}"#);
}

#[tokio::test]
async fn a_cursor_of_another_list_is_422() {
    let cursor = web::Cursor::encode("products", &5);
    assert_eq!(get(&format!("/v1/lines?cursor={cursor}")).await.refusal(), refused(422, "invalid_request", "cursor", "invalid_cursor"));
    let cursor = web::Cursor::encode("lines", &"five");
    assert_eq!(get(&format!("/v1/lines?cursor={cursor}")).await.status, 422);
}

#[tokio::test]
async fn a_path_names_a_product_by_id_or_by_any_sku() {
    for (path, named) in [
        ("85123A", "85123A"),
        ("red%20shirt", "red shirt"),
        ("a%2Fb", "a/b"),
        ("k%C3%A4se", "käse"),
        ("50%25", "50%"),
        ("a+b", "a+b"),
        ("0198C9F2-7a4e-7c33-9a51-3d2f6f6b9f10", "0198c9f2-7a4e-7c33-9a51-3d2f6f6b9f10"),
    ] {
        assert_eq!(get(&format!("/v1/products/{path}")).await.json()["named"], named);
    }
    for path in ["%ff", "%20a", "a%00b", &"x".repeat(65), "search"] {
        assert_eq!(get(&format!("/v1/products/{path}")).await.refusal(), refused(404, "product_not_found", "", ""), "{path}");
    }
    let undecodable = ask(Request::post("/v1/fail/%ff").body(Body::empty()).unwrap()).await;
    assert_eq!(undecodable.refusal(), refused(404, "not_found", "", ""));
}

#[tokio::test]
async fn an_idempotency_key_has_1_to_255_characters_and_is_there_once() {
    let with = async |keys: &[&[u8]]| {
        let mut request = Request::post("/v1/lines").header("content-type", "application/json");
        for key in keys {
            request = request.header("idempotency-key", *key);
        }
        ask(request.body(Body::from(r#"{"sku": "A", "quantity": 1}"#)).unwrap()).await
    };
    assert_eq!(with(&[b"order-1"]).await.header("x-key"), "order-1");
    assert_eq!(with(&[&[b'k'; 255]]).await.status, 201);
    assert_eq!(with(&[]).await.header("x-key"), "");
    for (keys, code) in [
        (&[&[b'k'; 256][..]][..], "too_long"),
        (&[b""], "too_short"),
        (&[b"a", b"a"], "repeated"),
        (&[b"\xff"], "invalid_character"),
        (&[b"a\tb"], "invalid_character"),
    ] {
        assert_eq!(with(keys).await.refusal(), refused(422, "invalid_request", "Idempotency-Key", code));
    }
}

#[tokio::test]
async fn if_none_match_compares_the_whole_tag_and_weakly() {
    for (tags, status) in
        [("\"3-7\"", 304), ("W/\"3-7\"", 304), ("\"1-1\", \"3-7\"", 304), ("*", 304), ("\"3\"", 200), ("\"3-8\"", 200), ("3-7", 200)]
    {
        let told = ask(Request::get("/v1/products/A").header("if-none-match", tags).body(Body::empty()).unwrap()).await;
        assert_eq!((told.status, told.header("etag")), (status, "\"3-7\""), "{tags}");
        assert_eq!(told.text.is_empty(), status == 304);
    }
}

#[tokio::test]
async fn if_match_compares_the_version_alone_and_strongly() {
    for (tags, status) in [
        ("\"3-7\"", 200),
        ("\"3\"", 200),
        ("\"3-99\"", 200),
        ("*", 200),
        ("\"2-7\",\"3-7\"", 200),
        ("\"2-7\"", 412),
        ("W/\"3-7\"", 412),
        ("\"other\"", 412),
        ("3", 422),
        ("", 422),
    ] {
        let request = Request::patch("/v1/products/A").header("if-match", tags).header("content-type", "application/json");
        let told = ask(request.body(Body::from("{}")).unwrap()).await;
        assert_eq!(told.status, status, "{tags}");
        if status == 412 {
            assert_eq!(told.refusal(), refused(412, "precondition_failed", "", ""));
        }
    }
}

#[test]
fn csv_is_given_to_those_who_would_rather_have_it() {
    use web::csv_answer::Accept;
    for (accept, csv) in [
        ("text/csv", true),
        ("text/csv, */*;q=0.8", true),
        ("text/csv, */*", true),
        ("text/*", true),
        ("TEXT/CSV; header=present", true),
        ("application/json;q=0.5, text/csv", true),
        ("text/csv;q=0.5, application/json", false),
        ("application/json, text/csv", false),
        ("text/csv;q=0", false),
        ("*/*", false),
        ("text/html,application/xhtml+xml,*/*;q=0.8", false),
        ("", false),
    ] {
        let headers = http::HeaderMap::from_iter([(http::header::ACCEPT, accept.parse().unwrap())]);
        assert_eq!(Accept::of(&headers) == Accept::Csv, csv, "{accept}");
    }
    assert_eq!(Accept::of(&http::HeaderMap::new()), Accept::Json);
}

#[tokio::test]
async fn csv_is_quoted_where_it_must_be_and_formulas_are_left_alone() {
    use http_body_util::BodyExt;
    let response = web::csv_answer::write(&["sku", "name"], [["A", "1, \"two\"\nthree"], ["=1+1", ""]]);
    assert_eq!(response.headers()["content-type"], "text/csv; charset=utf-8");
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(bytes, "sku,name\r\nA,\"1, \"\"two\"\"\nthree\"\r\n=1+1,\r\n");
}
