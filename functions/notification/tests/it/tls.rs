//! E-mail over TLS: the program `notification` with a real SMTP server, whose certificate it is told to trust or not.

use serde_json::{Value, json};
use testkit::{Authority, Program, Smtp, TestDatabase, Tls};

/// Has a program that trusts this authority alone mail by `url`; gives what came of it.
async fn mailed(url: &str, trusted: &Authority) -> Value {
    let database = TestDatabase::create().await;
    let certificate = trusted.certificate();
    let (database_url, trusted, url) = (database.url().to_owned(), certificate.to_str().expect("a path").to_owned(), url.to_owned());
    let start = move || {
        let variables = [
            ("DATABASE_URL", database_url.as_str()),
            ("SSL_CERT_FILE", &trusted),
            ("SMTP_URL", &url),
            ("NOTIFY_EMAIL_FROM", "gudang@example.com"),
            ("NOTIFY_EMAIL_TO", "shop@example.com"),
            ("NOTIFY_TIMEOUT_SECONDS", "20"),
        ];
        Program::start(env!("CARGO_BIN_EXE_notification"), &variables)
    };
    // A server ends with the thread that it was started from.
    let mut program = tokio::task::block_in_place(start);
    let said = program.http().post("/v1/channels/email/test", &json!({})).await.expect(200).json();
    tokio::task::block_in_place(|| program.stop());
    said
}

async fn delivered(smtp: &Smtp, url: &str, trusted: &Authority) {
    assert_eq!(mailed(url, trusted).await, json!({"delivered": true, "error": null}));
    assert_eq!(smtp.mails().len(), 1);
}

/// Asserts that nothing was mailed, for a reason that has one of these words, and that nobody has heard the password.
async fn refused(smtp: &Smtp, url: &str, trusted: &Authority, reasons: &[&str]) {
    let said = mailed(url, trusted).await;
    let error = said["error"].as_str().expect("a reason").to_lowercase();
    assert!(said["delivered"] == false && reasons.iter().any(|reason| error.contains(reason)), "{said}");
    assert!(!error.contains("secret"), "{said}");
    assert!(smtp.mails().is_empty() && smtp.logins().is_empty(), "{} {:?}", smtp.logins(), smtp.mails());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_tls_from_the_start_is_used_when_its_certificate_is_trusted_and_is_its_own() {
    let (ours, other) = (Authority::create(), Authority::create());
    let own = ours.sign("IP:127.0.0.1");
    let smtp = Smtp::start_with(Tls::Smtps(&own.certificate, &own.key));
    let url = format!("smtps://{}", smtp.address());
    refused(&smtp, &url, &other, &["certificate", "issuer"]).await;
    delivered(&smtp, &url, &ours).await;
    let others = ours.sign("DNS:mail.example.com");
    let smtp = Smtp::start_with(Tls::Smtps(&others.certificate, &others.key));
    refused(&smtp, &format!("smtps://{}", smtp.address()), &ours, &["certificate", "name"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_goes_over_starttls_to_a_server_that_is_trusted() {
    let (ours, other) = (Authority::create(), Authority::create());
    let own = ours.sign("IP:127.0.0.1");
    let smtp = Smtp::start_with(Tls::StartTls(&own.certificate, &own.key));
    let url = format!("smtp://gudang:secret@{}", smtp.address());
    refused(&smtp, &url, &other, &["certificate", "issuer"]).await;
    delivered(&smtp, &url, &ours).await;
    assert_eq!(smtp.logins(), "gudang secret\n");
    let wrong = mailed(&format!("smtp://gudang:wrong@{}", smtp.address()), &ours).await;
    assert!(wrong["delivered"] == false && wrong["error"].as_str().expect("a reason").contains("535"), "{wrong}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_tls_is_asked_for_nothing_goes_in_the_clear() {
    let ours = Authority::create();
    let plain = Smtp::start();
    // A password asks for TLS, and so does the name of the protocol.
    refused(&plain, &format!("smtp://gudang:secret@{}", plain.address()), &ours, &["starttls"]).await;
    refused(&plain, &format!("smtps://{}", plain.address()), &ours, &["tls", "message", "connection"]).await;
    delivered(&plain, &format!("smtp://{}", plain.address()), &ours).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_offers_starttls_and_is_not_trusted_gets_nothing_in_the_clear_either() {
    let (ours, other) = (Authority::create(), Authority::create());
    let own = ours.sign("IP:127.0.0.1");
    let smtp = Smtp::start_with(Tls::StartTls(&own.certificate, &own.key));
    let url = format!("smtp://{}", smtp.address());
    refused(&smtp, &url, &other, &["certificate", "issuer"]).await;
    delivered(&smtp, &url, &ours).await;
}
