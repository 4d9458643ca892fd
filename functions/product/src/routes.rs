//! Product's HTTP API: reads a request, calls the service, writes the answer. No SQL, no rule.

pub(crate) mod kept;
pub(crate) mod search;

use ::cache::Entry;
use axum::body::Body;
use axum::extract::State;
use axum::response::IntoResponse;
use contract::{Category, Product, ProductRef, ProductStatus, Time};
use http::header::{CONTENT_TYPE, ETAG};
use http::{HeaderValue, Method, Uri};
use postgres::keys::{Key, RequestHash};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;
use web::conditional::{IfMatch, IfNoneMatch, etag, not_modified};
use web::import::{Columns, Format, Report, Rows};
use web::{Answer, Cursor, Failure, IdempotencyKey, Json, JsonBytes, Limit, MergePatchBytes, NoQuery, Page, ProductPath, Query};

use crate::answer::problem_of;
use crate::cache;
use crate::draft::{NewProduct, Patch};
use crate::import::{GROUP_ROWS, Verdict};
use crate::rule::{Action, Refusal};
use crate::service::{Command, Once, Reply, Shop};
use crate::store::{self, Filter};

/// What an import may have in its header row.
const COLUMNS: Columns = Columns {
    allowed: &["sku", "name", "category", "description", "price", "currency", "min_stock"],
    required: &["sku", "name", "category"],
    integers: &["min_stock"],
    maps: &["attributes"],
};

/// The routes of the contract's Product table.
pub(crate) fn routes(shop: Shop) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(create_product, list_products))
        .routes(routes!(read_product, patch_product, archive_product))
        .routes(routes!(restore_product))
        .routes(web::unhurried(routes!(import_products)))
        .with_state(shop)
}

/// Adds a product.
#[utoipa::path(post, path = "/v1/products", tag = "products", request_body = NewProduct,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = Product, headers(("Location" = String), ("ETag" = String))), (status = 409, description = "`sku_taken`")))]
async fn create_product(State(shop): State<Shop>, _: NoQuery, uri: Uri, key: IdempotencyKey, new: JsonBytes<NewProduct>) -> Answer<Reply> {
    let once = once(key, &Method::POST, &uri, &new.raw);
    Ok(shop.write(Command::Create(Box::new(new.value)), once).await?)
}

/// Shows a product, archived ones too.
#[utoipa::path(get, path = "/v1/products/{ref}", tag = "products",
    params(("ref" = String, Path, description = "id or SKU"), ("If-None-Match" = Option<String>, Header, description = "the ETag that one has")),
    responses((status = 200, body = Product, headers(("ETag" = String))), (status = 304, description = "it is as one has it"),
        (status = 404, description = "`product_not_found`")))]
async fn read_product(State(shop): State<Shop>, path: ProductPath, _: NoQuery, has: IfNoneMatch) -> Answer {
    let found = cache::read(&shop.products, &path.named()?).await.map_err(|error| Failure::of(&error))?;
    let Entry { version, body } = found.ok_or_else(|| problem_of(&Refusal::NotFound))?;
    let tag = etag(version.major, version.minor);
    if has.has(&tag) {
        return Ok(not_modified(tag));
    }
    Ok(([(ETAG, tag), (CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response())
}

/// Which products to list by status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum StatusFilter {
    /// For sale.
    #[default]
    Active,
    /// Taken off.
    Archived,
    /// Both.
    All,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Only this category's.
    category: Option<Category>,
    /// `active` when absent.
    #[serde(default)]
    #[param(inline)]
    status: StatusFilter,
    #[serde(default)]
    limit: Limit,
    cursor: Option<Cursor>,
}

/// Under a name of its own: where utoipa recognises the extractor, it writes code that the compiler warns of.
type Filtered = Query<ListQuery>;

/// Lists products, oldest first.
#[utoipa::path(get, path = "/v1/products", tag = "products", params(ListQuery), responses((status = 200, body = Page<Product>)))]
async fn list_products(State(shop): State<Shop>, Query(query): Filtered) -> Answer<Json<Page<Product>>> {
    let after: Option<(Time, Uuid)> = match &query.cursor {
        None => None,
        Some(cursor) => Some(cursor.decode("products")?),
    };
    let status = match query.status {
        StatusFilter::Active => Some(ProductStatus::Active),
        StatusFilter::Archived => Some(ProductStatus::Archived),
        StatusFilter::All => None,
    };
    let filter = Filter { status, category: query.category };
    let found = store::list(&shop.database, &filter, after, query.limit.rows()).await.map_err(|error| Failure::of(&error))?;
    let products = found.into_iter().map(|shown| shown.product).collect();
    Ok(Json(Page::of(products, query.limit, |last: &Product| Cursor::encode("products", &(last.created_at, last.id)))))
}

/// Changes a product. A patch that changes nothing keeps the version.
#[utoipa::path(patch, path = "/v1/products/{ref}", tag = "products",
    request_body(content((Patch = "application/merge-patch+json"), (Patch = "application/json"))),
    params(("ref" = String, Path, description = "id or SKU"), ("If-Match" = Option<String>, Header, description = "`*` or the version"),
        ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, body = Product, headers(("ETag" = String))), (status = 404, description = "`product_not_found`"),
        (status = 409, description = "`product_archived`"), (status = 412, description = "`precondition_failed`")))]
