//! An SMTP server of one's own, whose mails can be read. Recipients called `refused@`, `busy@` and `hangs@` are what they are called, those called
//! `code535@` are refused with that code until it is mended, and the one password that it takes is `secret`.

use std::path::Path;

use rustix::process::Signal;

use crate::native::Native;

/// How a server speaks TLS, with a certificate and its key.
#[derive(Debug, Clone, Copy)]
pub enum Tls<'a> {
    /// From the start of a connection.
    Smtps(&'a Path, &'a Path),
    /// After STARTTLS; it takes neither mails nor passwords before that.
    StartTls(&'a Path, &'a Path),
}

/// A running SMTP server. Dropping it kills it.
#[derive(Debug)]
pub struct Smtp(Native);

impl Smtp {
    /// Starts one that speaks no TLS.
    pub fn start() -> Self {
        Self(Native::start("smtp.sh", &[]))
    }

    /// Starts one that speaks TLS.
    pub fn start_with(tls: Tls<'_>) -> Self {
        let (options, certificate, key) = match tls {
            Tls::Smtps(certificate, key) => (["--smtpscert", "--smtpskey"], certificate, key),
            Tls::StartTls(certificate, key) => (["--tlscert", "--tlskey"], certificate, key),
        };
        let [certificate, key] = [certificate, key].map(|path| path.to_str().expect("a path of plain text"));
        Self(Native::start("smtp.sh", &[options[0], certificate, options[1], key]))
    }

    /// Where it listens.
    pub fn address(&self) -> String {
        self.0.address().to_string()
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

    /// Who logged in, or tried to, and with which password: a line each.
    pub fn logins(&self) -> String {
        std::fs::read_to_string(self.0.home().join("logins")).unwrap_or_default()
    }

    /// Has it take mails for those whom it refused with a code.
    pub fn mend(&self) {
        std::fs::write(self.0.home().join("mended"), "").expect("a file");
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
