//! The private server: whatever happened before, it starts and has everything, or says what to do.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use postgres::private::{PrivateError, PrivateServer};
use tempfile::TempDir;

use crate::fixture::database_at;

/// Set for the child process that holds a server until it is killed: its data directory.
const HOLD: &str = "GUDANG_TEST_HOLD";

/// Runs statements in a database of the server.
fn run(url: &str, sql: &str) {
    on_the_side(async { database_at(url, 1).get().await.unwrap().batch_execute(sql).await.unwrap() });
}

fn count(url: &str, table: &str) -> i64 {
    let question = format!("SELECT count(*) FROM {table}");
    on_the_side(async { database_at(url, 1).get().await.unwrap().query_one(&question, &[]).await.unwrap().get(0) })
}

fn on_the_side<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn is_root() -> bool {
    fs::read_to_string("/proc/self/status").unwrap().contains("\nUid:\t0\t0")
}

#[test]
fn a_restart_keeps_everything() {
    let directory = directory();
    let begin = Instant::now();
    let server = PrivateServer::start(directory.path(), &["product", "stock-change"]).unwrap();
    eprintln!("first start: {:?}", begin.elapsed());
    run(&server.url("stock-change"), "CREATE TABLE kept AS SELECT 1 AS n");
    let begin = Instant::now();
    server.stop().unwrap();
    eprintln!("stop: {:?}", begin.elapsed());
    let begin = Instant::now();
    let server = PrivateServer::start(directory.path(), &["product", "stock-change", "added later"]).unwrap();
    eprintln!("warm start: {:?}", begin.elapsed());
    assert_eq!(count(&server.url("stock-change"), "kept"), 1);
    run(&server.url("added later"), "CREATE TABLE fresh ()");
    run(
        &server.url("product"),
        "DO $$ BEGIN ASSERT current_setting('fsync') = 'on' AND current_setting('server_encoding') = 'UTF8'; END $$",
    );
    assert!(server.is_running());
    server.stop().unwrap();
    assert!(!directory.path().join("postgres/postmaster.pid").exists());
}

#[test]
fn the_log_is_packed_as_well_as_this_server_can() {
    let directory = directory();
    let server = PrivateServer::start(directory.path(), &["shop"]).unwrap();
    let packed = "SELECT setting = 'lz4' OR setting IN ('on', 'pglz') AND NOT 'lz4' = ANY (enumvals || '{}') FROM pg_settings WHERE name = 'wal_compression'";
    run(&server.url("shop"), &format!("DO $$ BEGIN ASSERT ({packed}); END $$"));
}

#[test]
fn a_second_start_is_refused_and_names_the_first() {
    let directory = directory();
    let server = PrivateServer::start(directory.path(), &[]).unwrap();
    let error = PrivateServer::start(directory.path(), &[]).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, PrivateError::AlreadyRunning { .. }), "{text}");
    assert!(text.contains(&format!("already running, pid {}, data directory", std::process::id())), "{text}");
    assert!(text.contains(directory.path().to_str().unwrap()), "{text}");
    run(&server.url("postgres"), "SELECT 1");
}

#[test]
fn paths_with_spaces_and_paths_too_long_for_a_socket_just_work() {
    let directory = directory();
    for name in ["with spaces and 'quotes' ü".to_owned(), "a,b".to_owned(), "long ".repeat(40)] {
        let path = directory.path().join(name.trim());
        let server = PrivateServer::start(&path, &["stock"]).unwrap();
        run(&server.url("stock"), "CREATE TABLE kept AS SELECT 1 AS n");
        server.stop().unwrap();
        let server = PrivateServer::start(&path, &["stock"]).unwrap();
        assert_eq!(count(&server.url("stock"), "kept"), 1);
        server.stop().unwrap();
    }
}

#[test]
fn a_data_directory_below_one_that_only_its_owner_may_enter_just_works() {
    let directory = directory();
    let closed = directory.path().join("closed");
    DirBuilder::new().mode(0o700).create(&closed).unwrap();
    let server = PrivateServer::start(&closed.join("x y/.gudang"), &["stock"]).unwrap();
    run(&server.url("stock"), "CREATE TABLE kept ()");
    assert_eq!(fs::metadata(closed.join("x y/.gudang/postgres")).unwrap().permissions(), Permissions::from_mode(0o40700));
    server.stop().unwrap();
}

