//! Columns of a file and fields of the contract: which is which, and rows rewritten accordingly.
//!
//! Pure. A column that is neither a field, nor mapped, nor ignored is an error that names it: a typing error must not be silent.

use std::collections::BTreeSet;
use std::str::FromStr;

use contract::Currency;
use csv::{ReaderBuilder, StringRecord, WriterBuilder};
use serde_json::{Map, Value};

/// Fields of a row of the contract.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields {
    known: &'static [&'static str],
    /// Fields that begin so are known, too.
    open: Option<&'static str>,
}

/// A row of `/v1/products/import`.
pub(super) const PRODUCTS: Fields =
    Fields { known: &["sku", "name", "category", "description", "price", "currency", "min_stock"], open: Some("attributes.") };

/// A row of `/v1/stock-changes/import`.
pub(super) const STOCK_CHANGES: Fields = Fields {
    known: &["product_id", "sku", "type", "quantity", "location", "unit_price", "reason", "reference", "occurred_at"],
    open: None,
};

/// `--map field=column`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mapping {
    field: String,
    column: String,
}

impl FromStr for Mapping {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((field, column)) if !field.is_empty() && !column.is_empty() => {
                Ok(Self { field: field.to_owned(), column: column.to_owned() })
            }
            _ => Err("it must be field=column, such as sku=StockCode"),
        }
    }
}

/// The columns do not fit.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ColumnError {
    /// Columns that mean nothing to the service.
    #[error(
        "the service has no field {columns}: say what it is with --map FIELD=COLUMN, or leave it out with --ignore COLUMN; the fields are {fields}"
    )]
    Unknown { columns: String, fields: String },
    /// `--map` to something that is no field.
    #[error("--map {field}={column}: there is no field `{field}`; the fields are {fields}")]
    NoField { field: String, column: String, fields: String },
    /// `--map` or `--ignore` of a column that is not in the file.
    #[error("{flag}: the file has no column `{column}`; it has {columns}")]
    NoColumn { flag: &'static str, column: String, columns: String },
    /// Two columns for one field.
    #[error("two columns would be `{field}`: leave one out with --ignore")]
    Twice { field: String },
    /// The header row is no CSV.
    #[error("line 1: the header row cannot be read")]
    Header,
}

/// What the flags say of columns.
#[derive(Debug, Clone, Copy)]
pub(super) struct Columns<'a> {
    pub(super) fields: Fields,
    pub(super) map: &'a [Mapping],
    pub(super) ignore: &'a [String],
}

/// What is done to each row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rewriting<'a> {
    pub(super) columns: Columns<'a>,
    /// The currency of rows that name none.
    pub(super) currency: Option<Currency>,
}

/// The header row, understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The field of each column of the file; none for one that is left out.
    targets: Vec<Option<String>>,
    /// Where the file has a currency.
    currency_at: Option<usize>,
    currency: Option<Currency>,
}

impl Fields {
    fn has(self, name: &str) -> bool {
        self.known.contains(&name) || self.open.is_some_and(|open| name.strip_prefix(open).is_some_and(|rest| !rest.is_empty()))
    }

    fn list(self) -> String {
        let open = self.open.map(|open| format!("{open}<name>"));
        self.known.iter().map(|field| (*field).to_owned()).chain(open).collect::<Vec<_>>().join(", ")
    }
}

