//! What Stock reads, and the copies of products that it keeps. Movements are written by `ledger` alone.

pub mod books;
pub mod events;
pub mod levels;
pub mod movements;
pub mod products;
pub mod reservations;
