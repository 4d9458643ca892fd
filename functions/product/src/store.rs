//! All of Product's SQL: here what is read; below, what is written, the copy of the stock, and the books.
//!
//! It knows no rule and no route: products go in and out as they are.

pub(crate) mod books;
pub(crate) mod cache;
pub(crate) mod search;
pub(crate) mod stock;
pub(crate) mod write;

use contract::{
    Category, Currency, Description, MinStock, Money, Name, Product, ProductId, ProductStatus, ProductStock, Sku, StockStatus, Time,
};
use jiff::Timestamp;
use postgres::{Database, DatabaseError, Transaction};
use rust_decimal::Decimal;
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Json;
use uuid::Uuid;

/// The columns of the product itself, in the order in which [`product_in`] reads them.
macro_rules! product_columns {
    () => {
        "p.id, p.sku, p.name, p.category, p.description, p.price, p.currency, p.min_stock, p.attributes, p.archived, p.version, \
         p.created_at, p.updated_at"
    };
}
pub(crate) use product_columns;

/// The stock of a product summed over its locations, and the sum of their versions.
macro_rules! stock_sums {
    () => {
        "coalesce(sum(on_hand), 0)::bigint AS on_hand, coalesce(sum(reserved), 0)::bigint AS reserved, \
         coalesce(sum(version), 0)::bigint AS version, max(recorded_at) AS recorded_at FROM product_stock"
    };
}

pub(crate) use stock_sums;

/// Products with their stock.
macro_rules! with_stock {
    ($from:expr, $tail:literal) => {
        concat!(
            "SELECT ",
            product_columns!(),
            ", s.on_hand, s.reserved, s.version, s.recorded_at FROM ",
            $from,
            " p CROSS JOIN LATERAL (SELECT ",
            stock_sums!(),
            " WHERE product_id = p.id) s",
            $tail
        )
    };
}

pub(crate) use with_stock as products_with_stock;

/// The hot read. Plan: one look-up in the primary key, one scan of the product's few rows in that of `product_stock`.
const BY_ID: &str = with_stock!("product", " WHERE p.id = $1");

/// The stock alone. Plan: one scan of the product's few rows in the primary key of `product_stock`.
const STOCK_OF: &str = concat!("SELECT ", stock_sums!(), " WHERE product_id = $1");

/// Lists. Each picks its page first and only then sums the stock of what it shows. The cursor is a row comparison, so that each is one range
/// of its index: `product_oldest`, `product_archived_oldest`, or `product_category_oldest`.
macro_rules! page {
    ($filter:literal) => {
        with_stock!(
            concat!("(SELECT * FROM product WHERE (created_at, id) > ($1, $2)", $filter, " ORDER BY created_at, id LIMIT $3)"),
            " ORDER BY p.created_at, p.id"
        )
    };
}

const ACTIVE: &str = page!(" AND NOT archived");
const ARCHIVED: &str = page!(" AND archived");
const ALL: &str = page!("");
const ACTIVE_OF_CATEGORY: &str = page!(" AND category = $4 AND NOT archived");
const ARCHIVED_OF_CATEGORY: &str = page!(" AND category = $4 AND archived");
const ALL_OF_CATEGORY: &str = page!(" AND category = $4");

/// A product as it is shown, and the sum of its locations' versions.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    /// With its stock.
    pub(crate) product: Product,
    /// Rises whenever the stock shown is newer.
    pub(crate) stock_version: i64,
}

/// Which products to list.
#[derive(Debug, Clone)]
pub(crate) struct Filter {
    /// Only these; both when absent.
    pub(crate) status: Option<ProductStatus>,
    /// Only this category's.
    pub(crate) category: Option<Category>,
}

/// Finds a product, archived ones too.
pub(crate) async fn find(database: &Database, id: ProductId) -> Result<Option<Shown>, DatabaseError> {
    let client = database.get().await?;
    let row = postgres::query_opt(&client, BY_ID, &[&id.0]).await?;
    row.as_ref().map(shown_in).transpose()
}

