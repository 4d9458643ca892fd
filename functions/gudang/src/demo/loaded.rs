//! Keeps the demo from loading a shop twice.
//!
//! What was sent under our keys within 7 days is recognised by the service, so sending again is safe, also after a kill. Later the keys are gone and
//! every row would be recorded a second time. So before anything is sent, each lane's first opening restock is looked for. A lane is sent in
//! order, so its first row is its oldest: if that is younger than the keys' life, all keys of the lane are alive. If it is older, or is the
//! opening of another file, the shop is loaded already and nothing is sent.

use std::time::Duration;

use contract::{Change as Recorded, ProductRef};
use jiff::Timestamp;
use serde::Deserialize;

use super::plan::{Change, OPENING, Plan};
use super::send::lanes;
use crate::client::{NoAnswer, Service, query};

/// How long keys are relied on: 7 days less the time that a run may take, and a clock may be off.
const KEYS_LIVE: Duration = Duration::from_hours(7 * 24 - 1);

/// Sending would record things twice.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Loaded {
    /// The same file, too long ago.
    #[error(
        "the shop is loaded already: this file was sent on {at}, and after 7 days sending it again would record everything twice; \
         the figures are there (`gudang report best-sellers`), or start on a fresh data directory (`gudang up --data-dir DIRECTORY`)"
    )]
    LongAgo {
        /// When its first row was recorded.
        at: contract::Time,
    },
    /// Another file with the same products.
    #[error(
        "the shop is loaded already: `{sku}` has an opening stock of {found} units from another file, here it would be {expected}; \
         start on a fresh data directory (`gudang up --data-dir DIRECTORY`)"
    )]
    OtherFile {
        /// The product.
        sku: String,
        /// Units of the other file's opening.
        found: i64,
        /// Units of this file's opening.
        expected: i64,
    },
    /// Stock cannot be asked.
    #[error(transparent)]
    NoAnswer(#[from] NoAnswer),
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Recorded>,
}

/// Looks for each lane's first opening; see above.
pub(super) async fn refuse_if_loaded(stock: &Service, plan: &Plan) -> Result<(), Loaded> {
    for lane in lanes(plan) {
        let Some(opening) = lane.iter().find(|change| change.reference.as_str() == OPENING) else { continue };
        let product = ProductRef::Sku(plan.products[opening.product].sku.clone());
        let question = query(&[("product", Some(&product.to_string())), ("reference", Some(OPENING)), ("limit", Some("1"))]);
        let page: Page = match stock.json(&format!("/v1/stock-changes{question}")).await {
            Err(NoAnswer::Refused { problem, .. }) if problem.status == 404 => continue,
            page => page?,
        };
        if let Some(found) = page.items.first() {
            judge(opening, found, Timestamp::now())?;
        }
    }
    Ok(())
}

fn judge(expected: &Change, found: &Recorded, now: Timestamp) -> Result<(), Loaded> {
    if found.quantity != expected.quantity.get() || found.occurred_at != expected.occurred_at {
        let (found, sku) = (found.quantity, found.sku.to_string());
        return Err(Loaded::OtherFile { sku, found, expected: expected.quantity.get() });
    }
    let age = Duration::try_from(now.duration_since(found.recorded_at.timestamp())).unwrap_or_default();
    if age > KEYS_LIVE { Err(Loaded::LongAgo { at: found.recorded_at }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;

    use super::*;
    use crate::demo::plan::plan;

    #[test]
    fn a_shop_is_sent_again_while_its_keys_live_and_never_on_top_of_another() {
        let file = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice\n1,22752,BOX,2,2010-12-01 08:26:00,1\n";
        let plan = plan(file.as_bytes()).expect("a plan");
        let recorded: Recorded = serde_json::from_value(serde_json::json!({
            "id": "0198c9f2-7a4e-7c33-9a51-3d2f6f6b9f10", "product_id": "0198c9f2-7a4e-7c33-9a51-3d2f6f6b9f11", "sku": "22752",
            "location": "default", "type": "RESTOCK", "quantity": 2, "delta": 2, "on_hand": 2, "reserved": 0, "available": 2, "version": 1,
            "unit_price": null, "reason": null, "reference": "opening", "occurred_at": "2010-12-01T08:26:00Z",
            "recorded_at": "2026-01-01T00:00:00Z",
        }))
        .expect("a change");
        let at = recorded.recorded_at.timestamp();
        let judged = |after: jiff::Span, found: &Recorded| judge(&plan.changes[0], found, at + after);
        assert!(judged(0.hours(), &recorded).is_ok());
        assert!(judged(166.hours(), &recorded).is_ok());
        assert!(matches!(judged(168.hours(), &recorded), Err(Loaded::LongAgo { .. })));
        let other = Recorded { quantity: 3, ..recorded };
        assert!(matches!(judged(0.hours(), &other), Err(Loaded::OtherFile { found: 3, expected: 2, .. })));
    }
}
