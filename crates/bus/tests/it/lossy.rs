//! A link to a broker that loses answers: what a client sends arrives, and what the broker says to it is now and then lost, with the link.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bus::kafka::{Producer, Settings};
use contract::{Event, Topic};
use testkit::Kafka;
use testkit::dice::{Dice, seed};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::fixture::{event, with_topics};
use crate::raw;

/// One in so many answers is lost.
const LOST: u64 = 20;
/// Where the naive client sends, how many messages in a round, and how many rounds at most.
const NAIVE: &str = "naive";
const ROUND: usize = 100;
const ROUNDS: usize = 20;

#[derive(Default)]
struct Link {
    broker: AtomicU16,
    losing: AtomicBool,
    lost: AtomicUsize,
    dice: Mutex<Option<Dice>>,
}

impl Link {
    fn loses(&self) -> bool {
        let lost = self.losing.load(Ordering::SeqCst) && self.dice.lock().expect("dice").as_mut().is_some_and(|dice| dice.once_in(LOST));
        self.lost.fetch_add(usize::from(lost), Ordering::SeqCst);
        lost
    }

    async fn join(self: Arc<Self>, client: TcpStream) -> std::io::Result<()> {
        let broker = TcpStream::connect(("127.0.0.1", self.broker.load(Ordering::SeqCst))).await?;
        let ((mut from_client, mut to_client), (mut from_broker, mut to_broker)) = (client.into_split(), broker.into_split());
        let there = tokio::io::copy(&mut from_client, &mut to_broker);
        let back = async {
            let mut answer = vec![0; 64 << 10];
            loop {
                let length = from_broker.read(&mut answer).await?;
                if length == 0 || self.loses() {
                    return Ok(());
                }
                to_client.write_all(&answer[..length]).await?;
            }
        };
        tokio::select! { ended = there => ended.map(drop), ended = back => ended }
    }
}

async fn open(seed: u64) -> (Arc<Link>, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let link = Arc::new(Link { dice: Mutex::new(Some(Dice::new(seed, 0))), ..Link::default() });
    let accepting = Arc::clone(&link);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(Arc::clone(&accepting).join(client));
        }
    });
    (link, port)
}

/// Sends with a client whose repetitions the broker cannot tell, until some messages lie there twice. Says how many were sent and how many lie
/// there.
async fn naively(kafka: &Kafka, link: &Link) -> (usize, usize) {
    raw::make(kafka, NAIVE, 1, &[]).await;
    let client = raw::forgetful(kafka);
    let (mut sent, mut there) = (0, 0);
    for _ in 0..ROUNDS {
        link.losing.store(true, Ordering::SeqCst);
        for _ in 0..ROUND {
            raw::send(&client, NAIVE, &sent.to_string()).await;
            sent += 1;
        }
        link.losing.store(false, Ordering::SeqCst);
        there = raw::everything(kafka, NAIVE).len();
        if there > sent {
            break;
        }
    }
    (sent, there)
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_lost_double_and_reorder_nothing() {
    const PRODUCTS: usize = 20;
    let seed = seed();
    println!("seed {seed}");
    let (link, port) = open(seed).await;
    let kafka = tokio::task::block_in_place(|| Kafka::start_behind(port));
    link.broker.store(kafka.port(), Ordering::SeqCst);
    let (kafka, settings): (Kafka, Settings) = with_topics(kafka).await;
    let outlet = Producer::new(&settings).expect("a producer").outlet(Topic::StockChanges);
    link.losing.store(true, Ordering::SeqCst);
    let (mut version, mut again) = (0, 0);
    for _ in 0..20 {
        let batch: Vec<Event> =
            (0..10).flat_map(|n| (0..PRODUCTS).map(move |number| (number, n))).map(|(number, n)| event(number, version + n + 1)).collect();
        while let Err(undelivered) = outlet.deliver(&batch).await {
            println!("again: {undelivered:?}");
            again += 1;
        }
        version += 10;
    }
    link.losing.store(false, Ordering::SeqCst);
    let lost = link.lost.load(Ordering::SeqCst);
    println!("{lost} answers were lost, {again} batches were sent again");
    assert!(lost > 3);
    let mut last: HashMap<Vec<u8>, i64> = HashMap::new();
    let mut doubled = 0;
    for message in raw::everything(&kafka, "stock-changes") {
        let sequence = message.headers.iter().find(|(name, _)| name == "ce_sequence").expect("a version");
        let (version, last): (i64, _) = (sequence.1.parse().expect("a number"), last.entry(message.key.expect("a key")).or_default());
        assert!(version <= *last + 1, "version {version} came right behind {last}");
        doubled += usize::from(version <= *last);
        *last = (*last).max(version);
    }
    assert_eq!(last.len(), PRODUCTS);
    assert!(last.values().all(|last| *last == version), "{last:?}");
    assert!(again > 0 || doubled == 0, "{doubled} messages lie there twice though none was sent twice");

    let (sent, there) = naively(&kafka, &link).await;
    println!("a client without idempotence has sent {sent} messages, {there} lie there");
    assert!(there > sent, "nothing was doubled where nothing prevents it: no answer to a message was lost");
}
