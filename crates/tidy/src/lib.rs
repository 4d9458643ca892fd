//! The house rules as functions: each looks at what it is given and names every place that breaks its rule.
//!
//! The rules that concern crates are in [`rooms`], those that concern files in [`files`]; `tests/it` applies them to this workspace, read by
//! [`workspace`] and [`tree`]. This room knows no other room, and no other room knows it.

pub mod code;
pub mod files;
pub mod limits;
pub mod rooms;
pub mod tree;
pub mod workspace;
