//! Requests, made ready beforehand: only the key and the SKUs differ, and they are always as long, so each is a copy of a few bytes.

use super::wire::Host;

/// Digits of the number in a key.
const DIGITS: usize = 16;

/// A request to sell one unit of each of some products.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    bytes: Vec<u8>,
    key_at: usize,
    skus_at: Vec<usize>,
}

impl Request {
    /// Makes one for `lines` products with SKUs as long as `sku`. `run` makes its keys unlike those of any other run.
    pub(crate) fn new(host: &Host, run: &str, sku: &str, lines: usize) -> Self {
        let line = format!(r#"{{"sku":"{sku}","type":"SALE","quantity":1}}"#);
        let sku_at = r#"{"sku":""#.len();
        let (path, opening, closing) = match lines {
            1 => ("/v1/stock-changes", "", ""),
            _ => ("/v1/stock-changes/batch", r#"{"changes":["#, "]}"),
        };
        let body = format!("{opening}{}{closing}", vec![line.as_str(); lines].join(","));
        let Host { name, prefix, .. } = host;
        let before =
            format!("POST {prefix}{path} HTTP/1.1\r\nhost: {name}\r\ncontent-type: application/json\r\nidempotency-key: load-{run}-");
        let key_at = before.len();
        let head = format!("{before}{:0DIGITS$x}\r\ncontent-length: {}\r\n\r\n", 0, body.len());
        let first = head.len() + opening.len() + sku_at;
        let skus_at = (0..lines).map(|n| first + n * (line.len() + 1)).collect();
        Self { bytes: [head, body].concat().into_bytes(), key_at, skus_at }
    }

    /// Chooses what it sells next, from as many products as there are.
    pub(crate) fn choose(&self, sold: &mut Vec<usize>, products: usize) {
        sold.clear();
        sold.extend(self.skus_at.iter().map(|_| if products == 1 { 0 } else { rand::random_range(0..products) }));
    }

    /// The request with this number for these products.
    pub(crate) fn fill(&mut self, number: u64, sold: &[usize], skus: &[String]) -> &[u8] {
        for (place, digit) in self.bytes[self.key_at..self.key_at + DIGITS].iter_mut().rev().enumerate() {
            *digit = b"0123456789abcdef"[(number >> (4 * place)) as usize & 15];
        }
        for (at, product) in self.skus_at.iter().zip(sold) {
            let sku = skus[*product].as_bytes();
            self.bytes[*at..at + sku.len()].copy_from_slice(sku);
        }
        &self.bytes
    }
}
