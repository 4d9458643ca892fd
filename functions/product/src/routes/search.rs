//! The routes of searching: they read what was typed and write what was found.

use axum::extract::State;
use contract::{Category, Name, Product, Sku};
use search::{Facets, Filters, Level, Place, Question, Typed};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use web::{Answer, Cursor, Failure, Json, Limit, NoQuery, Page, Query};

use crate::search::Search;

/// The two ways of searching, and the proof that they find what there is.
pub(crate) fn routes(search: Search) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(search_products)).routes(routes!(suggest_products)).routes(routes!(list_drifts)).with_state(search)
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct SearchQuery {
    /// What was typed: a SKU or a part of it, or words of a name. Without it, everything by SKU.
    #[param(value_type = Option<String>, max_length = 200)]
    q: Option<Typed>,
    /// Only this category's.
    category: Option<Category>,
    /// Only what stands so.
    #[param(inline)]
    stock: Option<Level>,
    #[serde(default)]
    limit: Limit,
    cursor: Option<Cursor>,
}

/// A product that was found.
#[derive(Debug, Serialize, ToSchema)]
struct ProductHit {
    product: Product,
    /// How well it fits, 0 to 6; hits of one score stand in the order of their SKUs.
    score: f64,
}

/// A page of what was found.
#[derive(Debug, Serialize, ToSchema)]
struct SearchResult {
    /// Best first.
    items: Vec<ProductHit>,
    /// How many hits there are of each category and of each stock status.
    facets: Facets,
    /// Hits on all pages.
    total: u64,
    /// Asks for the next page; null on the last one.
    next_cursor: Option<String>,
    /// The search engine is away, and the database has answered.
    degraded: bool,
}

/// Under names of their own: where utoipa recognises the extractor, it writes code that the compiler warns of.
type Searched = Query<SearchQuery>;
type Begun = Query<SuggestQuery>;

/// Searches active products: by SKU, to the letter, then its beginning and its parts; then by the words of their names, typing errors allowed
/// where nothing else is found.
#[utoipa::path(get, path = "/v1/products/search", tag = "search", params(SearchQuery), responses((status = 200, body = SearchResult)))]
async fn search_products(State(search): State<Search>, Query(query): Searched) -> Answer<Json<SearchResult>> {
    let after: Option<Place> = match &query.cursor {
        None => None,
        Some(cursor) => Some(cursor.decode("search")?),
    };
    let filters = Filters { category: query.category, stock: query.stock };
    let question = Question { typed: query.q.and_then(Typed::some), filters, after, rows: query.limit.rows() as usize };
    let found = search.find(&question).await.map_err(|error| Failure::of(&error))?;
    let page =
        Page::of(found.products, query.limit, |(last, score)| Cursor::encode("search", &Place { score: *score, sku: last.sku.clone() }));
    let items = page.items.into_iter().map(|(product, score)| ProductHit { product, score }).collect();
    let (facets, total) = (found.counts.facets, found.counts.total);
    Ok(Json(SearchResult { items, facets, total, next_cursor: page.next_cursor, degraded: found.degraded }))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct SuggestQuery {
    /// What was typed so far.
    #[param(value_type = String, max_length = 200)]
    q: Typed,
    #[serde(default)]
    limit: Limit,
}

/// What may be meant.
#[derive(Debug, Serialize, ToSchema)]
struct Suggestion {
    sku: Sku,
    name: Name,
}

/// What may be meant, best first.
#[derive(Debug, Serialize, ToSchema)]
struct Suggestions {
    items: Vec<Suggestion>,
}

/// Suggests products as one types. Nothing typed: nothing suggested.
#[utoipa::path(get, path = "/v1/products/suggest", tag = "search", params(SuggestQuery), responses((status = 200, body = Suggestions)))]
async fn suggest_products(State(search): State<Search>, Query(query): Begun) -> Answer<Json<Suggestions>> {
    let Some(typed) = query.q.some() else { return Ok(Json(Suggestions { items: Vec::new() })) };
    let rows = query.limit.get() as usize;
    let question = Question { typed: Some(typed), filters: Filters::default(), after: None, rows };
    let found = search.find(&question).await.map_err(|error| Failure::of(&error))?;
    let items = found.products.into_iter().map(|(product, _)| Suggestion { sku: product.sku, name: product.name });
    Ok(Json(Suggestions { items: items.collect() }))
}

/// What the search index has otherwise than the database.
#[derive(Debug, Serialize, ToSchema)]
struct IndexDrifts {
    /// A sentence for each product, the first hundred; empty when they agree, and when no index is configured.
    drifts: Vec<String>,
}

/// Compares the search index with the database, version by version. What is on its way is waited for, up to some 10 s.
#[utoipa::path(get, path = "/v1/search/drifts", tag = "search", responses((status = 200, body = IndexDrifts)))]
async fn list_drifts(State(search): State<Search>, _: NoQuery) -> Answer<Json<IndexDrifts>> {
    let drifts = search.drifts().await.map_err(|error| Failure::of(&error))?;
    Ok(Json(IndexDrifts { drifts }))
}
