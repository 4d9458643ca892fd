//! Where the test's own clients of Kafka live: a runtime that nobody waits for, since a client whose broker is gone takes its time to end.

use std::sync::LazyLock;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

/// Many, as each of them may be held up by a client that ends.
const THREADS: usize = 8;

static ASIDE: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(THREADS).enable_all().build().expect("a runtime"));

/// Runs something there.
pub(crate) fn spawn<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    ASIDE.spawn(work)
}
