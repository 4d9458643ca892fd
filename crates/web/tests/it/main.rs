//! The conventions of the API, each a promise, driven through a small service that has one route for each.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod imports;
mod json;
mod outer;
mod params;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use contract::{Quantity, Sku, Time};
use fault::{Kind, Problem};
use futures::FutureExt;
use http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tower::ServiceExt;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use web::conditional::{IfMatch, IfNoneMatch, etag, not_modified};
use web::import::{Columns, Format, Report, Rows, typed};
use web::{Answer, Cursor, IdempotencyKey, Json, JsonBytes, Limit, MergePatch, NoQuery, Page, ProductPath, Query, Shell};

const COLUMNS: Columns =
    Columns { allowed: &["sku", "quantity", "note"], required: &["sku"], integers: &["quantity"], maps: &["attributes"] };

/// A line of an order.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Line {
    sku: Sku,
    quantity: Quantity,
    note: Option<String>,
    #[serde(default, deserialize_with = "web::strict::map")]
    attributes: BTreeMap<String, String>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Order {
    changes: Vec<Line>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::option_option, reason = "a merge patch has three cases: leave, remove, set")]
struct Patch {
    #[serde(default, deserialize_with = "web::strict::nullable", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    description: Option<Option<String>>,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct Search {
    from: Option<Time>,
    category: Option<String>,
    #[serde(default)]
    limit: Limit,
    cursor: Option<Cursor>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct Imported {
    accepted: u64,
    #[serde(flatten)]
    report: Report,
    rows: Vec<Value>,
}

/// Stands in for a domain error that says what no client may see.
#[derive(Debug)]
struct Secret;

impl std::fmt::Display for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("password in the connection string")
    }
}

impl std::error::Error for Secret {}

impl fault::Fault for Secret {
    fn kind(&self) -> Kind {
        Kind::Internal
    }
    fn code(&self) -> &'static str {
        "secret"
    }
}

web::failures!(Secret);

#[utoipa::path(post, path = "/v1/lines", responses((status = 201, body = Line)))]
async fn post_line(_: NoQuery, key: IdempotencyKey, Json(line): Json<Line>) -> Answer {
    let mut answer = (StatusCode::CREATED, Json(line)).into_response();
    if let Some(key) = key.0 {
        answer.headers_mut().insert("x-key", key.parse().unwrap());
    }
    Ok(answer)
}

#[utoipa::path(get, path = "/v1/lines", params(Search), responses((status = 200, body = Page<u64>)))]
async fn list_lines(Query(search): Query<Search>) -> Answer<Json<Page<u64>>> {
    let after: u64 = search.cursor.map(|cursor| cursor.decode("lines")).transpose()?.unwrap_or(0);
    let end = if search.category.is_some() { after } else { 120 };
    let rows = (after + 1..=end).take(usize::try_from(search.limit.rows()).unwrap()).collect();
    let _ = search.from;
    Ok(Json(Page::of(rows, search.limit, |last| Cursor::encode("lines", last))))
}

#[utoipa::path(post, path = "/v1/orders", request_body = Order, responses((status = 200, body = Order)))]
async fn post_order(order: JsonBytes<Order, { web::BATCH_BYTES }>) -> Answer<Json<Value>> {
    Ok(Json(json!({"lines": order.value.changes.len(), "bytes": order.raw.len()})))
}

#[utoipa::path(get, path = "/v1/products/{ref}", params(("ref" = String, Path)), responses((status = 200)))]
async fn get_product(product: ProductPath, has: IfNoneMatch) -> Answer {
    let product = product.named()?;
    let tag = etag(3, 7);
    if has.has(&tag) {
        return Ok(not_modified(tag));
    }
    Ok(([(header::ETAG, tag)], Json(json!({"named": product.to_string()}))).into_response())
}

