//! Parts that panic: the process ends with an error, whichever part it is, and does not go on without it.

use std::sync::atomic::Ordering;

use host::Role;
use tokio_util::sync::CancellationToken;

use crate::fixture::{PATIENCE, Running, Till, listener};

#[tokio::test(flavor = "multi_thread")]
async fn periodic_work_that_panics_ends_the_process_with_an_error_that_says_so() {
    let till = Till::new().await;
    till.chores.panics.store(true, Ordering::SeqCst);
    let fallen = till.run(Role::All, None).await.ended().await.expect_err("it broke down").to_string();
    assert!(fallen.contains("the chores have a bug"), "{fallen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_panics_ends_the_process_and_another_that_does_not_goes_on_where_it_stood() {
    let till = Till::new().await;
    till.notes.panics.store(true, Ordering::SeqCst);
    till.write(1..=3).await;
    let listener_of_first = listener().await;
    let address = listener_of_first.local_addr().unwrap();
    let stop = CancellationToken::new();
    let embedded = host::embedded::run(vec![(till.function(), listener_of_first)], "first", None, stop.clone());
    let fallen = Running { stop, task: tokio::spawn(embedded) }.ended().await.expect_err("it broke down").to_string();
    assert!(fallen.contains("the consumer has a bug"), "{fallen}");
    tokio::net::TcpStream::connect(address).await.expect_err("it serves no more");

    till.notes.panics.store(false, Ordering::SeqCst);
    let stop = CancellationToken::new();
    let embedded = host::embedded::run(vec![(till.function(), listener().await)], "first", None, stop.clone());
    let running = Running { stop, task: tokio::spawn(embedded) };
    testkit::eventually("what it had left", PATIENCE, async || (*till.notes.settled.lock().unwrap() == [1, 2, 3]).then_some(())).await;
    running.stop().await;
}
