//! Elasticsearch: the index that answers searches where one is configured. The only place that names its driver.
//!
//! Documents carry a version of ours (`version_type=external`), so what is late or repeated is refused by the index itself; archived products
//! stay in it with their status, because what is deleted is forgotten after a while and could then be brought back by a late update. The index
//! holds no truth: it can be thrown away and filled again.

mod away;
mod bulk;
mod client;
mod document;
mod layout;
mod manage;
mod query;

use std::sync::Arc;

pub use bulk::Put;
pub use client::{ElasticsearchUrl, IndexError, NotElasticsearch};
pub use document::Document;
pub use manage::Copy;

use away::Away;
use client::Client;

/// What the index is called: an alias of the one that answers. Indexes have names of their own behind it.
pub const NAME: &str = "gudang-products";

/// Where the index is.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The server.
    pub url: ElasticsearchUrl,
    /// The alias that searches go to: [`NAME`], or another one where several Gudangs share a server.
    pub name: String,
}

impl Settings {
    /// The index under its usual name.
    pub fn new(url: ElasticsearchUrl) -> Self {
        Self { url, name: NAME.to_owned() }
    }
}

/// The index. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Index {
    name: Arc<str>,
    client: Client,
    away: Arc<Away>,
}

impl Index {
    /// Makes a client. Nothing is connected yet.
    pub fn new(settings: &Settings) -> Result<Self, NotElasticsearch> {
        Ok(Self { name: settings.name.as_str().into(), client: Client::new(&settings.url)?, away: Arc::default() })
    }
}
