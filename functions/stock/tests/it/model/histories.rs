//! Random histories of all operations, one operation after the other, against the model.

use testkit::dice::{self, Dice};

use super::ask::{Op, What, listed};
use super::run::{Difference, run};
use super::throw;
use crate::fixture::{Stock, stock};

const HISTORIES: u64 = 80;
/// Operations of a history.
const LENGTH: usize = 60;
/// Databases, each with one history at a time.
const SHOPS: u64 = 4;
/// Runs that may be spent on finding a shorter history that fails too.
const ATTEMPTS: u32 = 300;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_happens_in_turn_stock_answers_as_the_model() {
    let seed = dice::seed();
    println!("seed {seed} (build with GUDANG_SEED={seed} to have the same histories)");
    let shops = (0..SHOPS).map(|shop| tokio::spawn(histories(seed, shop)));
    let mut found = Vec::new();
    for shop in shops.collect::<Vec<_>>() {
        found.extend(shop.await.unwrap().err());
    }
    assert!(found.is_empty(), "seed {seed}:\n{}", found.join("\n"));
}

async fn histories(seed: u64, shop: u64) -> Result<(), String> {
    let stock = stock().await;
    for number in (shop..HISTORIES).step_by(SHOPS as usize) {
        let ops = throw::history(Dice::new(seed, number), LENGTH);
        if let Err(difference) = run(&stock, &number.to_string(), &ops).await {
            let (shorter, difference) = shrink(&stock, number, ops, difference).await;
            let Difference { step, said } = difference;
            return Err(format!("history {number}, as short as could be found:\n{}\nat {}: {said}", listed(&shorter), step + 1));
        }
    }
    Ok(())
}

/// Leaves out operations as long as what remains fails too: first large pieces, then single operations, until none can go.
async fn shrink(stock: &Stock, number: u64, mut ops: Vec<Op>, mut difference: Difference) -> (Vec<Op>, Difference) {
    ops.truncate(difference.step + 1);
    let (mut piece, mut attempts) = (ops.len().div_ceil(2), 0);
    loop {
        let (mut from, mut shorter) = (0, false);
        while from < ops.len() && attempts < ATTEMPTS {
            attempts += 1;
            let piece = from..(from + piece).min(ops.len());
            let rest = |(place, op): &(usize, &Op)| !piece.contains(place) || matches!(op.what, What::Introduce { .. });
            let candidate: Vec<Op> = ops.iter().enumerate().filter(rest).map(|(_, op)| op.clone()).collect();
            match run(stock, &format!("{number}x{attempts}"), &candidate).await {
                Err(found) if candidate.len() < ops.len() => (ops, difference, shorter) = (candidate, found, true),
                _ => from = piece.end,
            }
        }
        if attempts >= ATTEMPTS || (piece == 1 && !shorter) {
            return (ops, difference);
        }
        piece = piece.div_ceil(2);
    }
}
