//! One change at a time, and the list of movements.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use contract::{Change, ChangeType, Location, ProductRef, Reference, Time};
use fault::Problem;
use postgres::keys::{Key, RequestHash};
use serde::Deserialize;
use utoipa::IntoParams;
use web::{Answer, Cursor, IdempotencyKey, JsonBytes, Limit, NoQuery, Page, Query};

use super::{Admitted, Service, StoreError, now, render};
use crate::catalog;
use crate::order::{Ask, Order};
use crate::request::ChangeRequest;
use crate::store::movements::{self, Filter};

/// Records one change.
///
/// Promises are checked, facts are recorded: a SALE is limited by what is available, a WRITE_OFF by what is on hand, a COUNT by nothing.
#[utoipa::path(post, path = "/v1/stock-changes", tag = "stock changes", request_body = ChangeRequest,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = Change), (status = 404), (status = 409)))]
pub(super) async fn record(
    State(service): State<Service>,
    _: Admitted,
    IdempotencyKey(key): IdempotencyKey,
    _: NoQuery,
    JsonBytes { value, raw }: JsonBytes<ChangeRequest>,
) -> Answer {
    let asked = value.check(now())?;
    let known = service.catalog.find(&asked.product).await?.ok_or_else(|| catalog::not_found(&asked.product))?;
    let key = key.map(|key| (Key::of(&key), RequestHash::of("POST", "/v1/stock-changes", &raw)));
    let line = asked.of(known.product_id, known.sku);
    render(service.submit(Order { key, ask: Ask::Change(line) }).await?)
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Id or SKU.
    product: Option<String>,
    location: Option<Location>,
    #[serde(rename = "type")]
    kind: Option<ChangeType>,
    reference: Option<Reference>,
    /// Occurred at this time or later.
    from: Option<Time>,
    /// Occurred before this time.
    to: Option<Time>,
    #[serde(default)]
    limit: Limit,
    cursor: Option<Cursor>,
}

/// Lists movements, newest recorded first.
#[utoipa::path(get, path = "/v1/stock-changes", tag = "stock changes", params(ListQuery), responses((status = 200, body = Page<Change>)))]
pub(super) async fn list(State(service): State<Service>, Query(query): Query<ListQuery>) -> Answer<Response> {
    let before: Option<i64> = query.cursor.map(|cursor| cursor.decode("stock-changes")).transpose()?;
    if query.from.is_some() && query.to.is_some() && query.from >= query.to {
        return Err(Problem::field("to", "empty_range", "must lie after `from`").into());
    }
    let product = match query.product.as_deref().map(ProductRef::parse) {
        None => None,
        // What no product can be called has no movements.
        Some(None) => return Ok(empty()),
        Some(Some(product)) => match service.catalog.find(&product).await? {
            Some(known) => Some(known.product_id),
            None => return Ok(empty()),
        },
    };
    let ListQuery { location, kind, reference, from, to, limit, .. } = query;
    let filter = Filter { product, location, kind, reference, from, to };
    let rows = movements::list(&service.database, &filter, before, limit.rows()).await.map_err(StoreError::from)?;
    let page = Page::of(rows, limit, |last| Cursor::encode("stock-changes", &last.id));
    Ok(axum::Json(page.map(|listed| listed.change)).into_response())
}

fn empty() -> Response {
    axum::Json(Page::<Change> { items: Vec::new(), next_cursor: None }).into_response()
}
