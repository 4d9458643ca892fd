//! The demo's file, as the parts without Gudang need it: as it is for COPY, and as movements for a sample. It knows no database.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::Context;
use contract::{Money, Time};
use flate2::read::MultiGzDecoder;

/// A file in memory, so that reading it is no part of what is measured.
pub(crate) struct Shop {
    /// The CSV, header row included.
    pub(crate) csv: Vec<u8>,
    /// The first movements of it.
    pub(crate) sample: Vec<Movement>,
}

/// A row that moves units.
pub(crate) struct Movement {
    pub(crate) sku: String,
    pub(crate) kind: &'static str,
    pub(crate) quantity: i64,
    /// What it does to `on_hand`.
    pub(crate) delta: i64,
    pub(crate) unit_price: Money,
    pub(crate) reference: String,
    pub(crate) occurred_at: Time,
}

impl Shop {
    /// Reads a compressed file, and its first `sample` movements.
    pub(crate) fn read(path: &Path, sample: usize) -> anyhow::Result<Self> {
        let mut csv = Vec::new();
        let file = File::open(path).with_context(|| path.display().to_string())?;
        MultiGzDecoder::new(file).read_to_end(&mut csv).with_context(|| path.display().to_string())?;
        let mut movements = Vec::with_capacity(sample);
        let mut reader = csv::Reader::from_reader(csv.as_slice());
        for record in reader.records() {
            if movements.len() == sample {
                break;
            }
            movements.extend(movement(&record?)?);
        }
        anyhow::ensure!(movements.len() == sample, "{} has only {} movements", path.display(), movements.len());
        Ok(Self { csv, sample: movements })
    }

    /// Every product of the sample.
    pub(crate) fn skus(&self) -> Vec<&str> {
        self.sample.iter().map(|movement| movement.sku.as_str()).collect::<BTreeSet<_>>().into_iter().collect()
    }
}

/// What a row moves; fees move nothing.
fn movement(record: &csv::StringRecord) -> anyhow::Result<Option<Movement>> {
    let cell = |at: usize| record.get(at).unwrap_or_default().trim();
    let (invoice, sku, signed) = (cell(0), cell(1), cell(3).parse::<i64>().context("a quantity")?);
    let goods = sku.len() >= 5 && sku.bytes().take(5).all(|byte| byte.is_ascii_digit());
    let kind = match signed {
        _ if !goods => return Ok(None),
        0 => return Ok(None),
        1.. => "SALE",
        _ if invoice.starts_with('C') => "RETURN",
        _ => "WRITE_OFF",
    };
    let delta = if kind == "RETURN" { signed.abs() } else { -signed.abs() };
    Ok(Some(Movement {
        sku: sku.to_owned(),
        kind,
        quantity: signed.abs(),
        delta,
        unit_price: Money::parse(cell(5))?,
        reference: invoice.to_owned(),
        occurred_at: Time::parse(&format!("{}Z", cell(4).replace(' ', "T")))?,
    }))
}
