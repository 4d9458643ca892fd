//! E-mail through a real SMTP server.

use std::time::Duration;

use notification::{ChannelsConfig, EmailConfig};
use serde_json::json;
use testkit::{Smtp, eventually};

use crate::desk::{Desk, NOBODY, PATIENCE};
use crate::stream::Stream;

/// A desk that mails to these, with one notification.
async fn alerted(smtp: &Smtp, to: &str, timeout: Duration) -> Desk {
    let email = EmailConfig::new(&smtp.url(), "Gudang <gudang@example.com>", to).expect("usable");
    let retry_schedule = [0, 200, 200, 200, 60_000].map(Duration::from_millis).to_vec();
    let channels = ChannelsConfig { email: Some(email), retry_schedule, timeout, ..ChannelsConfig::default() };
    let desk = Desk::with(channels, NOBODY).await;
    desk.feed(&Stream::new("22423").levels(10, &[3])).await;
    desk
}

const TIMEOUT: Duration = Duration::from_secs(10);

fn header<'a>(mail: &'a str, name: &str) -> &'a str {
    mail.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name} in {mail}")).trim()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_is_mailed_once_and_says_what_to_do() {
    let smtp = Smtp::start();
    let desk = alerted(&smtp, "shop@example.com", TIMEOUT).await;
    let _ticking = desk.tick();
    let delivery = desk.delivery("email", "delivered").await;
    assert_eq!((&delivery["attempts"], &delivery["last_error"]), (&json!(1), &json!(null)));
    let mails = smtp.mails();
    assert_eq!(mails.len(), 1, "{mails:?}");
    let subject = header(&mails[0], "Subject:");
    assert!(subject.starts_with("Reorder 22423 ") && mails[0].contains("3 left at default, minimum 10"), "{}", mails[0]);
    assert_eq!((header(&mails[0], "X-MailFrom:"), header(&mails[0], "X-RcptTo:")), ("gudang@example.com", "shop@example.com"));
    assert_eq!(header(&mails[0], "Auto-Submitted:"), "auto-generated");
    let channels = desk.get("/v1/channels").await;
    assert!(channels["items"].as_array().expect("items").contains(&json!({"name": "email", "target": "shop@example.com"})), "{channels}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accents_arrive_as_they_were_written() {
    let smtp = Smtp::start();
    let email = EmailConfig::new(&smtp.url(), "gudang@example.com", "\"Größe, André\" <andre@example.com>").expect("usable");
    let desk = Desk::with(ChannelsConfig { email: Some(email), ..ChannelsConfig::default() }, NOBODY).await;
    desk.feed(&Stream::new("käse-ß 商品").levels(10, &[0])).await;
    let _ticking = desk.tick();
    desk.delivery("email", "delivered").await;
    let mail = smtp.mails().remove(0);
    assert!(mail.is_ascii(), "every server takes it: {mail}");
    let python = "import email, email.policy, sys; mail = email.message_from_string(sys.stdin.read(), policy=email.policy.default); \
                  print(mail['Subject']); print(mail['To'].addresses[0].display_name); print(mail.get_content())";
    let read = read_by(python, &mail);
    assert!(read.starts_with("Reorder now käse-ß 商品 "), "{read}");
    assert_eq!(read.lines().nth(1), Some("Größe, André"));
    assert!(read.contains("\nSKU:          käse-ß 商品\n"), "{read}");
}

