//! The whole demo, on the file that the project carries: every figure equals an independent recount, undisturbed and killed in its middle, in one
//! process and in four over real servers.
//!
//! The recount is Python and shares no code with the product. Nothing here knows what is in the file.

use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::Service;

use crate::dice::{self, Dice};
use crate::said::Said;
use crate::world::World;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/online-retail/online-retail-2010-12-to-2011-08.csv.gz");
const RECOUNT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/recount/recount.py");
/// For one demo by a debug build on a busy machine.
const PATIENCE: Duration = Duration::from_mins(5);
/// What the summary promises, in the order of the alphabet.
const FIELDS: [&str; 6] = ["alerts", "best_sellers", "changes", "changes_per_second", "rows", "seconds"];

fn demo(world: &World) -> Command {
    world.command(&["demo", "--json", "--data", FILE])
}

/// What the recount makes of the file; asked once, as it takes its time.
fn recounted() -> &'static Value {
    static RECOUNTED: OnceLock<Value> = OnceLock::new();
    RECOUNTED.get_or_init(|| Said::by(Command::new("python3").args([RECOUNT, "figures", FILE])).expect(0).json())
}

/// Compares every figure that the services show with the recount, and has the audit prove the books.
fn prove(world: &World) {
    let begun = Instant::now();
    let mut compare = Command::new("python3");
    compare.args([RECOUNT, "compare", FILE, "--settle-seconds", "10"]);
    for service in Service::ALL {
        compare.arg(format!("--{}", service.name())).arg(world.url(service));
    }
    let said = Said::by(&mut compare).expect(0);
    println!("compared in {:.1?}: {}", begun.elapsed(), said.out.trim());
    let begun = Instant::now();
    let said = world.run(&["audit"]).expect(0);
    println!("audited in {:.2?}: {}", begun.elapsed(), said.out.trim());
}

/// How far the books of a service have come: all versions together.
async fn version(world: &World, service: Service, account: &str) -> u64 {
    let books = world.http(service).get(&format!("/v1/books?account={account}")).await.expect(200).json();
    books["accounts"][account]["version"].as_u64().expect("a version")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_demo_equals_an_independent_recount_and_a_second_run_changes_nothing() {
    let world = World::together_alone();
    let first = Said::by(&mut demo(&world)).expect(0).json();
    println!("the demo took {} s", first["seconds"]);
    assert_eq!(first.as_object().expect("an object").keys().collect::<Vec<_>>(), FIELDS, "{first}");
    let recounted = recounted();
    for (said, counted) in [("rows", "rows"), ("changes", "changes"), ("alerts", "notifications")] {
        assert_eq!(first[said], recounted[counted], "{said}");
    }
    assert!(first["seconds"].as_f64().expect("a number") > 0.0 && first["changes_per_second"].as_f64().expect("a number") > 0.0);
    let report = world.http(Service::Analytics).get("/v1/reports/best-sellers").await.expect(200).json();
    assert_eq!(first["best_sellers"], report);
    prove(&world);

    let books = books(&world).await;
    let second = Said::by(&mut demo(&world)).expect(0).json();
    println!("the second run took {} s", second["seconds"]);
    for same in ["rows", "changes", "best_sellers", "alerts"] {
        assert_eq!(second[same], first[same], "{same}");
    }
    assert_eq!(self::books(&world).await, books);
}

/// The books of all services.
async fn books(world: &World) -> Vec<Value> {
    let mut books = Vec::new();
    for service in Service::ALL {
        books.push(world.http(service).get("/v1/books").await.expect(200).json());
    }
    books
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_demo_equals_the_recount_when_gudang_is_killed_in_its_middle() {
    killed_in_its_middle(World::together_alone()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_demo_over_kafka_equals_the_recount_when_two_programs_are_killed_in_each_half() {
    killed_in_its_middle(World::apart_alone().await).await;
}

async fn killed_in_its_middle(mut world: World) {
    let seed = dice::seed();
    let mut dice = Dice::new(seed, 0);
    let changes = recounted()["changes"].as_u64().expect("a number");
    let mut running = Run::of(&world);
    // Once in each half, so that a kill meets a shop that is nearly empty and one that is nearly full.
    for half in 0..2 {
        let moment = changes / 2 * half + 1 + dice.below(changes / 2 - 10_000);
        let begun = Instant::now();
        while version(&world, Service::Stock, "versions").await < moment {
            assert!(begun.elapsed() < PATIENCE, "{moment} changes were not recorded within {PATIENCE:?}");
            running.again_if_it_gave_up(&world);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let struck = tokio::task::block_in_place(|| world.crash(&mut dice));
        println!("seed {seed}: {struck} killed when {moment} of {changes} changes were recorded");
    }
    let said = running.end(&world);
    let summary = said.expect(0).json();
    println!("the demo took {} s with two kills", summary["seconds"]);
    assert_eq!(summary["changes"], json!(changes));
    prove(&world);
}

/// A demo that rides over kills, or, where it gave up waiting, is run again.
struct Run {
    child: Child,
    runs: u32,
}

impl Run {
    fn of(world: &World) -> Self {
        Self { child: Self::start(world), runs: 1 }
    }

    fn start(world: &World) -> Child {
        demo(world).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the demo runs")
    }

    /// Runs it again when it ended too early; no more often than there are kills.
    fn again_if_it_gave_up(&mut self, world: &World) {
        if self.child.try_wait().expect("its state").is_none() {
            return;
        }
        let said = Said::of(std::mem::replace(&mut self.child, Self::start(world)).wait_with_output().expect("what it said"));
        println!("the demo ended early, with {:?}, and is run again; it had said: {}", said.code, said.err);
        self.runs += 1;
        assert!(said.code != Some(0) && self.runs <= 3, "{said:?}");
    }

    /// What it says at its end.
    fn end(mut self, world: &World) -> Said {
        let begun = Instant::now();
        loop {
            match self.child.try_wait().expect("its state") {
                Some(status) if status.success() || self.runs > 2 => return Said::of(self.child.wait_with_output().expect("what it said")),
                Some(_) => self.again_if_it_gave_up(world),
                None => std::thread::sleep(Duration::from_millis(50)),
            }
            if begun.elapsed() > PATIENCE {
                self.child.kill().expect("a SIGKILL");
                panic!("the demo still runs after {PATIENCE:?}");
            }
        }
    }
}
