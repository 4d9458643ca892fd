//! Many changes in one request, all or none or each by itself.

use axum::extract::State;
use contract::ProductRef;
use fault::Problem;
use postgres::keys::{Key, RequestHash};
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use web::{Answer, IdempotencyKey, JsonBytes, NoQuery};

use super::{Admitted, Service, now, render};
use crate::answer::BatchAnswer;
use crate::catalog;
use crate::order::{Ask, Line, Order};
use crate::request::{Asked, ChangeRequest};

/// Lines that a batch may have.
const LINES: usize = 1000;

/// Whether a batch stands or falls as one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mode {
    /// All lines or none.
    #[default]
    Atomic,
    /// Each line by itself.
    Independent,
}

/// A batch as sent. The lines are read one by one, so that each can be refused by itself.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BatchRequest {
    #[serde(default, deserialize_with = "web::strict::word")]
    mode: Mode,
    /// 1 to 1,000 changes, judged in order: each sees what the one before left.
    #[schema(value_type = Vec<ChangeRequest>, min_items = 1, max_items = 1000)]
    changes: Vec<Box<RawValue>>,
}

/// Records a batch.
#[utoipa::path(post, path = "/v1/stock-changes/batch", tag = "stock changes", request_body = BatchRequest,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, body = BatchAnswer), (status = 409, description = "Atomic, and a line was refused: nothing was recorded.")))]
pub(super) async fn record_batch(
    State(service): State<Service>,
    _: Admitted,
    IdempotencyKey(key): IdempotencyKey,
    _: NoQuery,
    JsonBytes { value: batch, raw }: JsonBytes<BatchRequest, { web::BATCH_BYTES }>,
) -> Answer {
    if !(1..=LINES).contains(&batch.changes.len()) {
        let detail = format!("must have 1 to {LINES} lines, it has {}", batch.changes.len());
        return Err(Problem::field("changes", "out_of_range", detail).into());
    }
    let asked = parse(&batch);
    if batch.mode == Mode::Atomic
        && let Some(invalid) = together(&asked)
    {
        return Err(invalid.into());
    }
    let lines = lines(&service, asked).await?;
    let ask = if batch.mode == Mode::Atomic { Ask::Atomic(lines) } else { Ask::Independent(lines) };
    let key = key.map(|key| (Key::of(&key), RequestHash::of("POST", "/v1/stock-changes/batch", &raw)));
    render(service.submit(Order { key, ask }).await?)
}

/// Reads each line by itself; what is wrong with one names it by its place.
fn parse(batch: &BatchRequest) -> Vec<Result<Asked, Problem>> {
    let now = now();
    let line = |(index, raw): (usize, &RawValue)| {
        web::typing::parsed::<ChangeRequest>(raw.get())
            .and_then(|change| change.check(now))
            .map_err(|problem| problem.within(&format!("changes[{index}]")))
    };
    batch.changes.iter().map(AsRef::as_ref).enumerate().map(line).collect()
}

/// One 422 for all lines that are invalid.
fn together(asked: &[Result<Asked, Problem>]) -> Option<Problem> {
    let mut invalid = asked.iter().filter_map(|line| line.as_ref().err());
    let mut problem = invalid.next()?.clone();
    problem.errors.extend(invalid.flat_map(|other| other.errors.clone()));
    Some(problem)
}

/// Finds the products of all lines at once.
async fn lines(service: &Service, asked: Vec<Result<Asked, Problem>>) -> Answer<Vec<Result<Line, Problem>>> {
    let names: Vec<&ProductRef> = asked.iter().flatten().map(|asked| &asked.product).collect();
    let known = service.catalog.find_all(names).await?;
    let line = |asked: Result<Asked, Problem>| {
        let asked = asked?;
        let product = known.get(&asked.product).cloned().ok_or_else(|| catalog::not_found(&asked.product))?;
        Ok(asked.of(product.product_id, product.sku))
    };
    Ok(asked.into_iter().map(line).collect())
}
