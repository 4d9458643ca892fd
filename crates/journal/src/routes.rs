//! The routes that this room gives to every service that publishes, keeps books or consumes.

use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse;
use contract::{Books, Event, Time, Topic};
use fault::{Kind, Problem};
use postgres::Database;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;
use web::{Answer, Cursor, Failure, IdempotencyKey, Limit, NoQuery, Page, Path, Query};

use crate::books::Keeper;
use crate::intake::{Intake, Retried};
use crate::letters::{self, Letter};
use crate::{Journal, Position};

/// `GET /v1/journal`: the events again, for repair and replay.
pub fn journal(journal: Arc<Journal>) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(read_journal)).with_state(journal)
}

/// `GET /v1/books`: what the service says of its streams.
pub fn books(keeper: Keeper<'static>, database: Database) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(read_books)).with_state((keeper, database))
}

/// `GET /v1/dead-letters`, `POST /v1/dead-letters/{id}/retry`.
pub fn dead_letters(intake: Arc<Intake>) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(list_letters)).routes(routes!(read_letter)).routes(routes!(retry_letter)).with_state(intake)
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct JournalQuery {
    /// Only this stream.
    stream: Option<String>,
    /// With a stream: its version; else a `position`. Absent: from the beginning.
    after: Option<String>,
    #[serde(default)]
    limit: Limit,
}

/// Events in the structured form of CloudEvents, each with its `position`.
#[derive(Debug, Serialize, ToSchema)]
struct JournalPage {
    /// Oldest first.
    #[schema(value_type = Vec<Object>)]
    items: Vec<Event>,
    /// What to send as `after` for the next page; null when this was all for now.
    next_cursor: Option<String>,
}

