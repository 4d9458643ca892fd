//! Analytics as its neighbours see it: events go in through its handler, reports come out of its routes, over a real PostgreSQL.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod books;
mod events;
mod fixture;
mod recount;
mod refusals;
mod reports;
mod shop;