impl Columns<'_> {
    fn target(&self, column: &str) -> Option<String> {
        if self.ignore.iter().any(|ignored| ignored == column) {
            return None;
        }
        let mapped = self.map.iter().find(|mapping| mapping.column == column);
        Some(mapped.map_or(column, |mapping| &mapping.field).to_owned())
    }

    /// Whether each flag's field exists.
    pub(super) fn check(&self) -> Result<(), ColumnError> {
        match self.map.iter().find(|mapping| !self.fields.has(&mapping.field)) {
            Some(Mapping { field, column }) => {
                Err(ColumnError::NoField { field: field.clone(), column: column.clone(), fields: self.fields.list() })
            }
            None => Ok(()),
        }
    }

    fn header(&self, names: &StringRecord) -> Result<Vec<Option<String>>, ColumnError> {
        let missing = |flag, column: &str| ColumnError::NoColumn { flag, column: column.to_owned(), columns: quoted(names.iter()) };
        if let Some(mapping) = self.map.iter().find(|mapping| !names.iter().any(|name| name == mapping.column)) {
            return Err(missing("--map", &mapping.column));
        }
        if let Some(column) = self.ignore.iter().find(|column| !names.iter().any(|name| name == *column)) {
            return Err(missing("--ignore", column));
        }
        let targets: Vec<Option<String>> = names.iter().map(|name| self.target(name)).collect();
        let unknown: Vec<&str> = targets.iter().flatten().map(String::as_str).filter(|target| !self.fields.has(target)).collect();
        if !unknown.is_empty() {
            return Err(ColumnError::Unknown { columns: quoted(unknown.into_iter()), fields: self.fields.list() });
        }
        let mut seen = BTreeSet::new();
        match targets.iter().flatten().find(|target| !seen.insert(target.as_str())) {
            Some(field) => Err(ColumnError::Twice { field: field.clone() }),
            None => Ok(targets),
        }
    }
}

impl Rewriting<'_> {
    /// Reads a header row, and says what stands in its place.
    pub(super) fn header(&self, line: &[u8]) -> Result<(Header, Vec<u8>), ColumnError> {
        let names = record(line).ok_or(ColumnError::Header)?;
        let targets = self.columns.header(&names)?;
        let currency_at = targets.iter().position(|target| target.as_deref() == Some("currency"));
        let header = Header { targets, currency_at, currency: self.currency };
        let added = (header.currency.is_some() && header.currency_at.is_none()).then_some("currency");
        let written = written(header.targets.iter().flatten().map(String::as_str).chain(added)).ok_or(ColumnError::Header)?;
        Ok((header, written))
    }

    /// Rewrites a line of NDJSON; what is no object stays as it is, for the service to refuse.
    pub(super) fn object(&self, line: Vec<u8>) -> Vec<u8> {
        if self.columns.map.is_empty() && self.columns.ignore.is_empty() && self.currency.is_none() {
            return line;
        }
        let Ok(Value::Object(object)) = serde_json::from_slice(&line) else { return line };
        let renamed = object.into_iter().filter_map(|(name, value)| Some((self.columns.target(&name)?, value)));
        let mut object: Map<String, Value> = renamed.collect();
        if let Some(currency) = self.currency {
            let named = object.get("currency").is_some_and(|there| !there.is_null());
            if !named {
                object.insert("currency".to_owned(), currency.to_string().into());
            }
        }
        serde_json::to_vec(&object).map_or(line, |mut written| {
            written.push(b'\n');
            written
        })
    }
}

impl Header {
    /// Whether rows can be sent as they are.
    fn plain(&self) -> bool {
        self.currency.is_none() && self.targets.iter().all(Option::is_some)
    }

    /// Rewrites a row; an error says why it cannot be one.
    pub(super) fn row(&self, line: Vec<u8>) -> Result<Vec<u8>, String> {
        if self.plain() || line.iter().all(u8::is_ascii_whitespace) {
            return Ok(line);
        }
        let cells = record(&line).ok_or("the row is no CSV in UTF-8")?;
        if cells.len() != self.targets.len() {
            return Err(format!("the row has {} cells, the header row has {}", cells.len(), self.targets.len()));
        }
        let code = self.currency.map(|currency| currency.to_string());
        let mut kept: Vec<&str> = Vec::with_capacity(cells.len() + 1);
        for (at, (cell, target)) in cells.iter().zip(&self.targets).enumerate() {
            let filled = if self.currency_at == Some(at) && cell.is_empty() { code.as_deref().unwrap_or(cell) } else { cell };
            kept.extend(target.is_some().then_some(filled));
        }
        if self.currency_at.is_none() {
            kept.extend(code.as_deref());
        }
        written(kept.into_iter()).ok_or_else(|| "the row cannot be written again".to_owned())
    }
}

