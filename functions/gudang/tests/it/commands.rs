//! The command line where nothing runs: help, and messages that say what to do.

use std::net::TcpListener;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};

use crate::said::{GUDANG, Said};

fn nowhere(arguments: &[&str]) -> Said {
    let mut command = Command::new(GUDANG);
    for variable in ["PRODUCT_URL", "STOCK_URL", "NOTIFICATION_URL", "ANALYTICS_URL"] {
        command.env(variable, "http://127.0.0.1:1");
    }
    Said::by(command.args(arguments))
}

#[test]
fn a_command_that_finds_no_service_says_how_to_start_them() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("products.csv");
    std::fs::write(&file, "sku,name,category\n").unwrap();
    let file = file.to_str().unwrap();
    for arguments in [&["report", "sales"][..], &["demo"], &["dead-letters", "list"], &["import", "products", file]] {
        let said = nowhere(arguments).expect(1);
        assert!(said.err.contains("does not answer at http://127.0.0.1:1") && said.err.contains("`gudang up`"), "{said:?}");
    }
}

#[test]
fn a_first_look_that_finds_nobody_says_who_is_missing_and_how_long_it_waited() {
    let said = nowhere(&["smoke", "--patience-seconds", "1"]).expect(1);
    assert!(
        said.err.contains("not everybody answered within 1 s") && said.err.contains("does not answer at http://127.0.0.1:1"),
        "{said:?}"
    );
}

#[test]
fn help_lists_every_command() {
    let said = nowhere(&["--help"]).expect(0);
    for command in ["up", "demo", "import", "report", "audit", "dead-letters", "smoke", "load"] {
        assert!(said.out.contains(&format!("\n  {command} ")), "{command}: {}", said.out);
    }
}

#[test]
fn an_address_that_cannot_be_one_is_named() {
    let said = Said::by(Command::new(GUDANG).args(["report", "sales"]).env("ANALYTICS_URL", "localhost:8085")).expect(2);
    assert!(said.err.contains("ANALYTICS_URL"), "{said:?}");
}

#[test]
fn load_that_finds_no_service_says_how_to_start_one() {
    let said = Said::by(Command::new(GUDANG).args(["load", "--seconds", "1"]).env("STOCK_URL", "http://127.0.0.1:1")).expect(1);
    assert!(said.err.contains("does not answer at http://127.0.0.1:1") && said.err.contains("STOCK_URL"), "{said:?}");
    let said = Said::by(Command::new(GUDANG).args(["load", "--batch", "1001"])).expect(2);
    assert!(said.err.contains("1001"), "{said:?}");
}

/// By itself a signal ends every process but the first of a container, so the program has to listen; who does not is ended without a code.
#[test]
fn a_command_that_waits_for_an_answer_listens_for_the_signals_that_end_it() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", silent.local_addr().unwrap());
        let mut waiting = Command::new(GUDANG).args(["report", "sales"]).env("ANALYTICS_URL", url).spawn().unwrap();
        let _question = silent.accept().unwrap();
        kill_process(Pid::from_child(&waiting), signal).unwrap();
        assert_eq!(waiting.wait().unwrap().code(), Some(code));
    }
}
