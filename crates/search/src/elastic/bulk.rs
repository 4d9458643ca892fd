//! Writing documents, many at once. A bulk request that succeeds says nothing of its items: every item's own status is read.

use std::time::Duration;

use elasticsearch::http::Method;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{Document, Index, IndexError};

/// For one request.
const BULK: Duration = Duration::from_secs(10);
/// Bytes of one request, at least one document.
const BULK_BYTES: usize = 4 << 20;
/// How often an item is sent that was refused for now, and the pause before the second time, doubled after each.
const ATTEMPTS: u32 = 7;
const PAUSE: Duration = Duration::from_millis(50);

/// What became of documents.
#[derive(Debug, Default)]
pub struct Put {
    /// Ids of those that are there now, in this version or a later one.
    pub there: Vec<String>,
    /// Ids of those that the index is too busy for; later it may take them.
    pub busy: Vec<String>,
    /// Ids of those that it refuses for good, each with its reason.
    pub refused: Vec<(String, String)>,
}

impl Index {
    /// Writes documents into the index `target`, unless it has them in this version or a later one. An error leaves open which are there: send
    /// all of them again.
    pub async fn put(&self, target: &str, documents: &[Document]) -> Result<Put, IndexError> {
        let mut put = Put::default();
        let mut waiting: Vec<&Document> = documents.iter().collect();
        let mut pause = PAUSE;
        for attempt in 1..=ATTEMPTS {
            let mut busy = Vec::new();
            for group in groups(&waiting)? {
                self.put_group(target, group, &mut put, &mut busy).await?;
            }
            waiting = busy;
            if waiting.is_empty() || attempt == ATTEMPTS {
                break;
            }
            sleep(pause).await;
            pause *= 2;
        }
        put.busy = waiting.into_iter().map(|document| document.id.clone()).collect();
        Ok(put)
    }

    async fn put_group<'a>(
        &self,
        target: &str,
        (body, documents): (String, Vec<&'a Document>),
        put: &mut Put,
        busy: &mut Vec<&'a Document>,
    ) -> Result<(), IndexError> {
        // By an alias that must be there: a bulk to an index that is gone would make a new one, without our layout.
        let path = format!("/{}/_bulk?require_alias=true&filter_path=items.*.status,items.*.error", write_alias(target));
        let answer = match self.client.send(Method::Post, &path, Some(body), BULK).await {
            // The whole request may be refused like an item.
            Err(IndexError::Answered { status: 429 | 503, .. }) => {
                busy.extend(documents);
                return Ok(());
            }
            answer => answer?,
        };
        let odd = || IndexError::Answered { status: 200, cause: "a bulk answer without its items".to_owned() };
        let items = answer["items"].as_array().filter(|items| items.len() == documents.len()).ok_or_else(odd)?;
        for (document, item) in documents.into_iter().zip(items) {
            let item = &item["index"];
            match item["status"].as_u64() {
                // 409: what is there is as new, or newer.
                Some(200..=299 | 409) => put.there.push(document.id.clone()),
                Some(429 | 500..=599) => busy.push(document),
                Some(404) => return Err(IndexError::NoIndex(target.to_owned())),
                _ => put.refused.push((document.id.clone(), reason(item))),
            }
        }
        Ok(())
    }
}

/// The alias by which an index is written.
pub(super) fn write_alias(target: &str) -> String {
    format!("{target}.write")
}

fn reason(item: &Value) -> String {
    let error = &item["error"];
    let cause = error["caused_by"]["reason"].as_str().unwrap_or_default();
    format!("{} {}", error["reason"].as_str().unwrap_or("no reason given"), cause).trim().to_owned()
}

/// Bodies of bulk requests, each with its documents.
fn groups<'a>(documents: &[&'a Document]) -> Result<Vec<(String, Vec<&'a Document>)>, IndexError> {
    let unwritable = |error: serde_json::Error| IndexError::Answered { status: 0, cause: error.to_string() };
    let mut groups: Vec<(String, Vec<&Document>)> = Vec::new();
    for document in documents {
        let action = json!({"index": {"_id": document.id, "version": document.version, "version_type": "external"}});
        let item = format!("{action}\n{}\n", serde_json::to_string(document).map_err(unwritable)?);
        match groups.last_mut().filter(|(body, _)| body.len() + item.len() <= BULK_BYTES) {
            Some((body, of)) => {
                body.push_str(&item);
                of.push(document);
            }
            None => groups.push((item, vec![document])),
        }
    }
    Ok(groups)
}
