//! Throws histories: the same dice throw the same. It knows which reservations and keys it has named, and no stock.

use testkit::dice::Dice;

use super::ask::{Filter, Kind, LOCATIONS, Moment, Move, Op, Part, Place, SKUS, What};

/// A product that nobody introduces.
const NOBODY: usize = SKUS.len() - 1;
const KINDS: [Kind; 5] = [Kind::Sale, Kind::Restock, Kind::Return, Kind::WriteOff, Kind::Count];
const HOUR: i64 = 3600;

/// Throws a history of about `length` operations over one to three products.
pub(super) fn history(dice: Dice, length: usize) -> Vec<Op> {
    let mut thrower = Thrower { dice, products: 1, reservations: Vec::new(), keyed: Vec::new() };
    thrower.products = thrower.up_to(3) as usize;
    let mut ops: Vec<Op> = (0..thrower.products).map(|product| What::Introduce { product }.into()).collect();
    for product in 0..thrower.products {
        let place = Place { product, location: 1 };
        ops.push(What::Change(Move::of(place, Kind::Restock, thrower.up_to(30))).into());
    }
    while ops.len() < length {
        let op = thrower.op();
        if op.key.is_some() {
            thrower.keyed.push(op.clone());
        }
        ops.push(op);
    }
    ops
}

/// Whether an answer is kept under the key whatever it is, so that another request under it is a mismatch.
fn is_stored(op: &Op) -> bool {
    matches!(&op.what, What::Change(asked) if asked.place.product != NOBODY) || matches!(op.what, What::Batch { .. })
}

struct Thrower {
    dice: Dice,
    products: usize,
    /// The lines of each, by number.
    reservations: Vec<Vec<Part>>,
    keyed: Vec<Op>,
}

impl Thrower {
    /// From 1 to `most`.
    fn up_to(&mut self, most: u64) -> i64 {
        1 + self.dice.below(most) as i64
    }

    fn one_of<T: Clone>(&mut self, things: &[T]) -> T {
        things[self.dice.below(things.len() as u64) as usize].clone()
    }

    fn once_in(&mut self, times: u64) -> bool {
        self.dice.once_in(times)
    }

    fn op(&mut self) -> Op {
        match self.dice.below(100) {
            0..6 if !self.keyed.is_empty() => self.repetition(),
            6..8 if self.keyed.iter().any(is_stored) => {
                let keyed: Vec<Op> = self.keyed.iter().filter(|op| is_stored(op)).cloned().collect();
                Op { what: What::Change(self.movement(false)), key: self.one_of(&keyed).key }
            }
            0..80 => {
                let key = self.once_in(4).then_some(self.keyed.len());
                Op { what: self.write(), key }
            }
            80..90 => self.happening().into(),
            _ => self.read().into(),
        }
    }

    /// The same request under the same key; an import may have lost or changed its last row.
    fn repetition(&mut self) -> Op {
        let keyed = self.keyed.clone();
        let mut op = self.one_of(&keyed);
        if let What::Import { lines, .. } = &mut op.what
            && self.once_in(2)
        {
            lines.pop();
            if lines.is_empty() || self.once_in(2) {
                lines.push(self.movement(false));
            }
        }
        op
    }

    fn write(&mut self) -> What {
        match self.dice.below(72) {
            0..12 => What::Batch { atomic: self.once_in(2), lines: self.several(Self::line) },
            12..15 => What::Import { csv: self.once_in(2), lines: self.several(Self::line) },
            15..20 => {
                let from = self.location();
                let to = (from + self.up_to(2) as usize) % LOCATIONS.len();
                What::Transfer { product: self.product(), from, to, units: self.up_to(8) }
            }
            20..33 => {
                let lines = self.several(Self::part);
                self.reservations.push(lines.clone());
                What::Reserve { number: self.reservations.len() - 1, lines, ttl: self.ttl() }
            }
            33..41 if !self.reservations.is_empty() => {
                let number = self.reservation();
                What::Confirm { number, part: self.once_in(3).then(|| self.part_of(number)) }
            }
            41..45 if !self.reservations.is_empty() => What::Release { number: self.reservation() },
            45..49 if !self.reservations.is_empty() => What::Extend { number: self.reservation(), ttl: self.ttl() },
            _ => What::Change(self.line()),
        }
    }

