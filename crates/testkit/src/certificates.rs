//! Certificates for servers on loopback, made by `openssl` and signed by an authority that only a test trusts.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A key on the curve that everybody has.
const KEY: [&str; 5] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/// An authority. Dropping it removes everything that it made.
#[derive(Debug)]
pub struct Authority(TempDir);

/// A server's certificate and its key, as files in PEM.
#[derive(Debug)]
pub struct Certificate {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl Authority {
    /// Makes one.
    pub fn create() -> Self {
        let authority = Self(tempfile::tempdir().expect("a temporary directory"));
        let key = authority.file("ca.key");
        let words = ["-x509", "-days", "2", "-subj", "/CN=Authority of a test", "-addext", "keyUsage=critical,keyCertSign", "-keyout"];
        openssl("req", &[&KEY, &words[..], &[text(&key), "-out", text(&authority.certificate())]].concat());
        authority
    }

    /// Its own certificate, for who is to trust it.
    pub fn certificate(&self) -> PathBuf {
        self.file("ca.pem")
    }

    /// Signs the certificate of a server; `name` as OpenSSL writes it: `IP:127.0.0.1` or `DNS:mail.example.com`.
    pub fn sign(&self, name: &str) -> Certificate {
        let [certificate, key, request, extensions] = ["server.pem", "server.key", "server.csr", "server.ext"].map(|file| self.file(file));
        fs::write(&extensions, format!("subjectAltName={name}\n")).expect("a file");
        openssl("req", &[&KEY, &["-subj", "/CN=A server", "-keyout", text(&key), "-out", text(&request)][..]].concat());
        let (authority, its_key) = (self.certificate(), self.file("ca.key"));
        let words = ["-req", "-days", "2", "-in", text(&request), "-CA", text(&authority), "-CAkey", text(&its_key)];
        openssl("x509", &[&words[..], &["-extfile", text(&extensions), "-out", text(&certificate)]].concat());
        Certificate { certificate, key }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of plain text")
}

fn openssl(command: &str, words: &[&str]) {
    let output = Command::new("openssl").arg(command).args(words).output().expect("openssl");
    assert!(output.status.success(), "openssl {command}: {}", String::from_utf8_lossy(&output.stderr));
}
