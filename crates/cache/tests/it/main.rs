//! What the cache promises, on a real Redis that is emptied, stopped, hung and put back to an earlier time. A cache is a process here; what they
//! all stand in front of is a map whose reads are counted and can be held.

#![expect(clippy::expect_used, reason = "a test stops at the first surprise")]

mod away;
mod levels;
mod origin;
mod slow;
mod storm;
mod untold;
