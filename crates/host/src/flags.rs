//! Flags that programs share, for their configurations to take in. It reads nothing by itself: whoever parses the command line does.

use std::fmt;

use clap::Args;

use crate::log::{self, Format};

/// What is logged, to standard error.
#[derive(Debug, Args)]
pub struct Log {
    /// What to log: a level (`error`, `warn`, `info`, `debug`), or more in the syntax of tracing's EnvFilter; by default problems,
    /// and alerts where this program raises them
    #[arg(long, env)]
    pub rust_log: Option<String>,
    /// How log lines look
    #[arg(long, env, value_enum, default_value_t = Format::Text)]
    pub log_format: Format,
}

impl Log {
    /// Starts logging: what was asked for, else `usual`.
    pub fn start(&self, usual: &str) {
        log::start(self.rust_log.as_deref().unwrap_or(usual), self.log_format);
    }
}

/// A text that must not be shown, such as a password or a URL that may hold one.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl std::str::FromStr for Secret {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.trim().is_empty() { Err("it is empty; leave it unset instead") } else { Ok(Self(text.to_owned())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        let secret: Secret = "whsec_abc".parse().expect("a secret");
        assert_eq!(format!("{secret:?}"), "***");
    }
}
