//! Tills: clients of Stock that sell and restock at a steady pace, and remember what was acknowledged. They know the API alone.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;
use testkit::Http;
use testkit::dice::Dice;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// Tills, each with shelves of its own: so it knows what is there, and nobody is ever refused.
pub(crate) const TILLS: u64 = 8;
/// Products of each till.
pub(crate) const SHELVES: u64 = 5;
/// Units of a change, at most.
const UNITS: u64 = 9;
/// A till restocks rather than sells below so many units, so that alerts come and go.
const LOW: i64 = 15;

/// The SKU of a till's product.
pub(crate) fn sku(till: u64, shelf: u64) -> String {
    format!("thing {till}-{shelf}")
}

/// Units that were sold, by SKU.
pub(crate) type Sold = BTreeMap<String, i64>;

/// Load that runs until it is stopped.
pub(crate) struct Load {
    stop: CancellationToken,
    tills: Vec<JoinHandle<Sold>>,
    answers: Arc<Mutex<Vec<Instant>>>,
}

impl Load {
    /// Has all tills write to `stock`, each once in `pace` unless an answer takes longer. Every answer must be 201.
    pub(crate) fn start(stock: &Http, seed: u64, pace: Duration) -> Self {
        let (stop, answers) = (CancellationToken::new(), Arc::<Mutex<Vec<Instant>>>::default());
        let tills = (0..TILLS).map(|number| {
            let till = Till { number, stock: stock.clone(), dice: Dice::new(seed, number), answers: Arc::clone(&answers) };
            tokio::spawn(till.work(pace, stop.clone()))
        });
        Self { tills: tills.collect(), stop, answers }
    }

    /// Stops all tills and adds up what they sold.
    pub(crate) async fn stop(self) -> Sold {
        self.stop.cancel();
        let mut sold = Sold::new();
        for till in self.tills {
            sold.extend(till.await.expect("every change is recorded"));
        }
        println!("{} changes were acknowledged", self.answers.lock().expect("answers").len());
        sold
    }

    /// Answers in each window of that length between two moments.
    pub(crate) fn windows(&self, from: Instant, upto: Instant, window: Duration) -> Vec<usize> {
        let answers = self.answers.lock().expect("answers");
        count(&answers, from, upto, window)
    }
}

/// How many moments lie in each whole window.
pub(crate) fn count(moments: &[Instant], from: Instant, upto: Instant, window: Duration) -> Vec<usize> {
    let mut windows = Vec::new();
    let mut begin = from;
    while begin + window <= upto {
        windows.push(moments.iter().filter(|moment| (begin..begin + window).contains(*moment)).count());
        begin += window;
    }
    windows
}

/// The one in the middle.
pub(crate) fn median(mut numbers: Vec<usize>) -> f64 {
    numbers.sort_unstable();
    numbers[numbers.len() / 2] as f64
}

struct Till {
    number: u64,
    stock: Http,
    dice: Dice,
    answers: Arc<Mutex<Vec<Instant>>>,
}

impl Till {
    async fn work(mut self, pace: Duration, stop: CancellationToken) -> Sold {
        let (mut shelves, mut sold) = ([0; SHELVES as usize], Sold::new());
        let mut beat = interval(pace);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !stop.is_cancelled() {
            beat.tick().await;
            let (shelf, units) = (self.dice.below(SHELVES), 1 + self.dice.below(UNITS) as i64);
            let (sku, left) = (sku(self.number, shelf), &mut shelves[shelf as usize]);
            let sells = *left >= units && (*left > LOW || self.dice.once_in(2));
            let kind = if sells { "SALE" } else { "RESTOCK" };
            let change = json!({"sku": sku, "type": kind, "quantity": units});
            self.stock.post("/v1/stock-changes", &change).await.expect(201);
            self.answers.lock().expect("answers").push(Instant::now());
            if sells {
                *sold.entry(sku).or_default() += units;
            }
            *left += if sells { -units } else { units };
        }
        sold
    }
}
