//! temporary
use crate::desk::Desk;
use crate::stream::Stream;
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let f: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (f[11].parse::<f64>().unwrap() + f[12].parse::<f64>().unwrap()) / 100.0
}
#[tokio::test(flavor = "multi_thread")]
async fn perf() {
    for tick in [false, true] {
    let desk = Desk::open().await;
    let mut streams: Vec<Stream> = (0..3800).map(|n| Stream::new(&format!("sku {n}"))).collect();
    let mut level = vec![100i64; 3800];
    let mut seed = 42u64;
    let mut batches = Vec::new();
    for _ in 0..160 {
        let mut b = Vec::new();
        for _ in 0..2000 {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let n = (seed >> 33) as usize % 3800;
            let q = (seed >> 20) as i64 % 12;
            level[n] = if level[n] < -10 { 100 } else { level[n] - q.abs() };
            b.push(streams[n].next(level[n], 10));
        }
        batches.push(b);
    }
    let t = tick.then(|| desk.tick());
    let (c0, t0) = (cpu(), std::time::Instant::now());
    for b in &batches { desk.feed(b).await; }
    let (c1, t1) = (cpu(), t0.elapsed());
    println!("tick {tick}: 320k events: {t1:?}, {} us cpu/event", (c1 - c0) / 320_000.0 * 1e6);
    let db = desk.database.database();
    let c = db.get().await.unwrap();
    let t0 = std::time::Instant::now();
    if tick { loop {
        let n: i64 = c.query_one("SELECT count(*) FROM delivery WHERE status='pending'", &[]).await.unwrap().get(0);
        if n == 0 { break } tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    } println!("drained after {:?} cpu {}", t0.elapsed(), cpu() - c1); }
    for q in ["SELECT count(*) FROM notification", "SELECT count(*) FROM journal", "SELECT count(*) FROM delivery WHERE status='pending'"] {
        println!("{q}: {}", c.query_one(q, &[]).await.unwrap().get::<_, i64>(0));
    }
    let t0 = std::time::Instant::now();
    println!("drifts {:?} {:?}", desk.drifts().await, t0.elapsed());
    drop(t);
    }
}
