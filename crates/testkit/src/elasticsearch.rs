//! An Elasticsearch of one's own, to be paused, killed and started again on the same data.

use rustix::process::Signal;

use crate::native::Native;

/// A node without any index. Dropping it kills it and removes its data.
#[derive(Debug)]
pub struct Elasticsearch(Native);

impl Elasticsearch {
    /// Starts a node: some four seconds.
    pub fn start() -> Self {
        Self(Native::start("elasticsearch.sh", &[]))
    }

    /// As `ELASTICSEARCH_URL` takes it.
    pub fn url(&self) -> String {
        format!("http://{}", self.0.address())
    }

    /// Starts it again on the same data, after [`Elasticsearch::kill`].
    pub fn restart(&mut self) {
        self.0.restart();
    }

    /// Kills it; what it has acknowledged stays.
    pub fn kill(&mut self) {
        self.0.kill();
    }

    /// Freezes it: links stay open and nobody answers.
    pub fn pause(&self) {
        self.0.signal(Signal::STOP);
    }

    /// Ends a pause.
    pub fn go_on(&self) {
        self.0.signal(Signal::CONT);
    }
}
