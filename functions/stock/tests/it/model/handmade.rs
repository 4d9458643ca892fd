//! That the checker can fail: histories made by hand, each with a fault that stock must not have, beside the same without it.

use std::time::Duration;

use serde_json::json;

use super::ask::{Kind, Move, Op, Part, Place, What};
use super::expect::Answered;
use super::linear::{Done, first_contradiction, is_linearizable};
use super::log::Log;
use super::shelf::Shelf;

const HERE: Place = Place { product: 0, location: 1 };

/// A history of a shop with some units of one product here; each client asks at the times that are given, and reads what it would read if
/// what was asked happened in the order in which it is written down.
struct Tale {
    shelf: Shelf,
    done: Vec<Done>,
}

impl Tale {
    fn with(units: i64) -> Self {
        let mut tale = Self { shelf: Shelf::default(), done: Vec::new() };
        tale.happens(0, 0..1, What::Introduce { product: 0 });
        tale.happens(0, 1..2, change(Kind::Restock, units));
        tale
    }

    fn happens(&mut self, client: usize, when: std::ops::Range<u64>, what: What) -> &mut Answered {
        self.keyed(client, when, what, None)
    }

    fn keyed(&mut self, client: usize, when: std::ops::Range<u64>, what: What, key: Option<usize>) -> &mut Answered {
        let op = Op { what, key };
        let expected = self.shelf.apply(&op, &mut Log::default());
        let answer = Answered { status: expected.status, body: expected.body, replayed: expected.replayed };
        let (asked, answered) = (Duration::from_millis(when.start), Duration::from_millis(when.end));
        self.done.push(Done { client, asked, answered, op, answer: Some(answer) });
        self.answer(self.done.len() - 1)
    }

    fn answer(&mut self, place: usize) -> &mut Answered {
        self.done[place].answer.as_mut().unwrap()
    }

    fn is_linearizable(&self) -> bool {
        is_linearizable(&self.done)
    }
}

fn change(kind: Kind, units: i64) -> What {
    What::Change(Move::of(HERE, kind, units))
}

fn level() -> What {
    What::Level { product: 0 }
}

/// The tale told twice, the second time with a fault: only that has no order.
fn is_told_from(tale: impl Fn(&mut Tale), fault: impl Fn(&mut Tale)) {
    let mut told = Tale::with(5);
    tale(&mut told);
    assert!(told.is_linearizable(), "without the fault: {:#?}", told.done);
    fault(&mut told);
    assert!(!told.is_linearizable(), "with the fault: {:#?}", told.done);
}

#[test]
fn a_read_that_is_late_by_one_change_is_told() {
    let tale = |tale: &mut Tale| {
        tale.happens(1, 10..20, level());
        tale.happens(2, 30..40, change(Kind::Sale, 2));
        tale.happens(1, 50..60, level());
    };
    is_told_from(tale, |tale| *tale.answer(4) = tale.answer(2).clone());
}

#[test]
fn a_read_at_the_time_of_a_change_may_see_it_or_not() {
    for sees in [false, true] {
        let mut tale = Tale::with(5);
        if !sees {
            tale.happens(1, 10..60, level());
        }
        tale.happens(2, 30..40, change(Kind::Sale, 2));
        if sees {
            tale.happens(1, 10..60, level());
        }
        assert!(tale.is_linearizable());
    }
}

#[test]
fn two_reads_that_see_a_change_come_and_go_are_told() {
    let tale = |tale: &mut Tale| {
        tale.happens(1, 12..14, level());
        tale.happens(2, 10..60, change(Kind::Sale, 2));
        tale.happens(1, 20..30, level());
    };
    let fault = |tale: &mut Tale| {
        let (old, new) = (tale.done[2].answer.clone(), tale.done[4].answer.clone());
        (tale.done[2].answer, tale.done[4].answer) = (new, old);
    };
    is_told_from(tale, fault);
}

#[test]
fn the_last_units_sold_twice_are_told() {
    let tale = |tale: &mut Tale| {
        tale.happens(1, 10..30, change(Kind::Sale, 5));
        tale.happens(2, 15..25, change(Kind::Sale, 5));
    };
    // Both were decided on what was there before, as on a row that was read before its lock.
    is_told_from(tale, |tale| *tale.answer(3) = tale.answer(2).clone());
    // The same with the version that comes next: versions alone would be content.
    let fault = |tale: &mut Tale| {
        *tale.answer(3) = tale.answer(2).clone();
        tale.answer(3).body["version"] = json!(3);
    };
    is_told_from(tale, fault);
}

