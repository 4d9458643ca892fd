//! Notification's routes: parse, call one function, render. No SQL and no rule.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use contract::{Notification, NotificationKind, ProductRef, Time};
use fault::{Kind, Problem};
use journal::Journal;
use journal::keyed::Step;
use postgres::{Database, DatabaseError};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;
use web::{Answer, Cursor, Failure, Json, Limit, NoQuery, Page, Path, Query};

use crate::channels::{Channel, Message};
use crate::delivery::Deliveries;
use crate::store::{self, Filter, step};
use crate::view::NotificationDetail;

/// The name of the list in its cursors.
const LIST: &str = "notifications";

/// What the routes work on.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) database: Database,
    pub(crate) journal: Arc<Journal>,
    pub(crate) deliveries: Arc<Deliveries>,
}

/// The routes of alerts and channels.
pub(crate) fn routes(service: Service) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list_notifications))
        .routes(routes!(read_notification))
        .routes(routes!(acknowledge))
        .routes(routes!(redeliver))
        .routes(routes!(list_channels))
        .routes(routes!(test_channel))
        .with_state(service)
}

/// Whether a notification's episode goes on.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum NotificationState {
    /// It goes on.
    Open,
    /// It is over.
    Resolved,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Only of this product: its id or its SKU.
    product: Option<String>,
    /// Only of this kind.
    kind: Option<NotificationKind>,
    /// Only those whose episode is open, or is over.
    state: Option<NotificationState>,
    #[serde(default)]
    limit: Limit,
    cursor: Option<Cursor>,
}

/// Lists notifications, newest first.
#[utoipa::path(get, path = "/v1/notifications", tag = "notifications", params(ListQuery),
    responses((status = 200, body = Page<Notification>)))]
async fn list_notifications(State(service): State<Service>, Query(query): Query<ListQuery>) -> Answer<Json<Page<Notification>>> {
    let after: Option<(Time, Uuid)> = query.cursor.map(|cursor| cursor.decode(LIST)).transpose()?;
    let product = query.product.as_deref().map(ProductRef::parse);
    if product == Some(None) {
        // It could be no product's name, so nothing has it.
        return Ok(Json(Page { items: Vec::new(), next_cursor: None }));
    }
    let open = query.state.map(|state| matches!(state, NotificationState::Open));
    let filter = Filter { product: product.flatten(), kind: query.kind, open };
    let client = service.database.get().await.map_err(failed)?;
    let found = store::list(&client, &filter, after, query.limit.rows()).await.map_err(failed)?;
    Ok(Json(Page::of(found, query.limit, |last| Cursor::encode(LIST, &(last.raised_at, last.id)))))
}

/// Shows a notification with every attempt to deliver it.
#[utoipa::path(get, path = "/v1/notifications/{id}", tag = "notifications", params(("id" = Uuid, Path)),
    responses((status = 200, body = NotificationDetail), (status = 404)))]
async fn read_notification(State(service): State<Service>, Path(id): Path<String>, _: NoQuery) -> Answer<Json<NotificationDetail>> {
    let id = notification_id(&id)?;
    let client = service.database.get().await.map_err(failed)?;
    let notification = store::find(&client, &[id]).await.map_err(failed)?.pop().ok_or_else(not_found)?;
    let attempts = store::attempts(&client, id).await.map_err(failed)?;
    Ok(Json(NotificationDetail::of(notification, attempts)))
}

/// Notes that somebody has seen a notification. The first time counts.
#[utoipa::path(post, path = "/v1/notifications/{id}/acknowledge", tag = "notifications",
    params(("id" = Uuid, Path), ("Idempotency-Key" = Option<String>, Header)), responses((status = 200, body = Notification), (status = 404)))]
async fn acknowledge(State(service): State<Service>, Path(id): Path<String>, asked: Step) -> Answer {
    let id = notification_id(&id)?;
    let mut client = service.database.get().await.map_err(failed)?;
    let transaction = client.transaction().await.map_err(|error| failed(error.into()))?;
    if let Some(replay) = asked.claim(&transaction).await? {
        return Ok(replay);
    }
    let notification = step::acknowledge(&transaction, id).await.map_err(failed)?.ok_or_else(not_found)?;
    let answer = asked.answer(transaction, &notification).await?;
    service.journal.wake();
    Ok(answer)
}

