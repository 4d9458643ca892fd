//! The instruments themselves, before anybody believes what they show.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod proxy;
