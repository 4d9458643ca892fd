//! Chance that can be had again: the same seed throws the same, on every machine and with every version of every crate. It knows no test.

use std::time::{SystemTime, UNIX_EPOCH};

/// A seed to print: the one that the build was given as `GUDANG_SEED`, else one of the moment.
pub fn seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970");
    option_env!("GUDANG_SEED").map_or(now.as_nanos() as u64, |seed| seed.parse().expect("GUDANG_SEED is a number"))
}

/// Throws numbers (SplitMix64, Steele, Lea and Flood 2014).
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Dice of their own for each `number`, all following from one seed.
    pub fn new(seed: u64, number: u64) -> Self {
        let mut dice = Self(seed ^ number.wrapping_mul(0xD1B5_4A32_D192_ED03));
        dice.throw();
        dice
    }

    fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to, but not, `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.throw() % bound
    }

    /// True once in `times`.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}