#[test]
fn an_update_that_was_lost_is_told() {
    let tale = |tale: &mut Tale| {
        tale.happens(1, 10..30, change(Kind::Restock, 3));
        tale.happens(2, 15..25, change(Kind::Restock, 3));
        tale.happens(1, 40..50, level());
    };
    // Each answer is right by itself, and only one of the two is there later.
    let fault = |tale: &mut Tale| {
        let body = &mut tale.answer(4).body;
        for field in ["on_hand", "available"] {
            body[field] = json!(8);
            body["locations"][0][field] = json!(8);
        }
    };
    is_told_from(tale, fault);
}

#[test]
fn a_refusal_of_what_was_there_all_the_time_is_told() {
    let tale = |tale: &mut Tale| {
        tale.happens(1, 10..20, change(Kind::Sale, 2));
        tale.happens(2, 12..22, change(Kind::Sale, 3));
    };
    let fault = |tale: &mut Tale| {
        tale.answer(3).status = 409;
        tale.answer(3).body = json!({"code": "insufficient_stock", "requested": 3, "available": 2});
    };
    is_told_from(tale, fault);
}

#[test]
fn half_a_batch_seen_by_a_reader_is_told() {
    let lines = vec![Move::of(HERE, Kind::Sale, 1), Move::of(Place { location: 2, ..HERE }, Kind::Restock, 1)];
    let tale = |tale: &mut Tale| {
        tale.happens(1, 10..40, What::Batch { atomic: true, lines: lines.clone() });
        tale.happens(2, 20..30, level());
    };
    let fault = |tale: &mut Tale| {
        let body = &mut tale.answer(3).body;
        (body["on_hand"], body["available"], body["version"]) = (json!(4), json!(4), json!(2));
        body["locations"].as_array_mut().unwrap().pop();
    };
    is_told_from(tale, fault);
}

#[test]
fn one_key_with_two_effects_is_told() {
    let tale = |tale: &mut Tale| {
        tale.keyed(1, 10..30, change(Kind::Sale, 1), Some(7));
        tale.keyed(2, 15..25, change(Kind::Sale, 1), Some(7));
    };
    let fault = |tale: &mut Tale| {
        let body = tale.answer(2).body.clone();
        *tale.answer(3) = Answered { status: 201, body, replayed: false };
        for (field, units) in [("on_hand", 3), ("available", 3), ("version", 3)] {
            tale.answer(3).body[field] = json!(units);
        }
    };
    is_told_from(tale, fault);
}

#[test]
fn a_promise_kept_after_its_time_is_told() {
    let tale = |tale: &mut Tale| {
        tale.happens(1, 10..20, What::Reserve { number: 0, lines: vec![Part { place: HERE, units: 5 }], ttl: 1 });
        tale.happens(1, 1000..1010, What::Confirm { number: 0, part: None });
        tale.happens(9, 1009..1013, What::Lapse { number: 0 });
    };
    // Its time came before it was asked for.
    is_told_from(tale, |tale| (tale.done[4].asked, tale.done[4].answered) = (Duration::from_millis(995), Duration::from_millis(999)));
}

#[test]
fn a_reader_may_see_the_end_of_a_hold_before_a_sale_that_was_decided_earlier_and_nobody_may_see_it_too_soon() {
    let tale = |tale: &mut Tale| {
        tale.happens(1, 10..20, What::Reserve { number: 0, lines: vec![Part { place: HERE, units: 5 }], ttl: 1 });
        tale.happens(9, 998..1002, What::Seen { number: 0 });
        tale.happens(2, 1005..1008, level());
        tale.happens(1, 990..1020, What::Confirm { number: 0, part: None });
        tale.happens(10, 998..1030, What::Lapse { number: 0 });
    };
    // The reader had its answer before the time came.
    is_told_from(tale, |tale| (tale.done[4].asked, tale.done[4].answered) = (Duration::from_millis(980), Duration::from_millis(985)));
}

#[test]
fn what_is_shown_of_a_contradiction_is_what_it_takes() {
    let mut tale = Tale::with(5);
    for n in 0..10 {
        tale.happens(3, 100 * n + 10..100 * n + 20, level());
    }
    tale.happens(2, 2000..2010, change(Kind::Sale, 2));
    let late = tale.answer(2).clone();
    *tale.happens(1, 2020..2030, level()) = late;
    tale.happens(3, 2040..2050, change(Kind::Sale, 1));
    let shown = first_contradiction(&tale.done);
    assert_eq!(shown.len(), 4, "the product, what came in, the sale, and the read that missed it: {shown:#?}");
}