/// Adds the last known stock to a product that a transaction has just written.
pub(crate) async fn with_stock(transaction: &Transaction<'_>, product: Product) -> Result<Shown, DatabaseError> {
    let row = postgres::query_one(transaction, STOCK_OF, &[&product.id.0]).await?;
    show(product, &row, 0)
}

/// Lists products, oldest first, behind the position `after`.
pub(crate) async fn list(
    database: &Database,
    filter: &Filter,
    after: Option<(Time, Uuid)>,
    rows: i64,
) -> Result<Vec<Shown>, DatabaseError> {
    let (created_at, id) = after.map_or((Timestamp::UNIX_EPOCH, Uuid::nil()), |(time, id)| (time.timestamp(), id));
    let client = database.get().await?;
    let found = match &filter.category {
        None => {
            let sql = match filter.status {
                Some(ProductStatus::Active) => ACTIVE,
                Some(ProductStatus::Archived) => ARCHIVED,
                None => ALL,
            };
            postgres::query(&client, sql, &[&created_at, &id, &rows]).await?
        }
        Some(category) => {
            let sql = match filter.status {
                Some(ProductStatus::Active) => ACTIVE_OF_CATEGORY,
                Some(ProductStatus::Archived) => ARCHIVED_OF_CATEGORY,
                None => ALL_OF_CATEGORY,
            };
            postgres::query(&client, sql, &[&created_at, &id, &rows, &category.as_str()]).await?
        }
    };
    found.iter().map(shown_in).collect()
}

/// Reads the columns of the product itself.
pub(crate) fn product_in(row: &Row) -> Result<Product, DatabaseError> {
    let Json(attributes) = row.try_get(8)?;
    let currency = Currency::parse(row.try_get(6)?).map_err(unfit)?;
    let status = if row.try_get(9)? { ProductStatus::Archived } else { ProductStatus::Active };
    Ok(Product {
        id: ProductId(row.try_get(0)?),
        sku: Sku::trusted(row.try_get(1)?),
        name: Name::trusted(row.try_get(2)?),
        category: Category::trusted(row.try_get(3)?),
        description: row.try_get::<_, Option<&str>>(4)?.map(Description::trusted),
        price: row.try_get::<_, Option<Decimal>>(5)?.map(Money::trusted),
        currency,
        min_stock: MinStock::new(row.try_get(7)?).map_err(unfit)?,
        attributes,
        status,
        version: row.try_get(10)?,
        created_at: time(row, 11)?,
        updated_at: time(row, 12)?,
        stock: None,
    })
}

fn shown_in(row: &Row) -> Result<Shown, DatabaseError> {
    show(product_in(row)?, row, 13)
}

/// Reads the sums of the stock, which begin at `column`.
fn show(product: Product, row: &Row, column: usize) -> Result<Shown, DatabaseError> {
    let (on_hand, reserved): (i64, i64) = (row.try_get(column)?, row.try_get(column + 1)?);
    let as_of: Option<Timestamp> = row.try_get(column + 3)?;
    let available = on_hand - reserved;
    let status = StockStatus::of(available, product.min_stock);
    let stock = ProductStock { on_hand, reserved, available, status, as_of: as_of.map(Time::new) };
    Ok(Shown { product: Product { stock: Some(stock), ..product }, stock_version: row.try_get(column + 2)? })
}

fn time(row: &Row, column: usize) -> Result<Time, DatabaseError> {
    Ok(Time::new(row.try_get(column)?))
}

/// A stored value that the contract no longer takes.
fn unfit(invalid: contract::Invalid) -> DatabaseError {
    DatabaseError::codec(serde::de::Error::custom(invalid))
}

/// Whether somebody else has written the same unique value first.
pub(crate) fn is_taken(error: &DatabaseError) -> bool {
    error.sql_state() == Some(&SqlState::UNIQUE_VIOLATION)
}
