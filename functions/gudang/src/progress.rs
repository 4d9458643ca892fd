//! Progress, to standard error: a bar where somebody watches, a line every few seconds where a log does.

use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::table::thousands;

/// Between two plain lines.
const LINE: Duration = Duration::from_secs(5);

/// How far something has come.
#[derive(Debug)]
pub(crate) struct Progress {
    label: &'static str,
    total: u64,
    bar: ProgressBar,
    plain: Option<Mutex<Plain>>,
}

#[derive(Debug)]
struct Plain {
    done: u64,
    said: Instant,
}

impl Progress {
    /// Begins to count to `total`.
    pub(crate) fn new(label: &'static str, total: u64) -> Self {
        Self::shown(label, total, "{msg:24} {wide_bar} {human_pos} / {human_len}  {elapsed}")
    }

    /// Begins to count the bytes of a file.
    pub(crate) fn of_bytes(label: &'static str, total: u64) -> Self {
        Self::shown(label, total, "{msg:24} {wide_bar} {bytes} / {total_bytes}  {elapsed}")
    }

    fn shown(label: &'static str, total: u64, template: &str) -> Self {
        let watched = std::io::stderr().is_terminal();
        let bar = if watched { ProgressBar::new(total) } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(label);
        let plain = (!watched).then(|| Mutex::new(Plain { done: 0, said: Instant::now() }));
        Self { label, total, bar, plain }
    }

    /// Counts `more` of them.
    pub(crate) fn advance(&self, more: u64) {
        self.bar.inc(more);
        self.say(|done| done + more);
    }

    /// Counts up to `done`; never back.
    pub(crate) fn reach(&self, done: u64) {
        self.bar.set_position(self.bar.position().max(done));
        self.say(|before| before.max(done));
    }

    /// Says something in between.
    pub(crate) fn note(&self, text: &str) {
        if self.plain.is_some() { eprintln!("{text}") } else { self.bar.println(text) }
    }

    /// Is done: the bar goes away, what comes after it says what came of it.
    pub(crate) fn done(&self) {
        self.bar.finish_and_clear();
        if self.plain.is_some() {
            eprintln!("{}: {} of {}", self.label, thousands(self.total), thousands(self.total));
        }
    }

    fn say(&self, count: impl FnOnce(u64) -> u64) {
        let Some(plain) = &self.plain else { return };
        let mut plain = plain.lock().unwrap_or_else(PoisonError::into_inner);
        plain.done = count(plain.done);
        if plain.said.elapsed() >= LINE {
            plain.said = Instant::now();
            eprintln!("{}: {} of {}", self.label, thousands(plain.done), thousands(self.total));
        }
    }
}
