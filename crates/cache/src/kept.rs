//! What Redis has, for whoever compares it with the origin. Looking changes nothing there.

use std::sync::Arc;

use uuid::Uuid;

use crate::{Cache, Origin, Shared, Version};

impl<O: Origin> Cache<O> {
    /// The states of which Redis would show these things now; no more than there are. None without Redis or while it is away: then it shows
    /// nothing to anybody.
    pub async fn kept(&self, ids: &[Uuid]) -> Result<Option<Vec<(Uuid, Version)>>, Arc<O::Error>> {
        let Some(Shared { redis, generation }) = &self.0.shared else { return Ok(None) };
        let generation = generation.ask().await?;
        Ok(redis.versions(generation, ids).await)
    }
}
