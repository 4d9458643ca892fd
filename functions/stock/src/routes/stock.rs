//! Stock levels.

use axum::extract::State;
use contract::{Location, Sku, StockStatus, Time};
use fault::Problem;
use serde::Deserialize;
use utoipa::IntoParams;
use web::{Answer, Cursor, Json, Limit, Page, ProductPath, Query};

use super::{Service, StoreError};
use crate::catalog;
use crate::store::levels::{self, Filter, ProductLevels};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ReadQuery {
    /// The stock as it was at this time, by when things occurred.
    as_of: Option<Time>,
}

/// Reads the stock of one product. One that never moved has zeros and no locations.
#[utoipa::path(get, path = "/v1/stock/{ref}", tag = "stock",
    params(("ref" = String, Path, description = "The product's id or SKU."), ReadQuery),
    responses((status = 200, body = ProductLevels), (status = 404)))]
pub(super) async fn read(State(service): State<Service>, path: ProductPath, Query(query): Query<ReadQuery>) -> Answer<Json<ProductLevels>> {
    let product = path.named()?;
    let known = service.catalog.find(&product).await?.ok_or_else(|| catalog::not_found(&product))?;
    let levels = match query.as_of {
        Some(time) => levels::as_of(&service.database, known.product_id, time).await,
        None => levels::of_product(&service.database, known.product_id).await,
    };
    Ok(Json(levels.map_err(StoreError::from)?.ok_or_else(Problem::internal)?))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    status: Option<StockStatus>,
    /// Only what lies here.
    location: Option<Location>,
    #[serde(default)]
    limit: Limit,
    cursor: Option<Cursor>,
}

/// Lists the stock of all products, by SKU.
#[utoipa::path(get, path = "/v1/stock", tag = "stock", params(ListQuery), responses((status = 200, body = Page<ProductLevels>)))]
pub(super) async fn list(State(service): State<Service>, Query(query): Query<ListQuery>) -> Answer<Json<Page<ProductLevels>>> {
    let after: Option<Sku> = query.cursor.map(|cursor| cursor.decode("stock")).transpose()?;
    let ListQuery { status, location, limit, .. } = query;
    let rows =
        levels::list(&service.database, &Filter { status, location }, after.as_ref(), limit.rows()).await.map_err(StoreError::from)?;
    Ok(Json(Page::of(rows, limit, |last| Cursor::encode("stock", &last.sku))))
}
