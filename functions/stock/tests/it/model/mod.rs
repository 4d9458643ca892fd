//! Stock against a model of it: whatever happens, in turn or at the same time, it answers as one clerk with one book would.
//!
//! The model is written from the contract and shares no code with the service.

mod ask;
mod books;
mod clients;
mod expect;
mod expiry;
mod handmade;
mod histories;
mod linear;
mod log;
mod names;
mod products;
mod run;
mod shelf;
mod throw;
