//! Transfers: units that leave one location and arrive at another in one transaction.

use axum::extract::State;
use postgres::keys::{Key, RequestHash};
use web::{Answer, IdempotencyKey, JsonBytes, NoQuery};

use super::{Admitted, Service, render};
use crate::answer::TransferAnswer;
use crate::catalog;
use crate::order::{Ask, Order};
use crate::request::TransferRequest;

/// Moves units from one location to another: limited by what is available where they leave.
#[utoipa::path(post, path = "/v1/transfers", tag = "transfers", request_body = TransferRequest,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = TransferAnswer), (status = 404), (status = 409)))]
pub(super) async fn transfer(
    State(service): State<Service>,
    _: Admitted,
    IdempotencyKey(key): IdempotencyKey,
    _: NoQuery,
    JsonBytes { value, raw }: JsonBytes<TransferRequest>,
) -> Answer {
    let product = value.check()?;
    let known = service.catalog.find(&product).await?.ok_or_else(|| catalog::not_found(&product))?;
    let key = key.map(|key| (Key::of(&key), RequestHash::of("POST", "/v1/transfers", &raw)));
    let (out, into) = value.of(known.product_id, &known.sku);
    render(service.submit(Order { key, ask: Ask::Transfer { out, into } }).await?)
}