/// What another implementation of mail reads.
fn read_by(python: &str, mail: &str) -> String {
    use std::io::Write;
    let mut command = std::process::Command::new("/usr/bin/python3");
    let command = command.args(["-X", "utf8", "-c", python]).stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut child = command.spawn().expect("python3");
    child.stdin.take().expect("its input").write_all(mail.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("text")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_gets_the_mail_when_it_is_back() {
    let mut smtp = Smtp::start();
    smtp.stop();
    let desk = alerted(&smtp, "shop@example.com", TIMEOUT).await;
    let _ticking = desk.tick();
    let pending = eventually("a first attempt has failed", PATIENCE, async || {
        let delivery = desk.delivery("email", "pending").await;
        (delivery["attempts"] != 0).then_some(delivery)
    })
    .await;
    assert!(pending["last_error"].as_str().expect("a reason").starts_with("shop@example.com: "), "{pending}");
    smtp.restart();
    desk.meddle("UPDATE delivery SET next_attempt_at = now() WHERE channel = 'email' AND status = 'pending'").await;
    desk.delivery("email", "delivered").await;
    assert_eq!(smtp.mails().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_refused_keeps_the_alert_from_nobody_else() {
    let smtp = Smtp::start();
    let desk = alerted(&smtp, "refused@example.com, shop@example.com", TIMEOUT).await;
    let _ticking = desk.tick();
    let dead = desk.delivery("email", "dead").await;
    assert_eq!(dead["attempts"], 1, "a 5xx is for good");
    let error = dead["last_error"].as_str().expect("a reason");
    assert!(error.starts_with("refused@example.com: ") && error.contains("550") && error.contains("nobody of that name"), "{error}");
    assert_eq!(smtp.mails().len(), 1);
    assert_eq!(header(&smtp.mails()[0], "X-RcptTo:"), "shop@example.com");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_server_says_of_who_we_are_is_mended_and_then_the_mail_goes() {
    for code in [530, 534, 535, 538] {
        let smtp = Smtp::start();
        let desk = alerted(&smtp, &format!("code{code}@example.com"), TIMEOUT).await;
        let _ticking = desk.tick();
        let delivery = eventually("it was tried again", PATIENCE, async || {
            let delivery = desk.delivery("email", "pending").await;
            (delivery["attempts"].as_i64() >= Some(2)).then_some(delivery)
        })
        .await;
        assert!(delivery["last_error"].as_str().expect("a reason").contains(&code.to_string()), "{delivery}");
        smtp.mend();
        desk.meddle("UPDATE delivery SET next_attempt_at = now() WHERE channel = 'email' AND status = 'pending'").await;
        desk.delivery("email", "delivered").await;
        assert_eq!(smtp.mails().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_told_to_come_back_does_and_nobody_gets_it_twice() {
    let smtp = Smtp::start();
    let desk = alerted(&smtp, "shop@example.com, busy@example.com", TIMEOUT).await;
    let _ticking = desk.tick();
    let delivery = eventually("it was tried again", PATIENCE, async || {
        let delivery = desk.delivery("email", "pending").await;
        (delivery["attempts"].as_i64() >= Some(3)).then_some(delivery)
    })
    .await;
    assert!(delivery["last_error"].as_str().expect("a reason").contains("450"), "{delivery}");
    assert_eq!(smtp.mails().len(), 1, "who has it is left alone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_costs_an_attempt_and_no_more() {
    let smtp = Smtp::start();
    smtp.hang();
    let desk = alerted(&smtp, "shop@example.com", Duration::from_millis(700)).await;
    let _ticking = desk.tick();
    eventually("an attempt has ended", PATIENCE, async || {
        let delivery = desk.delivery("email", "pending").await;
        (delivery["attempts"] != 0).then_some(())
    })
    .await;
    assert_eq!(desk.delivery("log", "delivered").await["attempts"], 1, "the log is not held up");
    smtp.go_on();
    desk.meddle("UPDATE delivery SET next_attempt_at = now() WHERE channel = 'email' AND status = 'pending'").await;
    desk.delivery("email", "delivered").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redelivery_is_the_same_message_to_everybody() {
    let smtp = Smtp::start();
    let desk = alerted(&smtp, "shop@example.com, buyer@example.com", TIMEOUT).await;
    let _ticking = desk.tick();
    desk.delivery("email", "delivered").await;
    let id = desk.notifications().await[0]["id"].as_str().expect("an id").to_owned();
    desk.post(&format!("/v1/notifications/{id}/redeliver")).await;
    let mails = eventually("it is mailed again", PATIENCE, async || Some(smtp.mails()).filter(|mails| mails.len() == 4)).await;
    let first = header(&mails[0], "Message-ID:");
    assert!(first.ends_with("@example.com>") && mails.iter().all(|mail| header(mail, "Message-ID:") == first), "{mails:?}");
}
