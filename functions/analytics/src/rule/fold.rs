//! Folding a batch of events into facts, rollup deltas and copies of products.
//!
//! A batch costs a few statements whatever its size, because everything that lands in the same cell is added up here first.

use std::collections::{BTreeMap, HashMap};

use contract::change::ChangeType;
use contract::event::Payload;
use contract::{Category, Currency, Location, Name, Product, ProductId, ProductStatus, Sku, StockEvent, Time};
use jiff::civil::Date;
use jiff::tz::Offset;
use rust_decimal::Decimal;

use super::Figures;

/// What sales are added up over.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SeriesKey {
    pub(crate) product_id: ProductId,
    pub(crate) location: Location,
    pub(crate) currency: Currency,
}

/// A SALE or a RETURN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fact {
    /// Index into the batch's series.
    pub(crate) series: usize,
    /// The stock stream's version.
    pub(crate) version: i64,
    pub(crate) occurred_at: Time,
    /// Below zero for a RETURN.
    pub(crate) quantity: i64,
    /// Below zero for a RETURN.
    pub(crate) amount: Decimal,
}

/// What a batch adds to one cell of a rollup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delta {
    /// Index into the batch's series.
    pub(crate) series: usize,
    /// The first day of the cell.
    pub(crate) start: Date,
    pub(crate) figures: Figures,
}

/// A product as this service keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Copy {
    pub(crate) id: ProductId,
    /// 0 where a stock event stands in for the product event that did not come yet.
    pub(crate) version: i64,
    pub(crate) sku: Sku,
    pub(crate) name: Name,
    pub(crate) category: Category,
    pub(crate) min_stock: i64,
    pub(crate) archived: bool,
}

/// Everything that a batch of events does.
#[derive(Debug, Default)]
pub(crate) struct Batch<'a> {
    /// The newest of each product in the batch.
    pub(crate) products: BTreeMap<ProductId, &'a Product>,
    /// Series that have facts here, each with the first row of it.
    pub(crate) series: Vec<(SeriesKey, &'a StockEvent)>,
    pub(crate) facts: Vec<Fact>,
    /// By series and day.
    pub(crate) days: Vec<Delta>,
    /// By series and month.
    pub(crate) months: Vec<Delta>,
}

/// The amounts of a batch are beyond what can be added up exactly.
#[derive(Debug, thiserror::Error)]
#[error("amounts are too large to be added up")]
pub(crate) struct TooLarge;

/// Folds a batch. Rows that are neither a product nor a SALE or RETURN do nothing.
pub(crate) fn fold<'a>(payloads: impl Iterator<Item = &'a Payload>) -> Result<Batch<'a>, TooLarge> {
    let mut batch = Batch::default();
    let mut known: HashMap<(ProductId, &str, Currency), usize> = HashMap::new();
    for payload in payloads {
        match payload {
            Payload::Product(product) => batch.take_product(product),
            Payload::Stock(row) => {
                let Some((quantity, amount)) = movement(row)? else { continue };
                let next = batch.series.len();
                let series = *known.entry((row.product_id, row.location.as_str(), row.currency)).or_insert(next);
                if series == next {
                    batch.series.push((SeriesKey::of(row), row));
                }
                batch.facts.push(Fact { series, version: row.version, occurred_at: row.occurred_at, quantity, amount });
            }
            Payload::Notification(_) | Payload::Unknown => {}
        }
    }
    batch.days = add_up(batch.facts.iter().map(|fact| (fact.series, day_of(fact.occurred_at), Figures::of(fact))))?;
    batch.months = add_up(batch.days.iter().map(|day| (day.series, day.start.first_of_month(), day.figures)))?;
    Ok(batch)
}

/// The signed quantity and amount of a SALE or RETURN; `None` for everything else.
fn movement(row: &StockEvent) -> Result<Option<(i64, Decimal)>, TooLarge> {
    let (Some(kind), Some(quantity)) = (row.kind, row.quantity) else { return Ok(None) };
    let signed = match kind {
        ChangeType::Sale => quantity,
        ChangeType::Return => -quantity,
        ChangeType::Restock | ChangeType::WriteOff | ChangeType::Count | ChangeType::TransferOut | ChangeType::TransferIn => {
            return Ok(None);
        }
    };
    let price = row.price_in_force().map_or(Decimal::ZERO, contract::Money::amount);
    let amount = price.checked_mul(Decimal::from(signed)).ok_or(TooLarge)?;
    Ok(Some((signed, amount)))
}

/// The day in UTC.
fn day_of(time: Time) -> Date {
    Offset::UTC.to_datetime(time.timestamp()).date()
}

/// Adds up what lands in the same cell; the result is in the order of the cells.
fn add_up(parts: impl Iterator<Item = (usize, Date, Figures)>) -> Result<Vec<Delta>, TooLarge> {
    let mut cells: BTreeMap<(usize, Date), Figures> = BTreeMap::new();
    for (series, start, figures) in parts {
        let cell = cells.entry((series, start)).or_default();
        *cell = cell.plus(figures).ok_or(TooLarge)?;
    }
    Ok(cells.into_iter().map(|((series, start), figures)| Delta { series, start, figures }).collect())
}

impl<'a> Batch<'a> {
    fn take_product(&mut self, product: &'a Product) {
        let newest = self.products.entry(product.id).or_insert(product);
        if newest.version < product.version {
            *newest = product;
        }
    }
}