/// Reads the journal again, oldest first.
#[utoipa::path(get, path = "/v1/journal", tag = "journal", params(JournalQuery), responses((status = 200, body = JournalPage)))]
async fn read_journal(State(journal): State<Arc<Journal>>, Query(query): Query<JournalQuery>) -> Answer<impl IntoResponse> {
    let limit = query.limit.get() as usize;
    let items = if let Some(stream) = &query.stream {
        let version = query.after.as_deref().map_or(Ok(0), str::parse::<i64>).ok().filter(|version| *version >= 0);
        let version = version.ok_or_else(|| Problem::field("after", "invalid_version", "must be a version of the stream, 0 or more"))?;
        // PostgreSQL knows no such character, so no stream has it.
        if stream.contains('\0') { Ok(Vec::new()) } else { journal.stream_after(stream, version, limit).await }
    } else {
        let position = query.after.as_deref().map_or(Ok(Position::default()), str::parse);
        let position = position.map_err(|invalid| Problem::field("after", invalid.code, invalid.detail))?;
        journal.after(position, limit).await
    };
    let items = items.map_err(|error| Failure::of(&error))?;
    let full = items.len() == limit;
    let next_cursor = items.last().filter(|_| full).and_then(|last| match &query.stream {
        Some(_) => Some(last.version.to_string()),
        None => last.position.clone(),
    });
    Ok(axum::Json(JournalPage { items, next_cursor }))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct BooksQuery {
    /// Show the streams of this bucket instead of the digests.
    bucket: Option<u8>,
    /// Only this account.
    account: Option<String>,
}

/// Shows the books: totals and one digest for each of 256 buckets, or the streams of one bucket.
#[utoipa::path(get, path = "/v1/books", tag = "books", params(BooksQuery), responses((status = 200, body = Books)))]
async fn read_books(
    State((keeper, database)): State<(Keeper<'static>, Database)>,
    Query(query): Query<BooksQuery>,
) -> Answer<impl IntoResponse> {
    if let Some(account) = query.account.as_deref().filter(|account| !keeper.keeps(account)) {
        let known: Vec<&str> = keeper.accounts.iter().map(|account| account.name).collect();
        let detail = format!("there is no account `{account}`; there are {}", known.join(", "));
        return Err(Problem::field("account", "unknown_account", detail).into());
    }
    let books = keeper.books(&database, query.account.as_deref(), query.bucket).await.map_err(|error| Failure::of(&error))?;
    Ok(axum::Json(books))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct LettersQuery {
    #[serde(default)]
    limit: Limit,
    cursor: Option<Cursor>,
}

/// Lists dead letters, newest first.
#[utoipa::path(get, path = "/v1/dead-letters", tag = "dead letters", params(LettersQuery), responses((status = 200, body = Page<Letter>)))]
async fn list_letters(State(intake): State<Arc<Intake>>, Query(query): Query<LettersQuery>) -> Answer<impl IntoResponse> {
    let after: Option<(Time, Uuid)> = query.cursor.map(|cursor| cursor.decode("dead-letters")).transpose()?;
    let letters = letters::list(intake.database(), after, query.limit.rows()).await.map_err(|error| Failure::of(&error))?;
    Ok(axum::Json(Page::of(letters, query.limit, |last| Cursor::encode("dead-letters", &(last.created_at, last.id)))))
}

fn not_found() -> Problem {
    Problem::new(Kind::NotFound, "dead_letter_not_found", "there is no such dead letter")
}

/// Shows one dead letter, with the event as it came.
#[utoipa::path(get, path = "/v1/dead-letters/{id}", tag = "dead letters", params(("id" = Uuid, Path)), responses((status = 200, body = Letter)))]
async fn read_letter(State(intake): State<Arc<Intake>>, Path(id): Path<String>, _: NoQuery) -> Answer<impl IntoResponse> {
    Ok(axum::Json(letter(&intake, &id).await?))
}

async fn letter(intake: &Intake, id: &str) -> Answer<Letter> {
    let id = Uuid::try_parse(id).map_err(|_| not_found())?;
    let letter = letters::find(intake.database(), id).await.map_err(|error| Failure::of(&error))?;
    Ok(letter.ok_or_else(not_found)?)
}

/// What a retry came to.
#[derive(Debug, Serialize, ToSchema)]
struct RetryAnswer {
    /// Whether the stream goes on.
    resolved: bool,
    /// Where the stream stands, when it goes on.
    version: Option<i64>,
    /// Why it failed again, when it did.
    error: Option<String>,
}

/// Applies the event again, from its producer's journal, and then what followed it, in order. Once it went through, asking again does nothing.
#[utoipa::path(post, path = "/v1/dead-letters/{id}/retry", tag = "dead letters",
    params(("id" = Uuid, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, body = RetryAnswer), (status = 404), (status = 409)))]
async fn retry_letter(
    State(intake): State<Arc<Intake>>,
    Path(id): Path<String>,
    _: NoQuery,
    _: IdempotencyKey,
) -> Answer<impl IntoResponse> {
    let letter = letter(&intake, &id).await?;
    let topics = [Topic::ProductEvents, Topic::StockChanges, Topic::Notifications];
    let topic = topics.into_iter().find(|topic| letter.topic.as_deref() == Some(topic.name()));
    let (Some(stream), Some(topic)) = (&letter.stream, topic) else {
        let detail = "it is no event of a stream, so there is nothing to apply; correct its sender";
        return Err(Problem::new(Kind::Conflict, "dead_letter_not_retryable", detail).into());
    };
    if letter.reason == "rewritten" {
        let detail = "its producer has given this version a second time, as after a restore; the stream has to be rebuilt";
        return Err(Problem::new(Kind::Conflict, "dead_letter_not_retryable", detail).into());
    }
    if letter.resolved_at.is_some() {
        return Ok(axum::Json(RetryAnswer { resolved: true, version: None, error: None }));
    }
    Ok(axum::Json(match intake.retry(stream, topic).await.map_err(|error| Failure::of(&error))? {
        Retried::Resolved { version } => RetryAnswer { resolved: true, version: Some(version), error: None },
        Retried::StillParked(error) => RetryAnswer { resolved: false, version: None, error: Some(error) },
    }))
}
