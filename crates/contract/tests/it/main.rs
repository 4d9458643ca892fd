//! The contract held to its word: golden events that stay readable for ever, and values and events that come back as they went.
#![expect(clippy::expect_used, reason = "a test stops at the first surprise")]

mod asyncapi;
mod binary;
mod events;
mod golden;
mod values;
