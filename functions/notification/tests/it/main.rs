//! What Notification promises, seen from outside: events in by its handler, answers out by its routes, deliveries at a real receiver.

#![expect(clippy::expect_used, reason = "a test stops at the first surprise")]

mod api;
mod books;
mod deliveries;
mod desk;
mod email;
mod episodes;
mod receiver;
mod stream;
mod tls;
