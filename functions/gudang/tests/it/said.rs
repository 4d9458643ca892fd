//! What a run of the program came to.

use std::process::{Command, Output};

use serde_json::Value;
use testkit::Gudang;

/// The program under test.
pub(crate) const GUDANG: &str = env!("CARGO_BIN_EXE_gudang");

/// A run that has ended.
#[derive(Debug)]
pub(crate) struct Said {
    /// Its exit code; none when a signal ended it.
    pub(crate) code: Option<i32>,
    /// Its standard output.
    pub(crate) out: String,
    /// Its standard error.
    pub(crate) err: String,
}

impl Said {
    /// Runs a command to its end.
    pub(crate) fn by(command: &mut Command) -> Self {
        Self::of(command.output().expect("the program runs"))
    }

    /// Runs a command line against a running all-in-one.
    pub(crate) fn to(gudang: &Gudang, arguments: &[&str]) -> Self {
        Self::by(&mut gudang.command(arguments))
    }

    /// Takes what a child said.
    pub(crate) fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Itself, when it ended with `code`.
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// Its standard output as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error} in {self:#?}"))
    }
}
