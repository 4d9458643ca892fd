//! A service's books, made in SQL: per account 256 buckets of streams with a digest each.
//!
//! Two services agree on an account when the digests are equal: both print stream, version and sums in the same form. It knows neither
//! accounts nor sums: each service says what it keeps.

use std::collections::BTreeMap;

use contract::{BookAccount, BookEntry, Books};
use postgres::{Database, DatabaseError};

/// An account that a service keeps.
#[derive(Debug, Clone, Copy)]
pub struct Account {
    /// Its name; services that keep the same account under the same name can be compared.
    pub name: &'static str,
    /// What its sums are called.
    pub sums: &'static [&'static str],
    /// Yields `(stream text, version bigint, sums text[])`, one row a stream. Amounts by `trim_scale(..)::text`.
    pub sql: &'static str,
}

/// A proof that a service can make of its own tables: yields one sentence for each drift, best with a LIMIT.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// Yields `(drift text)`.
    pub sql: &'static str,
}

/// What a service's books consist of.
#[derive(Debug, Clone, Copy)]
pub struct Keeper<'a> {
    /// The service's name.
    pub service: &'static str,
    /// Its accounts.
    pub accounts: &'a [Account],
    /// Its proofs of itself.
    pub checks: &'a [Check],
}

impl<'a> Keeper<'a> {
    /// A keeper of some accounts for one's own use, without a service's name and without proofs.
    pub fn of(accounts: &'a [Account]) -> Self {
        Self { service: "", accounts, checks: &[] }
    }

    /// Makes the books: of one account or all, as digests or as the streams of one bucket.
    ///
    /// The service's own proofs are made only when everything is asked for. Accounts are made side by side, each on its own connection.
    pub async fn books(&self, database: &Database, account: Option<&str>, bucket: Option<u8>) -> Result<Books, DatabaseError> {
        let wanted = self.accounts.iter().filter(|known| account.is_none_or(|name| name == known.name));
        let made = futures::future::try_join_all(wanted.map(|wanted| one(database, wanted, bucket)));
        let whole = account.is_none() && bucket.is_none();
        let proofs = futures::future::try_join_all(self.checks.iter().filter(|_| whole).map(|check| prove(database, check)));
        let (accounts, drifts) = futures::future::try_join(made, proofs).await?;
        let accounts: BTreeMap<String, BookAccount> = accounts.into_iter().collect();
        Ok(Books { service: self.service.to_owned(), bucket, accounts, drifts: drifts.into_iter().flatten().collect() })
    }

    /// Whether the service keeps an account of that name.
    pub fn keeps(&self, account: &str) -> bool {
        self.accounts.iter().any(|known| known.name == account)
    }
}

async fn prove(database: &Database, check: &Check) -> Result<Vec<String>, DatabaseError> {
    let client = database.get().await?;
    let rows = postgres::query(&client, check.sql, &[]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

const BUCKET: &str = "get_byte(sha256(convert_to(stream, 'UTF8')), 0)";

async fn one(database: &Database, account: &Account, bucket: Option<u8>) -> Result<(String, BookAccount), DatabaseError> {
    let client = database.get().await?;
    let sums: Vec<String> = account.sums.iter().map(|&sum| sum.to_owned()).collect();
    let made = match bucket {
        None => digests(&client, account, sums).await?,
        Some(bucket) => entries(&client, account, sums, bucket).await?,
    };
    Ok((account.name.to_owned(), made))
}

async fn digests(client: &postgres::Connection, account: &Account, sums: Vec<String>) -> Result<BookAccount, DatabaseError> {
    let totals: String = (1..=sums.len()).fold(String::new(), |sql, n| sql + &format!(", sum(sums[{n}]::numeric)"));
    let sql = format!(
        "SELECT {BUCKET}, count(*), sum(version)::bigint, encode(sha256(convert_to(string_agg( \
             stream || E'\\t' || version || E'\\t' || array_to_string(sums, E'\\t'), E'\\n' ORDER BY stream COLLATE \"C\"), 'UTF8')), 'hex') \
         {totals} FROM ({}) account GROUP BY 1",
        account.sql
    );
    let rows = postgres::query(client, &sql, &[]).await?;
    let mut buckets = vec![String::new(); 256];
    let (mut streams, mut version) = (0, 0);
    let mut added = vec![rust_decimal::Decimal::ZERO; sums.len()];
    for row in &rows {
        if let Some(digest) = buckets.get_mut(row.get::<_, i32>(0) as usize) {
            *digest = row.get(3);
        }
        streams += row.get::<_, i64>(1);
        version += row.get::<_, i64>(2);
        for (n, total) in added.iter_mut().enumerate() {
            *total += row.get::<_, rust_decimal::Decimal>(4 + n);
        }
    }
    let totals = added.iter().map(|total| total.normalize().to_string()).collect();
    Ok(BookAccount { sums, streams, version, totals, buckets, entries: Vec::new() })
}

async fn entries(client: &postgres::Connection, account: &Account, sums: Vec<String>, bucket: u8) -> Result<BookAccount, DatabaseError> {
    let sql = format!("SELECT stream, version, sums FROM ({}) account WHERE {BUCKET} = $1 ORDER BY stream COLLATE \"C\"", account.sql);
    let rows = postgres::query(client, &sql, &[&i32::from(bucket)]).await?;
    let entries: Vec<BookEntry> = rows.iter().map(|row| BookEntry { stream: row.get(0), version: row.get(1), sums: row.get(2) }).collect();
    let version = entries.iter().map(|entry| entry.version).sum();
    Ok(BookAccount { streams: entries.len() as i64, version, totals: Vec::new(), buckets: Vec::new(), sums, entries })
}

/// The account that a consumer keeps of its fence on `stock-changes`, to be compared with Stock's `versions`.
pub const APPLIED_STOCK: Account = Account {
    name: "versions",
    sums: &[],
    sql: "SELECT stream, version, '{}'::text[] AS sums FROM applied WHERE version > 0 AND stream LIKE '%@%'",
};

/// The account that a consumer keeps of its fence on `product-events`, to be compared with Product's `product_versions`.
pub const APPLIED_PRODUCTS: Account = Account {
    name: "product_versions",
    sums: &[],
    sql: "SELECT stream, version, '{}'::text[] AS sums FROM applied WHERE version > 0 AND stream NOT LIKE '%@%'",
};
