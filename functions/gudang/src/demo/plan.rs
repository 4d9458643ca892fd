//! The plan: what a shop's file means as products and stock changes (api.md, *Demo data*).
//!
//! Pure: text in, plan out. It knows no file, no service and no clock, so every figure that the demo ends with can be recomputed from it.

use std::collections::HashMap;

use contract::{ChangeType, Money, Name, Quantity, Reference, Sku, Time};

use super::layout::{LayoutError, Row, rows};

/// The category of every product of the file.
pub(super) const CATEGORY: &str = "Giftware";
/// The currency of its prices.
pub(super) const CURRENCY: &str = "GBP";
/// The threshold of every product.
pub(super) const MIN_STOCK: i64 = 10;
/// The reference of the restock that comes before a product's first row.
pub(super) const OPENING: &str = "opening";

/// Everything that is to be sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Rows that were read, whether they count or not.
    pub(super) rows: u64,
    /// Products, in the order of their first row.
    pub(super) products: Vec<Product>,
    /// Stock changes, in file order, each opening right before its product's first row.
    pub(super) changes: Vec<Change>,
}

/// A product of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Product {
    pub(super) sku: Sku,
    pub(super) name: Name,
    pub(super) price: Option<Money>,
}

/// A stock change of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    /// The line of the file that it comes from.
    pub(super) line: u64,
    /// Index into [`Plan::products`].
    pub(super) product: usize,
    pub(super) kind: ChangeType,
    pub(super) quantity: Quantity,
    pub(super) unit_price: Option<Money>,
    pub(super) reference: Reference,
    pub(super) occurred_at: Time,
}

/// The file cannot be planned. Nothing was sent.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PlanError {
    /// It is not in the layout.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// A cell of a row that counts breaks the contract.
    #[error("line {line}: `{column}` is `{text}`: {detail}")]
    Cell { line: u64, column: &'static str, text: String, detail: String },
    /// A product sells more than one restock can hold.
    #[error("line {line}: the opening stock of `{sku}` would be {units} units: {detail}")]
    Opening { line: u64, sku: Sku, units: i64, detail: String },
    /// No row counts.
    #[error("no row counts: a StockCode that begins with five digits and a Quantity other than 0")]
    NothingCounts,
}

/// Plans a file.
pub(crate) fn plan(file: &[u8]) -> Result<Plan, PlanError> {
    let mut reading = Reading::default();
    rows(file, |row| reading.take(row))?;
    reading.plan()
}

/// What is known of a product while its rows are read.
struct Seen {
    sku: Sku,
    /// How often each description stands at a sale, and when it came first.
    names: HashMap<Name, (u64, u64)>,
    price: Option<Money>,
    /// SALE + WRITE_OFF - RETURN so far, and the largest that this ever was.
    running: i64,
    largest: i64,
    /// The line and the time of its first row.
    line: u64,
    first: Time,
}

#[derive(Default)]
struct Reading {
    rows: u64,
    known: HashMap<String, usize>,
    products: Vec<Seen>,
    changes: Vec<Change>,
}

impl Reading {
    fn take(&mut self, row: Row<'_>) -> Result<(), PlanError> {
        self.rows += 1;
        let code = row.stock_code.trim();
        let goods = code.len() >= 5 && code.bytes().take(5).all(|byte| byte.is_ascii_digit());
        if !goods {
            return Ok(());
        }
        let signed: i64 = row.quantity.trim().parse().map_err(|_| cell(&row, "Quantity", row.quantity, "it must be a whole number"))?;
        let kind = match signed {
            0 => return Ok(()),
            1.. => ChangeType::Sale,
            _ if row.invoice.trim().starts_with('C') => ChangeType::Return,
            _ => ChangeType::WriteOff,
        };
        let units = signed.checked_abs().unwrap_or(i64::MAX);
        let quantity = Quantity::new(units).map_err(|invalid| cell(&row, "Quantity", row.quantity, &invalid.detail))?;
        let price = Money::parse(row.unit_price.trim()).map_err(|invalid| cell(&row, "UnitPrice", row.unit_price, &invalid.detail))?;
        let reference = Reference::parse(row.invoice.trim()).map_err(|invalid| cell(&row, "InvoiceNo", row.invoice, &invalid.detail))?;
        let occurred_at = time(row.invoice_date.trim())
            .ok_or_else(|| cell(&row, "InvoiceDate", row.invoice_date, "it must be a time such as 2010-12-01 08:26:00"))?;
        let product = self.product(code, &row, occurred_at)?;
        let seen = &mut self.products[product];
        seen.running += if kind == ChangeType::Return { -units } else { units };
        seen.largest = seen.largest.max(seen.running);
        if kind == ChangeType::Sale {
            seen.sold(&row, price)?;
        }
        self.changes.push(Change { line: row.line, product, kind, quantity, unit_price: Some(price), reference, occurred_at });
        Ok(())
    }