async fn patch_product(
    State(shop): State<Shop>,
    path: ProductPath,
    _: NoQuery,
    uri: Uri,
    if_match: IfMatch,
    key: IdempotencyKey,
    patch: MergePatchBytes<Patch>,
) -> Answer<Reply> {
    let once = once(key, &Method::PATCH, &uri, &patch.raw);
    Ok(shop.write(change(path.named()?, if_match, Action::Patch(Box::new(patch.value))), once).await?)
}

/// Archives a product: its history stays, and its SKU stays taken.
#[utoipa::path(delete, path = "/v1/products/{ref}", tag = "products",
    params(("ref" = String, Path, description = "id or SKU"), ("If-Match" = Option<String>, Header, description = "`*` or the version"),
        ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 204, description = "archived, now or before"), (status = 404, description = "`product_not_found`")))]
async fn archive_product(
    State(shop): State<Shop>,
    path: ProductPath,
    _: NoQuery,
    uri: Uri,
    if_match: IfMatch,
    key: IdempotencyKey,
) -> Answer<Reply> {
    let once = once(key, &Method::DELETE, &uri, b"");
    Ok(shop.write(change(path.named()?, if_match, Action::Archive), once).await?)
}

/// Brings an archived product back; an active one stays as it is.
#[utoipa::path(post, path = "/v1/products/{ref}/restore", tag = "products",
    params(("ref" = String, Path, description = "id or SKU"), ("If-Match" = Option<String>, Header, description = "`*` or the version"),
        ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, body = Product, headers(("ETag" = String))), (status = 404, description = "`product_not_found`")))]
async fn restore_product(
    State(shop): State<Shop>,
    path: ProductPath,
    _: NoQuery,
    uri: Uri,
    if_match: IfMatch,
    key: IdempotencyKey,
) -> Answer<Reply> {
    let once = once(key, &Method::POST, &uri, b"");
    Ok(shop.write(change(path.named()?, if_match, Action::Restore), once).await?)
}

/// What came of an import.
#[derive(Debug, Default, Serialize, ToSchema)]
struct Imported {
    /// Rows whose SKU was new.
    created: u64,
    /// Rows that changed a product.
    updated: u64,
    /// Rows that changed nothing.
    unchanged: u64,
    #[serde(flatten)]
    report: Report,
}

/// Adds and changes products by SKU. Each row is judged by itself; what is absent in a row stays as it is.
#[utoipa::path(post, path = "/v1/products/import", tag = "products",
    request_body(content((String = "text/csv"), (NewProduct = "application/x-ndjson"))),
    params(("Idempotency-Key" = Option<String>, Header, description = "row n has the key `<key>:<n>`")),
    responses((status = 200, body = Imported)))]
async fn import_products(
    State(shop): State<Shop>,
    _: NoQuery,
    uri: Uri,
    key: IdempotencyKey,
    format: Format,
    body: Body,
) -> Answer<Json<Imported>> {
    let mut rows = Rows::new(format, body, &COLUMNS);
    let mut imported = Imported::default();
    loop {
        let group = rows.next_group(GROUP_ROWS).await?;
        if group.is_empty() {
            return Ok(Json(imported));
        }
        let lines: Vec<u64> = group.iter().map(|row| row.line).collect();
        let verdicts = shop.import(group, key.0.as_deref(), uri.path()).await?;
        for (line, verdict) in lines.into_iter().zip(verdicts) {
            imported.count(line, &verdict);
        }
    }
}

impl Imported {
    fn count(&mut self, line: u64, verdict: &Verdict) {
        match verdict {
            Verdict::Created => self.created += 1,
            Verdict::Updated => self.updated += 1,
            Verdict::Unchanged => self.unchanged += 1,
            Verdict::Failed(problem) => self.report.add(line, problem),
        }
    }
}

fn once(key: IdempotencyKey, method: &Method, uri: &Uri, body: &[u8]) -> Option<Once> {
    key.0.map(|key| Once { key: Key::of(&key), request: RequestHash::of(method.as_str(), uri.path(), body) })
}

fn change(product: ProductRef, if_match: IfMatch, action: Action) -> Command {
    let expected = match if_match {
        IfMatch::Absent | IfMatch::Any => None,
        IfMatch::Versions(versions) => Some(versions),
    };
    Command::Change { product, expected, action }
}
