//! An SMTP server of one's own, whose mails can be read. Recipients called `refused@`, `busy@` and `hangs@` are what they are called.

use rustix::process::Signal;

use crate::native::Native;

/// A running SMTP server without TLS. Dropping it kills it.
#[derive(Debug)]
pub struct Smtp(Native);

impl Smtp {
    /// Starts one.
    pub fn start() -> Self {
        Self(Native::start("smtp.sh", &[]))
    }

    /// Its URL, as `SMTP_URL` takes it.
    pub fn url(&self) -> String {
        format!("smtp://{}", self.0.address())
    }

    /// The mails that it took, whole, oldest first.
    pub fn mails(&self) -> Vec<String> {
        let Ok(files) = std::fs::read_dir(self.0.home().join("mail/new")) else { return Vec::new() };
        let mut files: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
        // Names begin with the time.
        files.sort_unstable();
        files.iter().map(|file| std::fs::read_to_string(file).expect("a mail")).collect()
    }

    /// Stops it hard; its mails stay.
    pub fn stop(&mut self) {
        self.0.kill();
    }

    /// Starts it again at the same address.
    pub fn restart(&mut self) {
        self.0.restart();
    }

    /// Has it stand still: connections are accepted by the system, and nothing is said.
    pub fn hang(&self) {
        self.0.signal(Signal::STOP);
    }

    /// Has it go on.
    pub fn go_on(&self) {
        self.0.signal(Signal::CONT);
    }
}
