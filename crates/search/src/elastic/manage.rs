//! Indexes behind the alias: making one, having it answer, throwing others away; and reading what one has.

use std::time::Duration;

use elasticsearch::http::Method;
use elasticsearch::http::request::JsonBody;
use serde_json::{Value, json};
use uuid::Uuid;

use super::bulk::write_alias;
use super::layout::layout;
use super::{Index, IndexError};

/// For a request about an index as a whole.
const MANAGE: Duration = Duration::from_secs(30);
/// Copies of one page.
const PAGE: usize = 5000;
/// How long the server keeps what is being read, between two pages.
const KEEP: &str = "1m";

/// What an index has of a product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    /// The product's id.
    pub id: String,
    /// The document's version.
    pub version: i64,
}

impl Index {
    /// Makes an empty index that nobody asks yet, and gives its name.
    pub async fn create(&self) -> Result<String, IndexError> {
        let target = format!("{}-{}", self.name, Uuid::now_v7().simple());
        self.manage(Method::Put, &format!("/{target}"), Some(&layout(&write_alias(&target)))).await?;
        Ok(target)
    }

    /// Whether the index is there and can be written.
    pub async fn has(&self, target: &str) -> Result<bool, IndexError> {
        Ok(self.aliases().await?.iter().any(|(index, alias)| index == target && *alias == write_alias(target)))
    }

    /// Has `target` answer all searches from now on, instead of any other.
    pub async fn answer_from(&self, target: &str) -> Result<(), IndexError> {
        let others = self.behind().await?.into_iter().filter(|index| index != target);
        let mut actions: Vec<Value> = others.map(|index| json!({"remove": {"index": index, "alias": &*self.name}})).collect();
        actions.push(json!({"add": {"index": target, "alias": &*self.name}}));
        // One request, so at no time do both answer, or none.
        self.manage(Method::Post, "/_aliases", Some(&json!({"actions": actions}))).await.map(|_| ())
    }

    /// The indexes that answer searches: one, but for an accident.
    pub async fn behind(&self) -> Result<Vec<String>, IndexError> {
        Ok(self.aliases().await?.into_iter().filter(|(_, alias)| **alias == *self.name).map(|(index, _)| index).collect())
    }

    /// All indexes of this name, whether they answer or not.
    pub async fn all(&self) -> Result<Vec<String>, IndexError> {
        let mut all: Vec<String> = self.aliases().await?.into_iter().map(|(index, _)| index).collect();
        all.dedup();
        Ok(all)
    }

    /// Throws an index away; one that is not there is fine.
    pub async fn remove(&self, target: &str) -> Result<(), IndexError> {
        match self.manage(Method::Delete, &format!("/{target}"), None).await {
            Ok(_) | Err(IndexError::NoIndex(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Makes everything that was written visible to searches.
    pub async fn refresh(&self, target: &str) -> Result<(), IndexError> {
        self.manage(Method::Post, &format!("/{target}/_refresh"), None).await.map(|_| ())
    }

    /// Reads the version of everything in an index as it is now, page by page.
    pub async fn copies(&self, target: &str, mut each: impl FnMut(Copy)) -> Result<(), IndexError> {
        let opened = self.manage(Method::Post, &format!("/{target}/_pit?keep_alive={KEEP}"), None).await?;
        let mut view = opened["id"].clone();
        let mut last = None;
        let read = loop {
            match self.page(&view, last.as_ref()).await {
                Err(error) => break Err(error),
                Ok(page) if page.copies.is_empty() => break Ok(()),
                Ok(page) => {
                    page.copies.into_iter().for_each(&mut each);
                    (last, view) = (page.last, page.view);
                }
            }
        };
        let closed = self.manage(Method::Delete, "/_pit", Some(&json!({"id": view}))).await;
        if let Err(error) = closed {
            tracing::debug!(error = %fault::chain(&error), "what was read stays open for a minute");
        }
        read
    }

    async fn page(&self, view: &Value, after: Option<&Value>) -> Result<CopyPage, IndexError> {
        let mut body = json!({"size": PAGE, "pit": {"id": view, "keep_alive": KEEP}, "sort": [{"_shard_doc": "asc"}],
            "version": true, "_source": false, "track_total_hits": false});
        if let Some(after) = after {
            body["search_after"] = after.clone();
        }
        let answer = self.manage(Method::Post, "/_search", Some(&body)).await?;
        let odd = || IndexError::Answered { status: 200, cause: "no answer to a search".to_owned() };
        let hits = answer["hits"]["hits"].as_array().ok_or_else(odd)?;
        let copy_in = |hit: &Value| Some(Copy { id: hit["_id"].as_str()?.to_owned(), version: hit["_version"].as_i64()? });
        let copies = hits.iter().map(copy_in).collect::<Option<Vec<_>>>().ok_or_else(odd)?;
        Ok(CopyPage { copies, last: hits.last().map(|hit| hit["sort"].clone()), view: answer["pit_id"].clone() })
    }

    /// Indexes of this name, each with each of its aliases.
    async fn aliases(&self) -> Result<Vec<(String, String)>, IndexError> {
        let path = format!("/{}-*/_alias", self.name);
        let answer = match self.manage(Method::Get, &path, None).await {
            Err(IndexError::NoIndex(_)) => return Ok(Vec::new()),
            answer => answer?,
        };
        let indexes = answer.as_object().into_iter().flatten();
        let aliases = |of: &Value| of["aliases"].as_object().into_iter().flatten().map(|(alias, _)| alias.clone()).collect::<Vec<_>>();
        Ok(indexes.flat_map(|(index, of)| aliases(of).into_iter().map(|alias| (index.clone(), alias))).collect())
    }

    async fn manage(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, IndexError> {
        self.client.send(method, path, body.map(JsonBody::new), MANAGE).await
    }
}

/// A page of what an index has.
struct CopyPage {
    copies: Vec<Copy>,
    last: Option<Value>,
    view: Value,
}
