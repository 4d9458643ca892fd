//! What senders are told, by a handler made up for it.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::{HeaderMap, Method};
use bus::Away;
use contract::{Event, Topic};
use futures::future::BoxFuture;
use tower::ServiceExt;

use super::*;

/// Notes the ids that it is handed, unless it is away.
#[derive(Default)]
struct Notes {
    ids: Mutex<Vec<String>>,
    is_away: AtomicBool,
}

impl Handler for Notes {
    fn group(&self) -> &'static str {
        "gudang-till"
    }

    fn topics(&self) -> &[Topic] {
        &[Topic::StockChanges]
    }

    fn handle<'a>(&'a self, batch: &'a [Incoming]) -> BoxFuture<'a, Result<(), Away>> {
        let ids = batch.iter().filter_map(Incoming::event).map(|event| event.id.to_string());
        self.ids.lock().expect("a lock").extend(ids);
        let settled = if self.is_away.load(Ordering::SeqCst) { Err(Away("no database".into())) } else { Ok(()) };
        Box::pin(std::future::ready(settled))
    }
}

impl Notes {
    fn taken(&self) -> Vec<String> {
        std::mem::take(&mut self.ids.lock().expect("a lock"))
    }
}

fn golden(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../contract/golden").join(format!("{name}.v1.json"));
    std::fs::read_to_string(path).expect(name)
}

/// What one who pushes hears.
async fn told(handler: Option<&Arc<Notes>>, method: Method, headers: &[(&str, &str)], body: impl Into<Body>) -> (u16, HeaderMap) {
    let routes = routes("till", handler.map(|notes| Arc::clone(notes) as Arc<dyn Handler>));
    let mut request = Request::builder().method(method).uri("/");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = routes.oneshot(request.body(body.into()).expect("a request")).await.expect("an answer");
    (response.status().as_u16(), response.headers().clone())
}

async fn pushed(notes: &Arc<Notes>, media: &str, body: impl Into<Body>) -> u16 {
    told(Some(notes), Method::POST, &[("content-type", media)], body).await.0
}

/// The attributes of an event as headers, percent-encoded as they must be.
fn headers(event: &Event) -> Vec<(String, String)> {
    let encoded = |value: &str| percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC).to_string();
    event.attributes().iter().map(|(name, value)| (format!("ce-{name}"), encoded(value))).collect()
}

#[tokio::test]
async fn an_event_is_taken_in_each_of_the_three_modes() {
    let (notes, text) = (Arc::new(Notes::default()), golden("gudang.stock.changed"));
    let event = Event::from_json(text.as_bytes()).expect("an event");
    assert_eq!(pushed(&notes, "application/cloudevents+json; charset=UTF-8", text.clone()).await, 204);
    assert_eq!(notes.taken(), [event.id.to_string()]);

    let other = golden("gudang.product.created");
    assert_eq!(pushed(&notes, "application/cloudevents-batch+json", format!("[{text},{other}]")).await, 204);
    assert_eq!(notes.taken().len(), 2);
    assert_eq!(pushed(&notes, "application/cloudevents-batch+json", "[]").await, 204);

    let mut headers = headers(&event);
    headers.push(("content-type".to_owned(), "application/json".to_owned()));
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let (status, answered) = told(Some(&notes), Method::POST, &headers, event.data.get().to_owned()).await;
    assert_eq!((status, notes.taken()), (204, vec![event.id.to_string()]), "its subject has a space, and so it was encoded");
    assert!(answered.contains_key("x-request-id"), "as every answer");
}

#[tokio::test]
async fn a_stranger_s_event_is_nobody_s_business_and_settled() {
    let notes = Arc::new(Notes::default());
    let stranger = r#"{"specversion": "1.0", "id": "1", "source": "/elsewhere", "type": "com.example.x", "data": 1}"#;
    assert_eq!(pushed(&notes, "application/cloudevents+json", stranger).await, 204);
    assert!(notes.taken().is_empty());
}

#[tokio::test]
async fn what_is_malformed_is_400_and_what_is_no_event_415_and_both_are_never_404_or_409() {
    let notes = Arc::new(Notes::default());
    let text = golden("gudang.stock.changed");
    let without_subject = text.replace("\"subject\"", "\"subjects\"");
    for (media, body, status) in [
        ("application/cloudevents+json", "{", 400),
        ("application/cloudevents+json", "{}", 400),
        ("application/cloudevents+json", without_subject.as_str(), 400),
        ("application/cloudevents-batch+json", text.as_str(), 400),
        ("application/json", text.as_str(), 415),
        ("application/cloudevents+xml", "<event/>", 415),
        ("application/cloudevents+json; charset=latin1", text.as_str(), 415),
        ("", "", 415),
    ] {
        assert_eq!(pushed(&notes, media, body.to_owned()).await, status, "{media}: {body}");
    }
    assert!(notes.taken().is_empty());
    let attributes = [("ce-specversion", "1.0"), ("ce-source", "/gudang/stock"), ("ce-type", "gudang.stock.changed.v1")];
    assert_eq!(told(Some(&notes), Method::POST, &attributes, "{}").await.0, 400, "binary, without an id");
    assert_eq!(pushed(&notes, "application/cloudevents+json", vec![b' '; web::JSON_BYTES + 1]).await, 413);
    assert_eq!(pushed(&notes, "application/cloudevents-batch+json", vec![b' '; web::BATCH_BYTES + 1]).await, 413);
}

#[tokio::test]
async fn the_good_ones_of_a_batch_are_settled_and_the_bad_one_is_told() {
    let notes = Arc::new(Notes::default());
    let batch = format!("[{},{{}},{}]", golden("gudang.stock.changed"), golden("gudang.stock.reserved"));
    assert_eq!(pushed(&notes, "application/cloudevents-batch+json", batch).await, 400);
    assert_eq!(notes.taken().len(), 2);
}

#[tokio::test]
async fn who_is_away_says_when_to_come_again_whatever_else_is_in_the_batch() {
    let notes = Arc::new(Notes::default());
    notes.is_away.store(true, Ordering::SeqCst);
    let batch = format!("[{{}},{}]", golden("gudang.stock.changed"));
    for (media, body) in [("application/cloudevents+json", golden("gudang.stock.changed")), ("application/cloudevents-batch+json", batch)] {
        let (status, headers) = told(Some(&notes), Method::POST, &[("content-type", media)], body).await;
        assert_eq!((status, headers[axum::http::header::RETRY_AFTER].as_bytes()), (503, &b"1"[..]), "{media}");
    }
}

#[tokio::test]
async fn nobody_may_push_unless_it_is_on_and_nothing_but_push_may_be_done() {
    let notes = Arc::new(Notes::default());
    let (status, headers) =
        told(None, Method::POST, &[("content-type", "application/cloudevents+json")], golden("gudang.stock.changed")).await;
    assert_eq!((status, headers["allow"].as_bytes()), (405, &b""[..]));
    for method in [Method::GET, Method::OPTIONS, Method::PUT] {
        let (status, headers) = told(Some(&notes), method, &[], Body::empty()).await;
        assert_eq!((status, headers["allow"].as_bytes()), (405, &b"POST"[..]));
    }
    assert!(notes.taken().is_empty());
}
