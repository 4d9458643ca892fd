//! CloudEvents that are pushed: `POST /`, as a broker's subscription or a Knative source sends them. What was read goes to the same handler as
//! what comes over Kafka, so fence, repair and dead letters are the same; here its outcome is told in the statuses that senders act on.
//!
//! A sender takes 404 and 409 for "try again elsewhere" or worse, so those are never said. It knows no domain and no database.

mod read;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{ALLOW, HeaderValue};
use axum::http::{StatusCode, request::Parts};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, post};
use bus::{Handler, Incoming};
use fault::{Kind, Problem};
use web::{Answer, Failure};

use read::Mode;

/// The route, with the outer layers of the service `name`. Without a handler nobody may push.
pub(crate) fn routes(name: &'static str, handler: Option<Arc<dyn Handler>>) -> Router {
    let routes = match handler {
        Some(handler) => {
            let pushed = move |request: Request| {
                let handler = Arc::clone(&handler);
                async move { push(&*handler, request).await }
            };
            Router::new().route("/", post(pushed).fallback(|| async { refused("POST") }))
        }
        None => Router::new().route("/", any(|| async { refused("") })),
    };
    web::around(name, routes)
}

/// The 405 of this path, with what it takes.
fn refused(allowed: &'static str) -> Response {
    let detail = match allowed {
        "" => "nobody may push events here: CLOUDEVENTS_PUSH is not `true`",
        _ => "only POST, with CloudEvents",
    };
    let mut response = Failure(Problem::new(Kind::MethodNotAllowed, "method_not_allowed", detail)).into_response();
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

async fn push(handler: &dyn Handler, request: Request) -> Answer<StatusCode> {
    let (parts, body) = request.into_parts();
    let read = events(&parts, body).await?;
    let events: Vec<Incoming> = read.events.into_iter().map(Incoming::Event).collect();
    if !events.is_empty()
        && let Err(away) = handler.handle(&events).await
    {
        tracing::warn!(error = %fault::chain(&away), "pushed events could not be taken now");
        let detail = "the database of this service is away for now, push it again";
        return Err(Problem::new(Kind::Unavailable, "unavailable", detail).into());
    }
    // Last: what could be settled is settled by now, and comes to nothing when it is pushed again.
    match read.malformed {
        None => Ok(StatusCode::NO_CONTENT),
        Some(why) => Err(Problem::new(Kind::Malformed, "malformed_event", why).into()),
    }
}

async fn events(parts: &Parts, body: Body) -> Result<read::Read, Problem> {
    let mode = Mode::of(&parts.headers)?;
    let bytes = web::body_bytes(body, mode.limit()).await?;
    Ok(mode.read(&parts.headers, &bytes))
}

#[cfg(test)]
mod tests;
