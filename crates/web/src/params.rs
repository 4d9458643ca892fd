//! What stands in a path, a query or a header.

use axum::extract::{FromRequestParts, RawPathParams};
use contract::ProductRef;
use fault::{Kind, Problem};
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::Failure;
use crate::typing::{clip, refused};

/// The query. Its type denies unknown fields and knows no `flatten`; unknown, repeated and wrong parameters are 422 and named.
#[derive(Debug, Clone, Copy)]
pub struct Query<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Failure;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        Ok(Self(query(parts.uri.query().unwrap_or_default())?))
    }
}

/// Reads a query string.
pub fn query<T: DeserializeOwned>(text: &str) -> Result<T, Problem> {
    let mut names = Vec::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decoded(name).map_err(|()| Problem::field(clip(name), "invalid", "its name is not percent-encoded UTF-8"))?;
        decoded(value).map_err(|()| Problem::field(clip(&name), "invalid", "must be percent-encoded UTF-8"))?;
        if names.contains(&name) {
            return Err(Problem::field(clip(&name), "repeated", "must be there once"));
        }
        names.push(name);
        if names.len() > 100 {
            return Err(Problem::field(clip(&names[0]), "too_many", "a query may have at most 100 parameters"));
        }
    }
    let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(text.as_bytes()));
    serde_path_to_error::deserialize(pairs).map_err(|error| refused(error.path(), &error.inner().to_string()))
}

fn decoded(text: &str) -> Result<String, ()> {
    let plain = text.replace('+', " ");
    percent_encoding::percent_decode_str(&plain).decode_utf8().map(std::borrow::Cow::into_owned).map_err(|_| ())
}

/// Says that a route takes no query parameter at all: any is 422.
#[derive(Debug, Clone, Copy)]
pub struct NoQuery;

impl<S: Sync> FromRequestParts<S> for NoQuery {
    type Rejection = Failure;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct None {}
        match parts.uri.query() {
            Some(text) if !text.is_empty() => {
                query::<None>(text)?;
                Ok(Self)
            }
            _ => Ok(Self),
        }
    }
}

/// The parameters of the path, percent-decoded. What cannot be read names nothing: 404.
#[derive(Debug, Clone, Copy)]
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Failure;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(_) => Err(not_found(parts.uri.path()).into()),
        }
    }
}

/// Makes the 404 for a path that names nothing.
pub(crate) fn not_found(path: &str) -> Problem {
    Problem::new(Kind::NotFound, "not_found", format!("there is nothing at `{}`", clip(path)))
}

/// `{ref}` of a path: a product's id or SKU. `None` when it could be no product's name, so that nothing can be found by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductPath(pub Option<ProductRef>);

impl ProductPath {
    /// Gives the product's name, or the 404 of a product that is not there.
    pub fn named(self) -> Result<ProductRef, Problem> {
        self.0.ok_or_else(|| Problem::new(Kind::NotFound, "product_not_found", "there is no such product"))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ProductPath {
    type Rejection = Failure;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let Ok(params) = RawPathParams::from_request_parts(parts, state).await else {
            return Ok(Self(None));
        };
        let text = params.iter().find(|(name, _)| *name == "ref").map(|(_, text)| text);
        Ok(Self(text.and_then(ProductRef::parse)))
    }
}

/// The header `Idempotency-Key`: 1-255 characters, none of them a control character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(pub Option<String>);

/// The name of the header that makes a write repeatable.
pub const IDEMPOTENCY_KEY: &str = "Idempotency-Key";
/// The header of an answer that was given before: `true`.
pub const IDEMPOTENT_REPLAYED: &str = "Idempotent-Replayed";

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Failure;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let mut sent = parts.headers.get_all(IDEMPOTENCY_KEY).iter();
        let Some(value) = sent.next() else { return Ok(Self(None)) };
        if sent.next().is_some() {
            return Err(Problem::field(IDEMPOTENCY_KEY, "repeated", "must be there once").into());
        }
        match std::str::from_utf8(value.as_bytes()) {
            Ok(key) if (1..=255).contains(&key.chars().count()) && !key.chars().any(char::is_control) => Ok(Self(Some(key.to_owned()))),
            Ok("") => Err(Problem::field(IDEMPOTENCY_KEY, "too_short", "must have 1 to 255 characters, it is empty").into()),
            Ok(key) if key.chars().count() > 255 => {
                Err(Problem::field(IDEMPOTENCY_KEY, "too_long", "must have at most 255 characters").into())
            }
            _ => Err(Problem::field(IDEMPOTENCY_KEY, "invalid_character", "must be visible characters").into()),
        }
    }
}
