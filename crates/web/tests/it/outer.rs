//! What every service does around its routes.

use std::time::Duration;

use crate::{Told, ask, get, refused, service, told};
use axum::body::Body;
use http::Request;
use tower::ServiceExt;

async fn method(method: &str, path: &str) -> Told {
    ask(Request::builder().method(method).uri(path).body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn an_unknown_path_is_a_404_problem_that_names_it() {
    let told = get("/v2/lines").await;
    assert_eq!(told.refusal(), refused(404, "not_found", "", ""));
    assert!(told.text.contains("`/v2/lines`"));
    assert_eq!(method("OPTIONS", "/nowhere").await.status, 404);
}

#[tokio::test]
async fn another_method_is_a_405_problem_with_allow() {
    for (verb, path, allow) in [
        ("DELETE", "/v1/lines", "GET,HEAD,POST"),
        ("OPTIONS", "/v1/lines", "GET,HEAD,POST"),
        ("BREW", "/v1/lines", "GET,HEAD,POST"),
        ("GET", "/v1/orders", "POST"),
        ("POST", "/healthz", "GET,HEAD"),
        ("OPTIONS", "/openapi.json", "GET,HEAD"),
    ] {
        let told = method(verb, path).await;
        assert_eq!(told.refusal(), refused(405, "method_not_allowed", "", ""), "{verb} {path}");
        let mut allowed: Vec<_> = told.header("allow").split(',').map(str::trim).collect();
        allowed.sort_unstable();
        assert_eq!(allowed.join(","), allow, "{verb} {path}");
    }
}

#[tokio::test]
async fn head_is_get_without_its_body() {
    let (head, get) = (method("HEAD", "/v1/lines?limit=2").await, get("/v1/lines?limit=2").await);
    assert_eq!((head.status, &*head.text), (200, ""));
    assert_eq!(head.header("content-length"), get.text.len().to_string());
    let refused = method("HEAD", "/v1/lines?limit=0").await;
    assert_eq!((refused.status, &*refused.text, refused.header("content-type")), (422, "", "application/problem+json"));
    assert_eq!(method("HEAD", "/nowhere").await.text, "");
}

#[tokio::test]
async fn the_clients_own_request_id_is_kept_and_else_there_is_a_new_one() {
    let with = async |ids: &[&[u8]]| {
        let request = ids.iter().fold(Request::get("/healthz"), |request, id| request.header("x-request-id", *id));
        ask(request.body(Body::empty()).unwrap()).await.header("x-request-id").to_owned()
    };
    assert_eq!(with(&[b"order-7/a"]).await, "order-7/a");
    assert_eq!(with(&[&[b'x'; 128]]).await, "x".repeat(128));
    for ids in [&[&[b'x'; 129][..]][..], &[b""], &[b"a b"], &[b"\xc3\xa4"], &[b"a", b"b"], &[]] {
        let id = with(ids).await;
        assert_eq!(uuid::Uuid::parse_str(&id).map(|id| id.get_version_num()), Ok(7), "{id}");
    }
    let told = ask(Request::delete("/v1/lines").header("x-request-id", "mine").body(Body::empty()).unwrap()).await;
    assert_eq!((told.status, told.header("x-request-id")), (405, "mine"));
}

#[tokio::test]
async fn a_panic_and_an_internal_error_are_500_problems_without_the_inside() {
    for how in ["panic", "secret", "raw"] {
        let told = method("POST", &format!("/v1/fail/{how}")).await;
        assert_eq!(told.refusal(), refused(500, "internal", "", ""));
        for inside in ["inside", "password", "relation", "sql"] {
            assert!(!told.text.contains(inside), "{}", told.text);
        }
    }
}

#[tokio::test]
async fn one_panic_does_not_harm_the_next_request() {
    let service = service(true);
    for _ in 0..3 {
        let panics = Request::post("/v1/fail/panic").body(Body::empty()).unwrap();
        assert_eq!(told(service.clone().oneshot(panics).await.unwrap()).await.status, 500);
    }
    let fine = Request::post("/v1/fail/not").body(Body::empty()).unwrap();
    assert_eq!(told(service.oneshot(fine).await.unwrap()).await.status, 200);
}

#[tokio::test]
async fn who_is_turned_away_is_told_when_to_come_back() {
    let told = method("POST", "/v1/fail/busy").await;
    assert_eq!((told.refusal(), told.header("retry-after")), (refused(503, "overloaded", "", ""), "1"));
}

#[tokio::test(start_paused = true)]
async fn what_takes_too_long_is_503_except_an_import() {
    let begun = tokio::time::Instant::now();
    assert_eq!(method("POST", "/v1/fail/slow").await.refusal(), refused(503, "timeout", "", ""));
    assert_eq!(begun.elapsed().as_secs(), 30);
    assert_eq!(method("POST", "/v1/slow/import").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn more_requests_at_once_than_the_bound_are_turned_away_at_once_but_health_is_told() {
    let service = service(true);
    let slow: Vec<_> =
        (0..4096).map(|_| tokio::spawn(service.clone().oneshot(Request::post("/v1/slow/import").body(Body::empty()).unwrap()))).collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let one_more = Request::get("/v1/lines").body(Body::empty()).unwrap();
    assert_eq!(told(service.clone().oneshot(one_more).await.unwrap()).await.refusal(), refused(503, "overloaded", "", ""));
    let health = Request::get("/healthz").body(Body::empty()).unwrap();
    assert_eq!(told(service.clone().oneshot(health).await.unwrap()).await.status, 200);
    for answer in slow {
        assert_eq!(answer.await.unwrap().unwrap().status(), 200);
    }
    let again = Request::get("/v1/lines").body(Body::empty()).unwrap();
    assert_eq!(told(service.oneshot(again).await.unwrap()).await.status, 200);
}

#[tokio::test]
async fn health_tells_that_the_process_lives_and_readiness_that_its_database_answers() {
    assert_eq!(get("/healthz").await.text, r#"{"status":"ok"}"#);
    assert_eq!(get("/readyz").await.status, 200);
    let request = |path: &str| Request::get(path).body(Body::empty()).unwrap();
    let unready = told(service(false).oneshot(request("/readyz")).await.unwrap()).await;
    assert_eq!(unready.refusal(), refused(503, "not_ready", "", ""));
    assert_eq!(told(service(false).oneshot(request("/healthz")).await.unwrap()).await.status, 200);
}

#[tokio::test]
async fn every_answer_is_counted_by_route_and_status() {
    get("/v1/products/counted").await;
    get("/nowhere/1").await;
    method("PURGE", "/v1/orders").await;
    let told = get("/metrics").await;
    assert!(told.header("content-type").starts_with("text/plain"));
    for series in [
        r#"gudang_http_requests_total{service="tested",method="GET",route="/v1/products/{ref}",status="200"}"#,
        r#"gudang_http_requests_total{service="tested",method="GET",route="unmatched",status="404"}"#,
        r#"gudang_http_requests_total{service="tested",method="other",route="/v1/orders",status="405"}"#,
        r#"gudang_http_request_duration_seconds_bucket{service="tested",method="GET",route="/v1/products/{ref}",le="0.001"}"#,
    ] {
        assert!(told.text.contains(series), "{series}\n{}", told.text);
    }
}

#[tokio::test]
async fn the_openapi_document_tells_every_route_and_its_refusals() {
    let document = get("/openapi.json").await.json();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["title"], "Tested");
    let list = &document["paths"]["/v1/lines"]["get"];
    assert_eq!(list["responses"]["default"]["content"]["application/problem+json"]["schema"]["$ref"], "#/components/schemas/Problem");
    let names: Vec<_> = list["parameters"].as_array().unwrap().iter().map(|parameter| parameter["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["from", "category", "limit", "cursor"]);
    assert!(list["parameters"].as_array().unwrap().iter().all(|parameter| parameter["in"] == "query"));
    let body = &document["paths"]["/v1/lines"]["post"]["requestBody"]["content"]["application/json"]["schema"];
    assert_eq!(body["$ref"], "#/components/schemas/Line");
    for schema in ["Problem", "FieldError", "Line", "LineError"] {
        assert!(document["components"]["schemas"][schema].is_object(), "{schema}");
    }
    assert!(document["paths"]["/healthz"]["get"].is_object());
}

#[tokio::test]
async fn every_reference_of_the_openapi_document_leads_somewhere() {
    let told = get("/openapi.json").await;
    let document = told.json();
    for reference in told.text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
}

#[tokio::test]
async fn the_documentation_is_served_from_here() {
    assert_eq!(get("/docs").await.status, 303);
    let page = get("/docs/").await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html"));
    assert!(!page.text.contains("https://"), "{}", page.text);
    let start = get("/docs/swagger-initializer.js").await;
    assert!(start.text.contains("../openapi.json"), "{}", start.text);
    assert_eq!(get("/docs/swagger-ui-bundle.js").await.status, 200);
}