    /// What no client asks.
    fn happening(&mut self) -> What {
        match self.dice.below(10) {
            0..5 if !self.reservations.is_empty() => What::Age { number: self.reservation(), seconds: self.dice.below(9) as u32 },
            5 => What::Tick,
            _ => {
                let product = self.dice.below(self.products as u64) as usize;
                What::Hear { product, min_stock: self.dice.below(12) as i64, archived: self.once_in(3) }
            }
        }
    }

    fn read(&mut self) -> What {
        match self.dice.below(10) {
            0 if !self.reservations.is_empty() => What::Reservation { number: self.reservation() },
            1 | 2 => What::Levels {
                status: self.one_of(&[None, None, Some("low"), Some("out"), Some("ok")]),
                location: self.once_in(2).then(|| self.location()),
                limit: self.one_of(&[1, 2, 500]),
            },
            3 | 4 => What::Movements(self.filter()),
            5..8 => {
                let at = if self.once_in(2) { Moment::Second(self.up_to(1000) - 800) } else { self.movement_time() };
                What::AsOf { product: self.product(), at }
            }
            _ => What::Level { product: self.product() },
        }
    }

    fn movement_time(&mut self) -> Moment {
        Moment::Movement(self.dice.below(100) as usize, self.one_of(&[-1, 0, 1]))
    }

    fn filter(&mut self) -> Filter {
        Filter {
            product: self.once_in(2).then(|| self.product()),
            location: self.once_in(4).then(|| self.location()),
            kind: self.once_in(4).then(|| self.one_of(&["SALE", "RESTOCK", "COUNT", "TRANSFER_IN", "WRITE_OFF"])),
            reference: self.once_in(4).then(|| self.dice.below(3) as usize),
            from: self.once_in(4).then(|| -self.up_to(1000)),
            to: self.once_in(4).then(|| self.up_to(200)),
            limit: self.one_of(&[3, 20, 500]),
        }
    }

    fn several<T>(&mut self, one: fn(&mut Self) -> T) -> Vec<T> {
        (0..self.up_to(4)).map(|_| one(self)).collect()
    }

    fn product(&mut self) -> usize {
        if self.once_in(60) { NOBODY } else { self.dice.below(self.products as u64) as usize }
    }

    /// Most happens at one location.
    fn location(&mut self) -> usize {
        self.one_of(&[0, 1, 1, 1, 2, 2])
    }

    fn place(&mut self) -> Place {
        Place { product: self.product(), location: self.location() }
    }

    fn part(&mut self) -> Part {
        Part { place: self.place(), units: self.up_to(5) }
    }

    fn line(&mut self) -> Move {
        self.movement(true)
    }

    fn movement(&mut self, of_anybody: bool) -> Move {
        let kind = self.one_of(&KINDS);
        let most = if self.once_in(100) { 1_000_000_000 } else { [7, 12, 3, 5, 13][kind as usize] };
        let units = self.up_to(most) - i64::from(kind == Kind::Count);
        let occurred = match self.dice.below(12) {
            0..3 => Some(-self.up_to(1000)),
            3 => Some(self.up_to(240)),
            _ => None,
        };
        let mut place = self.place();
        if !of_anybody && place.product == NOBODY {
            place.product = 0;
        }
        let reference = self.once_in(3).then(|| self.dice.below(3) as usize);
        let price = self.once_in(4).then(|| self.dice.below(100) as u16);
        Move { place, kind, units, occurred, reference, price, by_id: place.product != NOBODY && self.once_in(4) }
    }

    /// Now and then so short that it passes at once.
    fn ttl(&mut self) -> i64 {
        if self.once_in(40) { 1 } else { HOUR * self.up_to(100) }
    }

    /// A late one rather than an early one; sometimes one that was never made.
    fn reservation(&mut self) -> usize {
        let made = self.reservations.len() as u64;
        if self.once_in(30) { made as usize + 1000 } else { (made - 1 - self.dice.below(made.min(4))) as usize }
    }

    /// A part of what a reservation holds: at least one unit, no more of any place than there is.
    fn part_of(&mut self, number: usize) -> Vec<Part> {
        let mut held: Vec<Part> = Vec::new();
        for line in self.reservations.get(number).cloned().unwrap_or_default() {
            match held.iter_mut().find(|part| part.place == line.place) {
                Some(part) => part.units += line.units,
                None => held.push(line),
            }
        }
        let first = self.dice.below(held.len().max(1) as u64) as usize;
        held.rotate_left(first);
        held.truncate(self.up_to(held.len().max(1) as u64) as usize);
        held.iter().map(|part| Part { units: self.up_to(part.units as u64), ..*part }).collect()
    }
}