    fn product(&mut self, code: &str, row: &Row<'_>, first: Time) -> Result<usize, PlanError> {
        if let Some(known) = self.known.get(code) {
            return Ok(*known);
        }
        let sku = Sku::parse(code).map_err(|invalid| cell(row, "StockCode", row.stock_code, &invalid.detail))?;
        let index = self.products.len();
        self.products.push(Seen { sku, names: HashMap::new(), price: None, running: 0, largest: 0, line: row.line, first });
        self.known.insert(code.to_owned(), index);
        Ok(index)
    }

    fn plan(self) -> Result<Plan, PlanError> {
        if self.changes.is_empty() {
            return Err(PlanError::NothingCounts);
        }
        let mut openings = self.products.iter().enumerate().map(|(index, seen)| seen.opening(index)).collect::<Result<Vec<_>, _>>()?;
        let mut changes = Vec::with_capacity(self.changes.len() + openings.len());
        for change in self.changes {
            // Taken at the product's first row, and gone for its later ones.
            changes.extend(openings[change.product].take());
            changes.push(change);
        }
        Ok(Plan { rows: self.rows, products: self.products.into_iter().map(Seen::product).collect(), changes })
    }
}

impl Seen {
    fn sold(&mut self, row: &Row<'_>, price: Money) -> Result<(), PlanError> {
        if !price.amount().is_zero() {
            self.price = Some(price);
        }
        let description = row.description.trim();
        if !description.is_empty() {
            let name = Name::parse(description).map_err(|invalid| cell(row, "Description", description, &invalid.detail))?;
            self.names.entry(name).or_insert((0, row.line)).0 += 1;
        }
        Ok(())
    }

    /// The restock that lets every later row be recorded; none where nothing would be short.
    fn opening(&self, product: usize) -> Result<Option<Change>, PlanError> {
        if self.largest <= 0 {
            return Ok(None);
        }
        let quantity = Quantity::new(self.largest).map_err(|invalid| PlanError::Opening {
            line: self.line,
            sku: self.sku.clone(),
            units: self.largest,
            detail: invalid.detail,
        })?;
        let (kind, reference) = (ChangeType::Restock, Reference::trusted(OPENING));
        Ok(Some(Change { line: self.line, product, kind, quantity, unit_price: None, reference, occurred_at: self.first }))
    }

    fn product(self) -> Product {
        // The most frequent one; of equals the one that came first.
        let chosen = self.names.into_iter().max_by_key(|(_, (count, first))| (*count, std::cmp::Reverse(*first)));
        let name = chosen.map_or_else(|| Name::trusted(self.sku.as_str()), |(name, _)| name);
        Product { sku: self.sku, name, price: self.price }
    }
}

fn cell(row: &Row<'_>, column: &'static str, text: &str, detail: &str) -> PlanError {
    PlanError::Cell { line: row.line, column, text: text.chars().take(80).collect(), detail: detail.to_owned() }
}

/// `2010-12-01 08:26:00`, taken as UTC.
fn time(text: &str) -> Option<Time> {
    let (date, clock) = text.split_once(' ')?;
    Time::parse(&format!("{date}T{clock}Z")).ok()
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