#[test]
fn a_cluster_of_another_version_is_named_with_what_to_install() {
    let directory = directory();
    fs::create_dir(directory.path().join("postgres")).unwrap();
    fs::write(directory.path().join("postgres/PG_VERSION"), "9\n").unwrap();
    let text = PrivateServer::start(directory.path(), &[]).unwrap_err().to_string();
    assert!(text.contains("was made by PostgreSQL 9, and only 1") && text.contains("`apt-get install postgresql-9`"), "{text}");
    fs::remove_file(directory.path().join("postgres/PG_VERSION")).unwrap();
    let text = PrivateServer::start(directory.path(), &[]).unwrap_err().to_string();
    assert!(text.contains("is not a PostgreSQL data directory"), "{text}");
}

#[test]
fn what_an_interrupted_first_start_left_is_swept_away() {
    let directory = directory();
    let unfinished = directory.path().join("postgres.unfinished-1");
    fs::create_dir(&unfinished).unwrap();
    fs::write(unfinished.join("PG_VERSION"), "15\n").unwrap();
    PrivateServer::start(directory.path(), &[]).unwrap().stop().unwrap();
    assert!(!unfinished.exists());
}

#[test]
fn a_stale_pid_file_does_not_hinder_even_when_its_number_is_anothers_by_now() {
    let directory = directory();
    PrivateServer::start(directory.path(), &[]).unwrap().stop().unwrap();
    // A process of the server's own user, whom PostgreSQL itself would take for a running server.
    let mut stranger = lent(Path::new("sleep"), directory.path()).arg("60").spawn().unwrap();
    std::thread::sleep(Duration::from_millis(100));
    for pid in [stranger.id(), 999_999] {
        let cluster = directory.path().join("postgres");
        fs::write(cluster.join("postmaster.pid"), format!("{pid}\n{}\n1\n5432\n\n\n  1 1\nready   \n", cluster.display())).unwrap();
        PrivateServer::start(directory.path(), &[]).unwrap().stop().unwrap();
    }
    assert!(stranger.try_wait().unwrap().is_none(), "a stranger was ended");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

/// Not a test of its own: the body of the child process in the tests below.
#[test]
fn hold_a_server_until_killed() {
    let Ok(directory) = std::env::var(HOLD) else { return };
    let server = PrivateServer::start(Path::new(&directory), &["stock"]).unwrap();
    println!("\nholding {}", server.url("stock"));
    std::thread::sleep(Duration::from_mins(1));
}

fn holder(directory: &Path) -> (Child, String) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "server::hold_a_server_until_killed", "--nocapture"])
        .env(HOLD, directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let url = lines.map_while(Result::ok).find_map(|line| line.strip_prefix("holding ").map(str::to_owned));
    (child, url.expect("the child holds a server"))
}

#[test]
fn after_a_kill_of_its_owner_the_next_start_has_everything() {
    let directory = directory();
    for round in 0..3 {
        let (mut owner, url) = holder(directory.path());
        assert!(matches!(PrivateServer::start(directory.path(), &[]), Err(PrivateError::AlreadyRunning { .. })));
        run(&url, &format!("CREATE TABLE kept_{round} AS SELECT 1 AS n"));
        owner.kill().unwrap();
        owner.wait().unwrap();
        let begin = Instant::now();
        // Once the server is left to die with its owner by itself; else the next start finds it dying.
        while round == 0 && directory.path().join("postgres/postmaster.pid").exists() {
            assert!(begin.elapsed() < Duration::from_secs(10), "the server outlives its owner");
            std::thread::sleep(Duration::from_millis(1));
        }
        let server = PrivateServer::start(directory.path(), &["stock"]).unwrap();
        eprintln!("start after kill -9 of the owner: {:?}", begin.elapsed());
        assert_eq!(count(&server.url("stock"), &format!("kept_{round}")), 1);
        server.stop().unwrap();
    }
}

