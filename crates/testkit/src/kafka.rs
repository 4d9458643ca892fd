//! A Kafka of one's own, to be paused, killed and started again on the same data.

use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::native::Native;

/// What the broker logs when it is ready, which is after it has opened its port.
const STARTED: &str = "Kafka Server started";
/// Until it does, on a busy machine.
const READY: Duration = Duration::from_mins(2);

/// A broker that makes no topics by itself. Dropping it kills it and removes its data.
#[derive(Debug)]
pub struct Kafka {
    native: Native,
    servers: String,
    lives: usize,
}

impl Kafka {
    /// Starts a broker: some three seconds.
    pub fn start() -> Self {
        Self::run(None, &[])
    }

    /// Starts one that leaves it to the members of a group to share partitions out, as those before version 4 did.
    pub fn start_old() -> Self {
        Self::run(None, &["protocols=classic"])
    }

    /// Starts one that sends its clients to `port`, where something stands in between; it listens at [`Kafka::port`].
    pub fn start_behind(port: u16) -> Self {
        Self::run(Some(port), &[&format!("advertised={port}")])
    }

    fn run(advertised: Option<u16>, settings: &[&str]) -> Self {
        let native = Native::start("kafka.sh", settings);
        let servers = format!("127.0.0.1:{}", advertised.unwrap_or(native.address().port()));
        let kafka = Self { native, servers, lives: 1 };
        kafka.wait();
        kafka
    }

    fn wait(&self) {
        let begun = Instant::now();
        while self.native.log().matches(STARTED).count() < self.lives {
            assert!(begun.elapsed() < READY, "Kafka does not come up: {}", self.native.log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// As `KAFKA_BOOTSTRAP_SERVERS` takes it.
    pub fn servers(&self) -> &str {
        &self.servers
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.native.address().port()
    }

    /// Starts it again on the same data, after [`Kafka::kill`].
    pub fn restart(&mut self) {
        self.native.restart();
        self.lives += 1;
        self.wait();
    }

    /// Kills it; what it has acknowledged stays.
    pub fn kill(&mut self) {
        self.native.kill();
    }

    /// Freezes it: links stay open and nobody answers.
    pub fn pause(&self) {
        self.native.signal(Signal::STOP);
    }

    /// Ends a pause.
    pub fn go_on(&self) {
        self.native.signal(Signal::CONT);
    }
}