/// Delivers a notification again, at once, on every channel.
#[utoipa::path(post, path = "/v1/notifications/{id}/redeliver", tag = "notifications",
    params(("id" = Uuid, Path), ("Idempotency-Key" = Option<String>, Header)), responses((status = 200, body = Notification), (status = 404)))]
async fn redeliver(State(service): State<Service>, Path(id): Path<String>, asked: Step) -> Answer {
    let id = notification_id(&id)?;
    let mut client = service.database.get().await.map_err(failed)?;
    let transaction = client.transaction().await.map_err(|error| failed(error.into()))?;
    if let Some(replay) = asked.claim(&transaction).await? {
        return Ok(replay);
    }
    let channels = service.deliveries.channel_names();
    let notification = step::redeliver(&transaction, id, &channels).await.map_err(failed)?.ok_or_else(not_found)?;
    let answer = asked.answer(transaction, &notification).await?;
    service.deliveries.bell.ring();
    Ok(answer)
}

/// A channel in use.
#[derive(Debug, Serialize, ToSchema)]
struct ChannelInfo {
    /// `log`, `webhook`, `email`, `slack` or `sqs`.
    name: &'static str,
    /// Where it leads, without secrets.
    target: String,
}

/// The channels in use.
#[derive(Debug, Serialize, ToSchema)]
struct ChannelList {
    /// The log first.
    items: Vec<ChannelInfo>,
}

/// Lists the channels in use.
#[utoipa::path(get, path = "/v1/channels", tag = "channels", responses((status = 200, body = ChannelList)))]
async fn list_channels(State(service): State<Service>, _: NoQuery) -> Json<ChannelList> {
    let info = |channel: &Arc<dyn Channel>| ChannelInfo { name: channel.name(), target: channel.target() };
    Json(ChannelList { items: service.deliveries.channels.iter().map(info).collect() })
}

/// What became of a test.
#[derive(Debug, Serialize, ToSchema)]
struct TestAnswer {
    /// Whether the channel took it.
    delivered: bool,
    /// Why it did not.
    error: Option<String>,
}

/// Sends a message that says that it is a test, once.
#[utoipa::path(post, path = "/v1/channels/{name}/test", tag = "channels",
    params(("name" = String, Path), ("Idempotency-Key" = Option<String>, Header)), responses((status = 200, body = TestAnswer), (status = 404)))]
async fn test_channel(State(service): State<Service>, Path(name): Path<String>, asked: Step) -> Answer {
    let channel = service.deliveries.channels.iter().find(|channel| channel.name() == name).ok_or_else(no_channel)?;
    // Nothing is sent inside a transaction, so the key is only looked up here and claimed for good when the answer is there.
    if let Some(replay) = seen_before(&service, &asked).await? {
        return Ok(replay);
    }
    let outcome = service.deliveries.attempt(&**channel, &Message::test()).await;
    let tested = TestAnswer { delivered: outcome.is_ok(), error: outcome.err().map(|failure| failure.error) };
    let mut client = service.database.get().await.map_err(failed)?;
    let transaction = client.transaction().await.map_err(|error| failed(error.into()))?;
    match asked.claim(&transaction).await? {
        Some(replay) => Ok(replay),
        None => asked.answer(transaction, &tested).await,
    }
}

async fn seen_before(service: &Service, asked: &Step) -> Answer<Option<Response>> {
    let mut client = service.database.get().await.map_err(failed)?;
    let transaction = client.transaction().await.map_err(|error| failed(error.into()))?;
    asked.claim(&transaction).await
}

/// What is no id names no notification.
fn notification_id(text: &str) -> Result<Uuid, Problem> {
    Uuid::try_parse(text).map_err(|_| not_found())
}

/// Makes the answer for an error of the database.
#[expect(clippy::needless_pass_by_value, reason = "it stands in `map_err`")]
fn failed(error: DatabaseError) -> Failure {
    Failure::of(&error)
}

fn not_found() -> Problem {
    Problem::new(Kind::NotFound, "notification_not_found", "there is no such notification")
}

fn no_channel() -> Problem {
    Problem::new(Kind::NotFound, "channel_not_found", "no channel of that name is configured; `GET /v1/channels` lists those that are")
}
