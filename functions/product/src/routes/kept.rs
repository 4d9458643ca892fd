//! The route that proves the cache in Redis.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use web::{Answer, Failure, Json, NoQuery};

use crate::kept::compare;
use crate::service::Shop;

/// The proof that Redis shows nothing old.
pub(crate) fn routes(shop: Shop) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(list_cache_drifts)).with_state(shop)
}

/// What Redis has otherwise than the database.
#[derive(Debug, Serialize, ToSchema)]
struct CacheDrifts {
    /// How many products Redis has; null where no Redis is configured, and while it is away: then it shows nothing.
    products: Option<u64>,
    /// A sentence for each product that is older there, the first hundred.
    drifts: Vec<String>,
}

/// Compares what Redis has of products with the database. What is on its way is waited for, some 3 s.
#[utoipa::path(get, path = "/v1/cache/drifts", tag = "products", responses((status = 200, body = CacheDrifts)))]
async fn list_cache_drifts(State(shop): State<Shop>, _: NoQuery) -> Answer<Json<CacheDrifts>> {
    let compared = compare(&shop.database, &shop.products).await.map_err(|error| Failure::of(&error))?;
    Ok(Json(CacheDrifts { products: compared.products, drifts: compared.drifts }))
}
