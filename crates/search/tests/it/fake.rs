//! A server that takes bulk requests and judges each item as a test likes. It knows as much of HTTP as one client needs.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The status of an item: by its id, its place in the request, and how many there are.
type Judge = fn(&str, usize, usize) -> u16;

/// A server in this process.
pub(crate) struct Fake {
    address: SocketAddr,
    taken: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    pub(crate) async fn start(judge: Judge) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = Self { address: listener.local_addr().unwrap(), taken: Arc::default() };
        let taken = Arc::clone(&fake.taken);
        tokio::spawn(async move {
            while let Ok((link, _)) = listener.accept().await {
                tokio::spawn(serve(link, judge, Arc::clone(&taken)));
            }
        });
        fake
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ids of the items that were taken, in the order of taking.
    pub(crate) fn taken(&self) -> Vec<String> {
        self.taken.lock().unwrap().clone()
    }
}

async fn serve(mut link: TcpStream, judge: Judge, taken: Arc<Mutex<Vec<String>>>) {
    while let Some(body) = request(&mut link).await {
        let actions: Vec<Value> = body.lines().step_by(2).map(|line| serde_json::from_str(line).unwrap()).collect();
        let mut items = Vec::new();
        for (place, action) in actions.iter().enumerate() {
            let id = action["index"]["_id"].as_str().unwrap();
            let status = judge(id, place, actions.len());
            if status == 201 {
                taken.lock().unwrap().push(id.to_owned());
            }
            items.push(json!({"index": {"status": status, "error": {"reason": "says the fake"}}}));
        }
        let answer = json!({"items": items}).to_string();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", answer.len());
        link.write_all((head + &answer).as_bytes()).await.unwrap();
    }
}

/// The body of the next request; `None` at the end.
async fn request(link: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse::<usize>().ok());
            if body.len() >= length.unwrap_or(0) {
                return Some(body.to_owned());
            }
        }
        let mut more = [0; 8192];
        match link.read(&mut more).await {
            Ok(count) if count > 0 => bytes.extend_from_slice(&more[..count]),
            _ => return None,
        }
    }
}
