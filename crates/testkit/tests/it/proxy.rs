//! The proxy strikes where it says: before, between and after what a transaction does.

use std::time::Duration;

use rustix::process::Signal;
use testkit::{Blow, Marks, Point, Proxy, Server, eventually};
use tokio_postgres::{Client, Error, NoTls};

const MARKS: Marks = Marks { begin: "BEGIN ISOLATION LEVEL", write: "INSERT INTO book" };
const BOOK: &str = "CREATE TABLE book (line int); CREATE TABLE other (line int)";

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// A transaction as services send it: begun, then everything else and COMMIT in one round trip.
async fn transact(client: &Client, begin: &str, insert: &str) -> Result<(), Error> {
    let insert = client.prepare(insert).await?;
    client.batch_execute(begin).await?;
    let write = async { client.execute(&insert, &[]).await };
    let (written, committed) = tokio::join!(write, client.batch_execute("COMMIT"));
    written?;
    committed
}

async fn write(client: &Client) -> Result<(), Error> {
    transact(client, "BEGIN ISOLATION LEVEL READ COMMITTED", "INSERT INTO book VALUES (1)").await
}

/// Lines that stand in the book when nobody is at work on it any more.
async fn lines(client: &Client) -> i64 {
    let busy =
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND state <> 'idle' AND pid <> pg_backend_pid()";
    eventually("the server is idle", Duration::from_secs(5), async || {
        (client.query_one(busy, &[]).await.unwrap().get::<_, i64>(0) == 0).then_some(())
    })
    .await;
    client.query_one("SELECT count(*) FROM book", &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_link_is_cut_at_the_point_and_nowhere_else() {
    let server = Server::start(&["shop"]).await;
    let direct = connect(&server.url("shop")).await;
    direct.batch_execute(BOOK).await.unwrap();
    let proxy = Proxy::open(&server.socket(), MARKS).await;
    let url = server.url_by(proxy.port(), "shop");
    let mut there = 0;
    for point in Point::ALL {
        let (client, bystander) = (connect(&url).await, connect(&url).await);
        let struck = proxy.set(point, 2, Blow::Cut);
        write(&client).await.unwrap();
        transact(&client, "BEGIN", "INSERT INTO book VALUES (2)").await.unwrap();
        if point != Point::BeforeLock {
            transact(&client, "BEGIN ISOLATION LEVEL READ COMMITTED", "INSERT INTO other VALUES (1)").await.unwrap();
        }
        there += 2;
        assert!(write(&client).await.unwrap_err().is_closed(), "{point:?}");
        struck.await.unwrap();
        assert!(client.is_closed(), "{point:?}");
        bystander.batch_execute("SELECT 1").await.unwrap();
        let now = lines(&direct).await;
        match point {
            Point::BeforeLock | Point::AfterWrite => assert_eq!(now, there, "{point:?}"),
            Point::CommitSent | Point::DuringCommit => assert!(now == there || now == there + 1, "{point:?}"),
            Point::AfterCommit => assert_eq!(now, there + 1, "{point:?}"),
        }
        there = now;
    }
}

#[tokio::test]
async fn a_signal_strikes_at_the_point_and_the_link_stands_still_until_then() {
    let mut server = Server::start(&["shop"]).await;
    let direct = connect(&server.url("shop")).await;
    direct.batch_execute(BOOK).await.unwrap();
    let proxy = Proxy::open(&server.socket(), MARKS).await;
    for (point, lines) in [(Point::AfterWrite, 0), (Point::AfterCommit, 1)] {
        let client = connect(&server.url_by(proxy.port(), "shop")).await;
        let struck = proxy.set(point, 1, Blow::Signal(server.pid(), Signal::QUIT));
        assert!(write(&client).await.unwrap_err().is_closed(), "{point:?}");
        struck.await.unwrap();
        server.ended().await;
        server.restart().await;
        let direct = connect(&server.url("shop")).await;
        assert_eq!(direct.query_one("SELECT count(*) FROM book", &[]).await.unwrap().get::<_, i64>(0), lines, "{point:?}");
    }
}
