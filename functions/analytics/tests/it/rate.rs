//! Temporary.
use std::time::Instant;
use contract::{ChangeType, Event};
use crate::fixture::World;
use crate::shop::{Movement, Shop, product_event, time};

fn cpu_of_postgres(world_db_pids: &[i32]) -> f64 {
    world_db_pids.iter().map(|pid| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let rest = stat.rsplit_once(')').map(|x| x.1.to_owned()).unwrap_or_default();
        let f: Vec<f64> = rest.split_whitespace().skip(11).take(2).map(|x| x.parse().unwrap()).collect();
        f.iter().sum::<f64>() / 100.0
    }).sum()
}
fn own() -> f64 {
    cpu_of_postgres(&[std::process::id() as i32])
}

#[tokio::test]
async fn rate() {
    let world = World::new().await;
    let mut shop = Shop::default();
    let text = std::fs::read_to_string("/tmp/analytics_rows.tsv").unwrap();
    let mut events: Vec<Event> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for line in text.lines() {
        let f: Vec<&'static str> = line.split('\t').map(|x| -> &'static str { Box::leak(x.to_owned().into_boxed_str()) }).collect();
        let product: u32 = f[0].parse().unwrap();
        let at = time(&if f[4].contains('T') { f[4].to_owned() } else { format!("{}Z", f[4].replace(' ', "T")) });
        if seen.insert(product) {
            events.push(shop.moved(&Movement { product, kind: ChangeType::Restock, quantity: 1000, at, ..Movement::default() }));
        }
        let kind = ChangeType::parse(f[1]).unwrap();
        let price = if f[3].starts_with('-') { "0" } else { f[3] };
        events.push(shop.moved(&Movement { product, kind, quantity: f[2].parse().unwrap(), unit_price: Some(price), price: None, at, ..Movement::default() }));
    }
    let products: Vec<Event> = (1..=seen.len() as u32).map(|p| product_event(p, 1, "a name of usual length", "Giftware")).collect();
    println!("{} events", events.len());
    for batch in products.chunks(2000) { world.deliver(batch).await; }
    let handler = world.function.consumes.as_ref().unwrap();
    let batches: Vec<Vec<bus::Incoming>> = events.chunks(2000).map(|b| b.iter().cloned().map(bus::Incoming::Event).collect()).collect();
    drop(events);
    let postmaster = || -> Vec<i32> {
        let me = std::process::id() as i32;
        let mut all = Vec::new();
        for e in std::fs::read_dir("/proc").unwrap().flatten() {
            if let Ok(pid) = e.file_name().to_string_lossy().parse::<i32>() {
                let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
                if let Some((_, rest)) = stat.rsplit_once(')') {
                    let ppid: i32 = rest.split_whitespace().nth(1).unwrap().parse().unwrap();
                    all.push((pid, ppid));
                }
            }
        }
        let mut tree = vec![me];
        let mut i = 0;
        while i < tree.len() { let p = tree[i]; tree.extend(all.iter().filter(|x| x.1 == p).map(|x| x.0)); i += 1; }
        tree.remove(0);
        tree
    };
    let pids = postmaster();
    if std::env::var("LOGIT").is_ok() { let mut held = Vec::new(); for _ in 0..5 { held.push(world.function.database.get().await.unwrap()); } for c in &held { c.batch_execute("SET log_parameter_max_length=0; SET log_min_duration_statement=0").await.unwrap(); } }
    let (p0, o0, t0) = (cpu_of_postgres(&pids), own(), Instant::now());
    for batch in &batches { handler.handle(batch).await.unwrap(); }
    let (p1, o1) = (cpu_of_postgres(&pids), own());
    println!("wall {:?} service cpu {:.2} postgres cpu {:.2} (all processes, {} pids)", t0.elapsed(), o1 - o0, p1 - p0, pids.len());
    if std::env::var("LOGIT").is_ok() { std::process::Command::new("sh").arg("-c").arg("cat /tmp/.tmp*/postgres.log > /tmp/analytics_pg.log").status().unwrap(); }
    for q in ["/v1/reports/best-sellers", "/v1/reports/best-sellers?by=revenue&from=2010-12-10T10:00:00Z&to=2011-05-03T11:30:00Z",
        "/v1/reports/sales?interval=day", "/v1/reports/sales?interval=month", "/v1/reports/sales?interval=hour", "/v1/reports/sales?interval=hour&product=SKU-001", "/v1/reports/sales?interval=day&product=SKU-001","/v1/books"] {
        world.get(q).await;
        let t = Instant::now();
        let a = world.get(q).await;
        println!("{:?} {} {} bytes", t.elapsed(), q, a.text.len());
        if q == "/v1/books" { println!("{}", &a.text[a.text.len()-60..]); }
    }
    if let Ok(out) = std::env::var("HOLD") {
        world.sql("ANALYZE").await;
        std::fs::write(out, format!("{}", std::env::temp_dir().display())).unwrap();
        let ps = std::process::Command::new("sh").arg("-c").arg("ps -eo pid,args | grep -E 'postgres.*unix_socket_directories' | grep -v grep").output().unwrap();
        println!("{}", String::from_utf8_lossy(&ps.stdout));
        tokio::time::sleep(std::time::Duration::from_secs(std::env::var("SECS").unwrap().parse().unwrap())).await;
    }
}