fn record(line: &[u8]) -> Option<StringRecord> {
    let mut record = StringRecord::new();
    let read = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(line).read_record(&mut record);
    matches!(read, Ok(true)).then_some(record)
}

fn written<'a>(cells: impl Iterator<Item = &'a str>) -> Option<Vec<u8>> {
    let mut writer = WriterBuilder::new().from_writer(Vec::new());
    writer.write_record(cells).ok()?;
    writer.into_inner().ok()
}

fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewriting<'a>(map: &'a [Mapping], ignore: &'a [String], currency: Option<&str>) -> Rewriting<'a> {
        let currency = currency.map(|code| Currency::parse(code).expect("a currency"));
        Rewriting { columns: Columns { fields: PRODUCTS, map, ignore }, currency }
    }

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn a_column_that_means_nothing_is_named_with_what_to_do() {
        let error = rewriting(&[], &[], None).header(b"sku,Naam,attributes.color,Soort\n").expect_err("unknown").to_string();
        assert!(error.contains("`Naam`, `Soort`") && error.contains("--map") && error.contains("--ignore"), "{error}");
    }

    #[test]
    fn mapped_columns_take_the_fields_names_and_rows_stay_as_they_are() {
        let map = ["name=Naam".parse().expect("a mapping")];
        let (header, written) = rewriting(&map, &[], None).header(b"sku,Naam\r\n").expect("a header");
        assert_eq!(text(written), "sku,name\n");
        assert_eq!(header.row(b"1,\"a\"\"b\"\r\n".to_vec()), Ok(b"1,\"a\"\"b\"\r\n".to_vec()));
    }

    #[test]
    fn ignored_columns_go_and_a_currency_is_filled_in_where_there_is_none() {
        let ignore = ["note".to_owned()];
        let (header, written) = rewriting(&[], &ignore, Some("EUR")).header(b"sku,note,currency\n").expect("a header");
        assert_eq!(text(written), "sku,currency\n");
        assert_eq!(header.row(b"1,\"x,y\",\n".to_vec()).map(text), Ok("1,EUR\n".to_owned()));
        assert_eq!(header.row(b"1,x,GBP\n".to_vec()).map(text), Ok("1,GBP\n".to_owned()));
        assert!(header.row(b"1,x\n".to_vec()).is_err());
        let (header, written) = rewriting(&[], &[], Some("EUR")).header(b"sku\n").expect("a header");
        assert_eq!((text(written), header.row(b"1\n".to_vec()).map(text)), ("sku,currency\n".to_owned(), Ok("1,EUR\n".to_owned())));
    }

    #[test]
    fn flags_that_fit_nothing_are_errors() {
        let stranger = ["colour=x".parse().expect("a mapping")];
        assert!(matches!(rewriting(&stranger, &[], None).columns.check(), Err(ColumnError::NoField { .. })));
        let missing = ["name=Title".parse().expect("a mapping")];
        assert!(matches!(rewriting(&missing, &[], None).header(b"sku,name\n"), Err(ColumnError::NoColumn { .. })));
        let twice = ["name=Title".parse().expect("a mapping")];
        assert!(matches!(rewriting(&twice, &[], None).header(b"name,Title\n"), Err(ColumnError::Twice { .. })));
        assert!("name".parse::<Mapping>().is_err());
    }

    #[test]
    fn objects_are_rewritten_the_same_way() {
        let (map, ignore) = (["name=Naam".parse().expect("a mapping")], ["note".to_owned()]);
        let all = rewriting(&map, &ignore, Some("EUR"));
        assert_eq!(
            text(all.object(b"{\"sku\":\"1\",\"Naam\":\"A\",\"note\":1}\n".to_vec())),
            "{\"currency\":\"EUR\",\"name\":\"A\",\"sku\":\"1\"}\n"
        );
        assert_eq!(text(all.object(b"{broken\n".to_vec())), "{broken\n");
    }
}
