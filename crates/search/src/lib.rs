//! Searching products: what is asked and answered, and how texts are folded.
//!
//! PostgreSQL answers on the laptop, and wherever the index is away. Both engines fold texts by the same functions and rank by the same tiers,
//! so they give the same pages. This room knows no database and no route.

mod answer;
pub mod elastic;
mod question;
pub mod text;

pub use answer::{Counts, Cube, Facets, Hit, Hits, StockFacet};
pub use question::{Filters, Level, Place, Question, TYPED_MAX, Typed, score};
