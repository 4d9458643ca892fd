//! Streams: what carries a gapless version. A product is one; a product at a location is one for stock.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{Invalid, Location};

/// A product's id: a UUIDv7, made by Product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(transparent)]
pub struct ProductId(pub Uuid);

impl fmt::Display for ProductId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The stream of a product's stock at a location, written `<product_id>@<location>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StockStream {
    /// Whose stock.
    pub product_id: ProductId,
    /// Where it lies.
    pub location: Location,
}

impl fmt::Display for StockStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.product_id, self.location)
    }
}

impl FromStr for StockStream {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let shape = || Invalid::new("invalid_stream", "must be <product_id>@<location>");
        let (product, location) = text.split_once('@').ok_or_else(shape)?;
        let product_id = ProductId(Uuid::try_parse(product).map_err(|_| shape())?);
        Ok(Self { product_id, location: Location::parse(location)? })
    }
}

/// The bucket, 0 to 255, in which a stream's books are kept: the first byte of the SHA-256 of its name.
///
/// PostgreSQL says the same as `get_byte(sha256(convert_to(stream, 'UTF8')), 0)`.
pub fn bucket_of(stream: &str) -> u8 {
    Sha256::digest(stream.as_bytes())[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_reads_back_even_where_the_location_has_an_at_sign() {
        let stream: StockStream = "0198c9f2-7a4e-7c33-9a51-3d2f6f6b9f10@shelf @4".parse().expect("a stream");
        assert_eq!(stream.location.as_str(), "shelf @4");
        assert_eq!(stream.to_string(), "0198c9f2-7a4e-7c33-9a51-3d2f6f6b9f10@shelf @4");
    }
}
