//! Searching: the same stories with the database answering and with the search index.

mod faults;
mod pages;
mod refusals;
mod stories;
mod world;