#[utoipa::path(patch, path = "/v1/products/{ref}", params(("ref" = String, Path)), request_body(content = Patch, content_type = "application/merge-patch+json"), responses((status = 200)))]
async fn patch_product(_: ProductPath, condition: IfMatch, MergePatch(patch): MergePatch<Patch>) -> Answer<Json<Patch>> {
    condition.check(3)?;
    Ok(Json(patch))
}

#[utoipa::path(post, path = "/v1/products/import", request_body(content = String, content_type = "text/csv"), responses((status = 200, body = Imported)))]
async fn import_products(format: Format, body: Body) -> Answer<Json<Imported>> {
    let mut rows = Rows::new(format, body, &COLUMNS);
    let mut imported = Imported { accepted: 0, report: Report::default(), rows: Vec::new() };
    loop {
        let group = rows.next_group(3).await?;
        if group.is_empty() {
            return Ok(Json(imported));
        }
        for row in group {
            match row.value.and_then(typed::<Line>) {
                Ok(line) => {
                    imported.accepted += 1;
                    imported.rows.push(json!({"line": row.line, "number": row.number, "is": line}));
                }
                Err(problem) => imported.report.add(row.line, &problem),
            }
        }
    }
}

#[utoipa::path(post, path = "/v1/fail/{how}", params(("how" = String, Path)), responses((status = 200)))]
async fn fail(web::Path(how): web::Path<String>) -> Answer {
    match how.as_str() {
        "panic" => panic!("the inside"),
        "secret" => Err(Secret)?,
        "busy" => Err(Problem::new(Kind::Overloaded, "overloaded", "come back").into()),
        "raw" => Err(Problem::new(Kind::Internal, "sql", "relation missing").into()),
        "slow" => {
            tokio::time::sleep(std::time::Duration::from_secs(40)).await;
            Ok(StatusCode::OK.into_response())
        }
        _ => Ok(StatusCode::OK.into_response()),
    }
}

#[utoipa::path(post, path = "/v1/slow/import", responses((status = 200)))]
async fn slow_import() -> Answer {
    tokio::time::sleep(std::time::Duration::from_mins(5)).await;
    Ok(StatusCode::OK.into_response())
}

fn service(ready: bool) -> Router {
    let routes = OpenApiRouter::new()
        .routes(routes!(post_line, list_lines))
        .routes(routes!(post_order))
        .routes(routes!(get_product, patch_product))
        .routes(web::unhurried(routes!(import_products)))
        .routes(web::unhurried(routes!(slow_import)))
        .routes(routes!(fail));
    web::shell(Shell { name: "tested", title: "Tested", routes, ready: Arc::new(move || std::future::ready(ready).boxed()) })
}

/// An answer, read to its end.
struct Told {
    status: u16,
    headers: http::HeaderMap,
    text: String,
}

impl Told {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {:?}", self.text))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Status, code, and the first field with its code.
    fn refusal(&self) -> (u16, String, String, String) {
        let json = self.json();
        assert_eq!(self.header("content-type"), "application/problem+json", "{json}");
        assert_eq!(json["status"], self.status);
        let of = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        assert_eq!(of(&json["type"]), format!("/problems/{}", of(&json["code"])));
        (self.status, of(&json["code"]), of(&json["errors"][0]["field"]), of(&json["errors"][0]["code"]))
    }
}

async fn ask(request: Request<Body>) -> Told {
    told(service(true).oneshot(request).await.unwrap()).await
}

async fn told(response: Response) -> Told {
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    assert!(parts.headers.contains_key("x-request-id"), "every answer carries a request id");
    Told { status: parts.status.as_u16(), headers: parts.headers, text: String::from_utf8_lossy(&bytes).into_owned() }
}

async fn post(path: &str, content_type: &str, body: impl Into<Body>) -> Told {
    ask(Request::post(path).header("content-type", content_type).body(body.into()).unwrap()).await
}

async fn get(path: &str) -> Told {
    ask(Request::get(path).body(Body::empty()).unwrap()).await
}

fn refused(status: u16, code: &str, field: &str, field_code: &str) -> (u16, String, String, String) {
    (status, code.to_owned(), field.to_owned(), field_code.to_owned())
}
