//! Reservations: units held for a while, and what becomes of them.

use axum::extract::State;
use contract::StockStream;
use fault::{Kind, Problem};
use journal::keyed;
use postgres::keys::{Key, RequestHash};
use uuid::Uuid;
use web::{Answer, IdempotencyKey, Json, JsonBytes, NoQuery, Path};

use super::{Admitted, Service, StoreError, render};
use crate::answer::ReservationAnswer;
use crate::catalog;
use crate::order::{Ask, Order, Promise, Reserve, Step};
use crate::request::{ConfirmRequest, ExtendRequest, HoldRequest, ReserveRequest};
use crate::store::reservations::{self, Found};

/// Holds units: all lines or none. They stay on the shelf and are not available until they are confirmed, released, or lapse.
#[utoipa::path(post, path = "/v1/reservations", tag = "reservations", request_body = ReserveRequest,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = ReservationAnswer), (status = 404), (status = 409)))]
pub(super) async fn reserve(
    State(service): State<Service>,
    _: Admitted,
    IdempotencyKey(key): IdempotencyKey,
    _: NoQuery,
    JsonBytes { value, raw }: JsonBytes<ReserveRequest>,
) -> Answer {
    let (names, ttl) = value.check()?;
    let known = service.catalog.find_all(&names).await?;
    let promise = |(line, name): (&HoldRequest, _)| {
        let product = known.get(name).ok_or_else(|| catalog::not_found(name))?;
        let stream = StockStream { product_id: product.product_id, location: line.location.clone() };
        Ok(Promise { stream, sku: product.sku.clone(), quantity: line.quantity })
    };
    let lines = value.lines.iter().zip(&names).map(promise).collect::<Result<_, Problem>>()?;
    let key = key.map(|key| (Key::of(&key), RequestHash::of("POST", "/v1/reservations", &raw)));
    let reserve = Reserve { id: Uuid::now_v7(), lines, ttl, reference: value.reference };
    render(service.submit(Order { key, ask: Ask::Reserve(reserve) }).await?)
}

/// Shows a reservation.
#[utoipa::path(get, path = "/v1/reservations/{id}", tag = "reservations", params(("id" = Uuid, Path)),
    responses((status = 200, body = ReservationAnswer), (status = 404)))]
pub(super) async fn read(State(service): State<Service>, Path(id): Path<String>, _: NoQuery) -> Answer<Json<ReservationAnswer>> {
    let Found { reservation, changes, now } = find(&service, &id).await?;
    Ok(Json(ReservationAnswer::of(&reservation, now, changes)))
}

/// Sells what is held, or a part of it; the rest is released.
#[utoipa::path(post, path = "/v1/reservations/{id}/confirm", tag = "reservations", request_body = Option<ConfirmRequest>,
    params(("id" = Uuid, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, body = ReservationAnswer), (status = 404), (status = 409)))]
pub(super) async fn confirm(
    State(service): State<Service>,
    _: Admitted,
    Path(id): Path<String>,
    asked: keyed::Step<ConfirmRequest>,
) -> Answer {
    let found = find(&service, &id).await?;
    let (key, request) = asked.into_parts();
    let part = request.part(&found.reservation.lines)?;
    resolve(&service, &found, key, Step::Confirm(part)).await
}

/// Lets go of what is held.
#[utoipa::path(post, path = "/v1/reservations/{id}/release", tag = "reservations",
    params(("id" = Uuid, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, body = ReservationAnswer), (status = 404), (status = 409)))]
pub(super) async fn release(State(service): State<Service>, _: Admitted, Path(id): Path<String>, asked: keyed::Step) -> Answer {
    let found = find(&service, &id).await?;
    resolve(&service, &found, asked.into_parts().0, Step::Release).await
}

/// Holds on, counted from now.
#[utoipa::path(post, path = "/v1/reservations/{id}/extend", tag = "reservations", request_body = ExtendRequest,
    params(("id" = Uuid, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, body = ReservationAnswer), (status = 404), (status = 409)))]
pub(super) async fn extend(
    State(service): State<Service>,
    _: Admitted,
    Path(id): Path<String>,
    IdempotencyKey(key): IdempotencyKey,
    _: NoQuery,
    JsonBytes { value, raw }: JsonBytes<ExtendRequest>,
) -> Answer {
    let found = find(&service, &id).await?;
    let path = format!("/v1/reservations/{id}/extend");
    let key = key.map(|key| (Key::of(&key), RequestHash::of("POST", &path, &raw)));
    resolve(&service, &found, key, Step::Extend(value.check()?)).await
}

/// Hands a step to the ledger, which reads the reservation again under the locks of its levels.
async fn resolve(service: &Service, found: &Found, key: Option<(Key, RequestHash)>, step: Step) -> Answer {
    let streams = found.reservation.lines.iter().map(|hold| hold.stream.clone()).collect();
    render(service.submit(Order { key, ask: Ask::Resolve { reservation: found.reservation.id, streams, step } }).await?)
}

async fn find(service: &Service, id: &str) -> Answer<Found> {
    let not_found = || Problem::new(Kind::NotFound, "reservation_not_found", "there is no such reservation");
    let id = Uuid::try_parse(id).map_err(|_| not_found())?;
    let found = reservations::read(&service.database, id).await.map_err(StoreError::from)?;
    Ok(found.ok_or_else(not_found)?)
}
