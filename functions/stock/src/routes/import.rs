//! Imports of changes: a body of any length, streamed, its rows grouped into transactions and each judged by itself.

use std::collections::VecDeque;

use axum::body::Body;
use axum::extract::State;
use contract::ProductRef;
use fault::Problem;
use journal::keyed;
use postgres::keys::{Key, RequestHash};
use serde::Serialize;
use utoipa::ToSchema;
use web::import::{Columns, Format, Report, Row, Rows, typed};
use web::{Answer, IdempotencyKey, Json, NoQuery};

use super::{Service, now, outcomes};
use crate::catalog;
use crate::lane::Pending;
use crate::ledger::Written;
use crate::order::{Ask, Order, Outcome};
use crate::request::{Asked, ChangeRequest};

/// Rows of one group, which is written in one transaction.
const GROUP_ROWS: usize = 1000;
/// Groups that may wait for the ledger while the next one is read.
const GROUPS_AHEAD: usize = 2;

const COLUMNS: Columns = Columns {
    allowed: &["product_id", "sku", "type", "quantity", "location", "unit_price", "reason", "reference", "occurred_at"],
    required: &["type", "quantity"],
    integers: &["quantity"],
    maps: &[],
};

/// What an import came to.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(super) struct ImportAnswer {
    /// Rows recorded, now or under the same key before.
    accepted: u64,
    /// Rows refused.
    failed: u64,
    /// The first 1,000 of them.
    errors: Vec<web::import::LineError>,
}

/// Imports changes as CSV or NDJSON.
///
/// With an `Idempotency-Key` row n is kept under `<key>:<n>`: an import that broke off, or that has grown, can be sent again.
#[utoipa::path(post, path = "/v1/stock-changes/import", tag = "stock changes",
    request_body(content((String = "text/csv"), (String = "application/x-ndjson"))),
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes each row repeatable for 7 days.")),
    responses((status = 200, body = ImportAnswer)))]
pub(super) async fn import(
    State(service): State<Service>,
    IdempotencyKey(key): IdempotencyKey,
    _: NoQuery,
    format: Format,
    body: Body,
) -> Answer<Json<ImportAnswer>> {
    let mut rows = Rows::new(format, body, &COLUMNS);
    let mut report = Report::default();
    let mut accepted = 0;
    let mut ahead = VecDeque::new();
    loop {
        let group = rows.next_group(GROUP_ROWS).await?;
        let ended = group.is_empty();
        if !ended {
            // Queued here and now, group after group: that keeps the rows of a product in their order.
            ahead.push_back(queue(&service, group, key.as_deref()).await?);
        }
        while ended || ahead.len() >= GROUPS_AHEAD {
            let Some(queued) = ahead.pop_front() else { break };
            for (line, result) in queued.recorded().await? {
                match result {
                    Ok(()) => accepted += 1,
                    Err(problem) => report.add(line, &problem),
                }
            }
        }
        if ended {
            return Ok(Json(ImportAnswer { accepted, failed: report.failed, errors: report.errors }));
        }
    }
}

/// Each row's line and what became of it.
type Recorded = Vec<(u64, Result<(), Problem>)>;

/// A group that waits for the ledger.
struct Queued {
    recorded: Recorded,
    /// Which rows the ledger was asked about, in the order of its answers.
    places: Vec<usize>,
    pending: Option<Pending<Written>>,
}

/// Reads the rows of a group, finds their products and queues what can be judged.
async fn queue(service: &Service, group: Vec<Row>, key: Option<&str>) -> Answer<Queued> {
    let now = now();
    let asked: Vec<(Row, Result<Asked, Problem>)> = group
        .into_iter()
        .map(|mut row| {
            let value = std::mem::replace(&mut row.value, Ok(serde_json::Map::new()));
            let asked = value.and_then(typed::<ChangeRequest>).and_then(|change| change.check(now));
            (row, asked)
        })
        .collect();
    let names: Vec<&ProductRef> = asked.iter().filter_map(|(_, asked)| asked.as_ref().ok().map(|asked| &asked.product)).collect();
    let known = service.catalog.find_all(names).await?;
    let mut recorded = Vec::with_capacity(asked.len());
    let (mut orders, mut places) = (Vec::with_capacity(asked.len()), Vec::with_capacity(asked.len()));
    for (row, asked) in asked {
        let line = asked.and_then(|asked| {
            let product = known.get(&asked.product).cloned().ok_or_else(|| catalog::not_found(&asked.product))?;
            Ok(asked.of(product.product_id, product.sku))
        });
        match line {
            Ok(line) => {
                let key = key.map(|key| {
                    let hash = RequestHash::of("POST", "/v1/stock-changes/import", &row.raw);
                    (Key::of(&format!("{key}:{}", row.number)), hash)
                });
                places.push(recorded.len());
                recorded.push((row.line, Ok(())));
                orders.push(Order { key, ask: Ask::ImportRow(line) });
            }
            Err(problem) => recorded.push((row.line, Err(problem))),
        }
    }
    let pending = if orders.is_empty() { None } else { Some(service.enqueue_patiently(orders).await?) };
    Ok(Queued { recorded, places, pending })
}

impl Queued {
    /// Waits until the ledger has judged the group.
    async fn recorded(self) -> Answer<Recorded> {
        let Self { mut recorded, places, pending } = self;
        let Some(pending) = pending else { return Ok(recorded) };
        for (place, outcome) in places.into_iter().zip(outcomes(pending).await?) {
            if let Some((_, result)) = recorded.get_mut(place) {
                *result = judged(outcome);
            }
        }
        Ok(recorded)
    }
}

/// What an outcome says of its row.
fn judged(outcome: Outcome) -> Result<(), Problem> {
    match outcome {
        Outcome::Decided(answer) | Outcome::Replayed(answer) if answer.status == 201 => Ok(()),
        Outcome::Decided(answer) | Outcome::Replayed(answer) => {
            let body = answer.body.unwrap_or_default();
            Err(serde_json::from_slice(&body).unwrap_or_else(|_| Problem::internal()))
        }
        Outcome::Mismatch => Err(keyed::mismatch()),
    }
}
