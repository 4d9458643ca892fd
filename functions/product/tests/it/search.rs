//! Searching: the same stories with the database answering and with the search index.

mod behind;
mod faults;
mod gate;
mod model;
mod pages;
mod refusals;
mod stories;
mod world;