impl SeriesKey {
    fn of(row: &StockEvent) -> Self {
        Self { product_id: row.product_id, location: row.location.clone(), currency: row.currency }
    }
}

impl Copy {
    /// The copy of a product as its own event tells it.
    pub(crate) fn of(product: &Product) -> Self {
        Self {
            id: product.id,
            version: product.version,
            sku: product.sku.clone(),
            name: product.name.clone(),
            category: product.category.clone(),
            min_stock: product.min_stock.get(),
            archived: product.status == ProductStatus::Archived,
        }
    }

    /// What a stock event tells of its product, until a product event comes.
    pub(crate) fn provisional(row: &StockEvent) -> Self {
        Self {
            id: row.product_id,
            version: 0,
            sku: row.sku.clone(),
            name: row.name.clone(),
            category: row.category.clone(),
            min_stock: row.min_stock.get(),
            archived: false,
        }
    }
}

impl Figures {
    fn of(fact: &Fact) -> Self {
        let sale = fact.quantity > 0;
        Self { units_sold: fact.quantity.max(0), units_returned: (-fact.quantity).max(0), sales: i64::from(sale), revenue: fact.amount }
    }

    fn plus(self, other: Self) -> Option<Self> {
        Some(Self {
            units_sold: self.units_sold.checked_add(other.units_sold)?,
            units_returned: self.units_returned.checked_add(other.units_returned)?,
            sales: self.sales + other.sales,
            revenue: self.revenue.checked_add(other.revenue)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use contract::{MinStock, Money};
    use uuid::Uuid;

    use super::*;

    fn row(version: i64, kind: Option<ChangeType>, quantity: i64, price: (Option<&str>, Option<&str>), at: &str) -> Payload {
        let money = |text: Option<&str>| text.map(|text| Money::parse(text).unwrap());
        Payload::Stock(Box::new(StockEvent {
            id: None,
            product_id: ProductId(Uuid::from_u128(7)),
            sku: Sku::parse("A").unwrap(),
            location: Location::default(),
            kind,
            quantity: Some(quantity),
            delta: 0,
            on_hand: 0,
            reserved: 0,
            available: 0,
            version,
            unit_price: money(price.0),
            reason: None,
            reference: None,
            occurred_at: Time::parse(at).unwrap(),
            recorded_at: Time::parse(at).unwrap(),
            min_stock: MinStock::NONE,
            name: Name::parse("a").unwrap(),
            category: Category::parse("c").unwrap(),
            price: money(price.1),
            currency: Currency::parse("GBP").unwrap(),
        }))
    }

    fn figures(units_sold: i64, units_returned: i64, sales: i64, revenue: &str) -> Figures {
        Figures { units_sold, units_returned, sales, revenue: revenue.parse().unwrap() }
    }

    #[test]
    fn only_sales_and_returns_count_and_a_return_takes_its_amount_back() {
        let events = [
            row(1, Some(ChangeType::Restock), 100, (None, Some("2.00")), "2010-12-01T00:00:00Z"),
            row(2, Some(ChangeType::Sale), 3, (Some("1.50"), Some("2.00")), "2010-12-01T08:00:00Z"),
            row(3, None, 9, (None, None), "2010-12-01T08:00:00Z"),
            row(4, Some(ChangeType::Return), 1, (Some("1.50"), Some("2.00")), "2010-12-01T23:59:59.999999Z"),
            row(5, Some(ChangeType::WriteOff), 1, (None, Some("2.00")), "2010-12-01T08:00:00Z"),
        ];
        let batch = fold(events.iter()).unwrap();
        assert_eq!(batch.facts.iter().map(|fact| (fact.version, fact.quantity)).collect::<Vec<_>>(), [(2, 3), (4, -1)]);
        assert_eq!(batch.days.iter().map(|day| day.figures).collect::<Vec<_>>(), [figures(3, 1, 1, "3.00")]);
    }

    #[test]
    fn the_price_is_the_changes_own_else_the_products_else_nothing() {
        let at = "2010-12-01T08:00:00Z";
        let sale = Some(ChangeType::Sale);
        let events =
            [row(1, sale, 2, (Some("0"), Some("5")), at), row(2, sale, 2, (None, Some("5.25")), at), row(3, sale, 2, (None, None), at)];
        let amounts: Vec<String> = fold(events.iter()).unwrap().facts.iter().map(|fact| fact.amount.normalize().to_string()).collect();
        assert_eq!(amounts, ["0", "10.5", "0"]);
    }

    #[test]
    fn cells_are_days_and_months_in_utc() {
        let sale = Some(ChangeType::Sale);
        let events = [
            row(1, sale, 1, (None, None), "2011-01-01T00:30:00+01:00"),
            row(2, sale, 2, (None, None), "2011-01-01T00:00:00Z"),
            row(3, sale, 4, (None, None), "2011-01-31T23:59:59Z"),
        ];
        let batch = fold(events.iter()).unwrap();
        let cells = |deltas: &[Delta]| deltas.iter().map(|cell| (cell.start.to_string(), cell.figures.units_sold)).collect::<Vec<_>>();
        let expected = |cells: &[(&str, i64)]| cells.iter().map(|(start, units)| ((*start).to_owned(), *units)).collect::<Vec<_>>();
        assert_eq!(cells(&batch.days), expected(&[("2010-12-31", 1), ("2011-01-01", 2), ("2011-01-31", 4)]));
        assert_eq!(cells(&batch.months), expected(&[("2010-12-01", 1), ("2011-01-01", 6)]));
    }
}
