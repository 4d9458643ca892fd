//! Movements, newest recorded first.

use contract::{Change, ChangeType, Location, Money, ProductId, Reason, Reference, Sku, Time};
use postgres::{Database, DatabaseError};
use tokio_postgres::types::ToSql;

/// What a list of movements is narrowed to.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only of this product.
    pub product: Option<ProductId>,
    /// Only here.
    pub location: Option<Location>,
    /// Only of this kind.
    pub kind: Option<ChangeType>,
    /// Only with this reference.
    pub reference: Option<Reference>,
    /// Only what occurred at this time or later.
    pub from: Option<Time>,
    /// Only what occurred before this time.
    pub to: Option<Time>,
}

/// The columns that [`change`] reads, from a `ledger j` with its `level l` and `product p`.
pub(super) const COLUMNS: &str = "j.change_id, l.product_id, p.sku, l.location, j.kind::text, j.quantity, j.delta, j.on_hand, j.reserved, j.version, \
     j.unit_price, j.reason, j.reference, j.occurred_at, j.recorded_at";

/// A movement and its place in the ledger, which is what a cursor remembers.
#[derive(Debug)]
pub struct Listed {
    /// The ledger row.
    pub id: i64,
    /// The movement.
    pub change: Change,
}

/// Movements behind the row `before`.
///
/// Each set of filters gets its own statement, so that the plan fits: of a product, its levels' newest rows by (level_id, version); by
/// reference, the index on it; else the ledger backwards by its primary key.
pub async fn list(database: &Database, filter: &Filter, before: Option<i64>, rows: i64) -> Result<Vec<Listed>, DatabaseError> {
    let client = database.get().await?;
    let before = before.unwrap_or(i64::MAX);
    let product = filter.product.map(|product| product.0);
    let location = filter.location.as_ref().map(Location::as_str);
    let kind = filter.kind.map(ChangeType::as_str);
    let reference = filter.reference.as_ref().map(Reference::as_str);
    let (from, to) = (filter.from.map(Time::timestamp), filter.to.map(Time::timestamp));
    let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&before, &rows];
    let mut conditions = String::from("j.id < $1 AND j.kind < 'THRESHOLD'");
    let mut narrow = |condition: &str, value| {
        parameters.push(value);
        conditions.push_str(" AND ");
        conditions.push_str(&condition.replace("$?", &format!("${}", parameters.len())));
    };
    if kind.is_some() {
        narrow("j.kind = $?::text::row_kind", &kind);
    }
    if reference.is_some() {
        narrow("j.reference = $?", &reference);
    }
    if from.is_some() {
        narrow("j.occurred_at >= $?", &from);
    }
    if to.is_some() {
        narrow("j.occurred_at < $?", &to);
    }
    if location.is_some() {
        narrow("l.location = $?", &location);
    }
    let sql = if product.is_some() {
        parameters.push(&product);
        let product = parameters.len();
        format!(
            "SELECT j.id, {COLUMNS} FROM level l JOIN product p USING (product_id) CROSS JOIN LATERAL ( \
               SELECT * FROM ledger j WHERE j.level_id = l.id AND {conditions} ORDER BY j.version DESC LIMIT $2) j \
             WHERE l.product_id = ${product} ORDER BY j.id DESC LIMIT $2"
        )
    } else {
        format!(
            "SELECT j.id, {COLUMNS} FROM ledger j JOIN level l ON l.id = j.level_id JOIN product p USING (product_id) \
             WHERE {conditions} ORDER BY j.id DESC LIMIT $2"
        )
    };
    let rows = postgres::query(&client, &sql, &parameters).await?;
    Ok(rows.iter().filter_map(listed).collect())
}

fn listed(row: &tokio_postgres::Row) -> Option<Listed> {
    Some(Listed { id: row.get(0), change: change(row, 1)? })
}

/// Reads the movement whose [`COLUMNS`] begin at `first`; `None` where the row has none.
pub(super) fn change(row: &tokio_postgres::Row, first: usize) -> Option<Change> {
    let id = row.get::<_, Option<uuid::Uuid>>(first)?;
    let at = |column: usize| first + column;
    let (on_hand, reserved): (i64, i64) = (row.get(at(7)), row.get(at(8)));
    Some(Change {
        id,
        product_id: ProductId(row.get(at(1))),
        sku: Sku::trusted(row.get(at(2))),
        location: Location::trusted(row.get(at(3))),
        kind: ChangeType::parse(row.get(at(4)))?,
        quantity: row.get(at(5)),
        delta: row.get(at(6)),
        on_hand,
        reserved,
        available: on_hand - reserved,
        version: row.get(at(9)),
        unit_price: row.get::<_, Option<_>>(at(10)).map(Money::trusted),
        reason: row.get::<_, Option<&str>>(at(11)).map(Reason::trusted),
        reference: row.get::<_, Option<&str>>(at(12)).map(Reference::trusted),
        occurred_at: Time::new(row.get(at(13))),
        recorded_at: Time::new(row.get(at(14))),
    })
}
