//! The audit where it can prove nothing. What it finds where it can, the stories tell.

use testkit::Gudang;

use crate::said::{GUDANG, Said};

#[test]
fn a_service_out_of_reach_ends_it_at_once() {
    let mut gudang = Gudang::start(GUDANG);
    let mut command = gudang.command(&["audit"]);
    let begun = std::time::Instant::now();
    let said = Said::by(command.env("ANALYTICS_URL", "http://127.0.0.1:1")).expect(2);
    assert!(said.err.contains("Analytics does not answer at http://127.0.0.1:1") && said.err.contains("ANALYTICS_URL"), "{said:?}");
    assert!(begun.elapsed() < std::time::Duration::from_secs(5));
    gudang.stop();
}