#[test]
fn after_a_kill_of_the_server_itself_too() {
    let directory = directory();
    let server = PrivateServer::start(directory.path(), &["stock"]).unwrap();
    run(&server.url("stock"), "CREATE TABLE kept AS SELECT 1 AS n");
    let pid = fs::read_to_string(directory.path().join("postgres/postmaster.pid")).unwrap();
    assert!(Command::new("kill").args(["-9", pid.lines().next().unwrap()]).status().unwrap().success());
    while server.is_running() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let error = server.stop().unwrap_err();
    assert!(matches!(error, PrivateError::Exited { .. }), "{error}");
    let begin = Instant::now();
    let server = PrivateServer::start(directory.path(), &["stock"]).unwrap();
    eprintln!("start after kill -9 of the server: {:?}", begin.elapsed());
    assert_eq!(count(&server.url("stock"), "kept"), 1);
    server.stop().unwrap();
}

/// A command run as the server would be: as root by the user `postgres`, able to enter what is root's.
fn lent(program: &Path, directory: &Path) -> Command {
    let mut command = Command::new(if is_root() { Path::new("setpriv") } else { program });
    if is_root() {
        command.args([
            "--reuid=postgres",
            "--regid=postgres",
            "--clear-groups",
            "--inh-caps=+dac_override",
            "--ambient-caps=+dac_override",
            "--",
        ]);
        command.arg(program);
    }
    command.current_dir(directory).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn installed_server() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").unwrap();
    versions.map(|version| version.unwrap().path().join("bin/postgres")).find(|program| program.is_file()).unwrap()
}

#[test]
fn an_orphan_that_nobody_told_to_stop_is_stopped_first() {
    let directory = directory();
    PrivateServer::start(directory.path(), &["stock"]).unwrap().stop().unwrap();
    let cluster = directory.path().canonicalize().unwrap().join("postgres");
    let socket = directory.path().join("elsewhere");
    fs::create_dir(&socket).unwrap();
    let mut orphan = lent(&installed_server(), directory.path());
    orphan.arg("-D").arg(&cluster).args(["-c", "listen_addresses=", "-c"]).arg(format!("unix_socket_directories={}", socket.display()));
    let mut orphan = orphan.spawn().unwrap();
    while !fs::read_to_string(cluster.join("postmaster.pid")).is_ok_and(|text| text.contains("ready")) {
        assert!(orphan.try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_millis(10));
    }
    let server = PrivateServer::start(directory.path(), &["stock"]).unwrap();
    assert!(orphan.wait().unwrap().success(), "it was asked to shut down in order");
    run(&server.url("stock"), "SELECT 1");
    server.stop().unwrap();
}

/// A small file system, unmounted when dropped.
struct Small(TempDir);

impl Small {
    fn mount(megabytes: u32) -> Option<Self> {
        let directory = directory();
        let size = format!("size={megabytes}m");
        let mounted = is_root() && {
            let mut mount = Command::new("mount");
            mount.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(directory.path()).status().is_ok_and(|status| status.success())
        };
        if !mounted {
            eprintln!("SKIPPED: a full disk needs root and a mount of its own");
        }
        mounted.then_some(Self(directory))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_is_called_by_its_name() {
    let Some(small) = Small::mount(1) else { return };
    let error = PrivateServer::start(small.0.path(), &[]).unwrap_err();
    assert!(matches!(error, PrivateError::DiskFull { .. }), "{error}");
    assert!(error.to_string().contains("disk full") && error.to_string().contains(small.0.path().to_str().unwrap()), "{error}");
    assert!(!small.0.path().join("postgres").exists());
}

#[test]
fn a_disk_that_filled_up_later_is_called_by_its_name_and_room_cures_it() {
    let Some(small) = Small::mount(100) else { return };
    PrivateServer::start(small.0.path(), &[]).unwrap().stop().unwrap();
    let filler = small.0.path().join("filler");
    let _ = fs::write(&filler, vec![1; 100 * 1024 * 1024]);
    let error = PrivateServer::start(small.0.path(), &["stock"]).unwrap_err();
    assert!(matches!(error, PrivateError::DiskFull { .. }), "{error}");
    fs::remove_file(filler).unwrap();
    PrivateServer::start(small.0.path(), &["stock"]).unwrap().stop().unwrap();
}
