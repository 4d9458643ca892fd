//! Searches of all kinds, one after the other over one connection, answered by each engine in turn.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::Value;

use crate::comparison::{Aim, Claim, Comparison, Figures, of};
use crate::place::Place;
use crate::quantile::quantile_ms;
use crate::questions::{Kind, Question};
use crate::wire::{self, Wire};

/// Names of figures: the engine's p50 and p99 over everything, the share of words with a typing error that find something, and p99 of each kind
/// in the order of [`Kind::ALL`].
struct Names {
    p50: &'static str,
    p99: &'static str,
    understood: &'static str,
    kinds: [&'static str; Kind::ALL.len()],
}

const POSTGRESQL: Names = Names {
    p50: "PostgreSQL, all kinds: p50 ms",
    p99: "PostgreSQL, all kinds: p99 ms",
    understood: "PostgreSQL, words with a typing error that find something, share",
    kinds: [
        "PostgreSQL, a SKU: p99 ms",
        "PostgreSQL, a SKU's beginning: p99 ms",
        "PostgreSQL, a SKU's inner part: p99 ms",
        "PostgreSQL, two words of a name: p99 ms",
        "PostgreSQL, beginnings of two words: p99 ms",
        "PostgreSQL, a word with a typing error: p99 ms",
        "PostgreSQL, one letter: p99 ms",
        "PostgreSQL, a word in a category: p99 ms",
        "PostgreSQL, a category's products that are out: p99 ms",
        "PostgreSQL, suggestions: p99 ms",
    ],
};
const ELASTICSEARCH: Names = Names {
    p50: "Elasticsearch, all kinds: p50 ms",
    p99: "Elasticsearch, all kinds: p99 ms",
    understood: "Elasticsearch, words with a typing error that find something, share",
    kinds: [
        "Elasticsearch, a SKU: p99 ms",
        "Elasticsearch, a SKU's beginning: p99 ms",
        "Elasticsearch, a SKU's inner part: p99 ms",
        "Elasticsearch, two words of a name: p99 ms",
        "Elasticsearch, beginnings of two words: p99 ms",
        "Elasticsearch, a word with a typing error: p99 ms",
        "Elasticsearch, one letter: p99 ms",
        "Elasticsearch, a word in a category: p99 ms",
        "Elasticsearch, a category's products that are out: p99 ms",
        "Elasticsearch, suggestions: p99 ms",
    ],
};

/// Searches.
pub(crate) const SEARCH: Comparison<Place> = Comparison {
    name: "search",
    measure: |place| {
        let mut figures = Figures::new();
        for (names, address) in [(&POSTGRESQL, place.by_database()?), (&ELASTICSEARCH, place.by_index()?)] {
            place.calm()?;
            figures.extend(place.block_on(engine(names, address, place.questions()))?);
        }
        Ok(figures)
    },
    claims: &[
        Claim { says: "search by PostgreSQL, p99 ms", figure: |figures| of(figures, POSTGRESQL.p99), aim: Aim::AtMost(50.0) },
        Claim { says: "search by Elasticsearch, p99 ms", figure: |figures| of(figures, ELASTICSEARCH.p99), aim: Aim::AtMost(50.0) },
        Claim {
            says: "typing errors understood by either engine, share",
            figure: |figures| f64::min(of(figures, POSTGRESQL.understood), of(figures, ELASTICSEARCH.understood)),
            aim: Aim::AtLeast(0.95),
        },
    ],
};

async fn engine(names: &Names, address: SocketAddr, questions: &[Question]) -> anyhow::Result<Figures> {
    let mut wire = Wire::open(address).await?;
    // Once to warm up.
    ask(&mut wire, address, questions).await?;
    let asked = ask(&mut wire, address, questions).await?;
    let of_kind = |kind: Kind| asked.iter().filter(move |asked| asked.kind == kind);
    let all = || asked.iter().map(|asked| asked.took);
    let understood = of_kind(Kind::TypingError).filter(|asked| asked.found).count() as f64 / of_kind(Kind::TypingError).count() as f64;
    let mut figures =
        Figures::from([(names.p50, quantile_ms(all(), 0.5)), (names.p99, quantile_ms(all(), 0.99)), (names.understood, understood)]);
    for (kind, name) in Kind::ALL.into_iter().zip(names.kinds) {
        figures.insert(name, quantile_ms(of_kind(kind).map(|asked| asked.took), 0.99));
    }
    Ok(figures)
}

/// A question that was answered.
struct Asked {
    kind: Kind,
    took: Duration,
    /// Whether anything was.
    found: bool,
}

async fn ask(wire: &mut Wire, address: SocketAddr, questions: &[Question]) -> anyhow::Result<Vec<Asked>> {
    let mut asked = Vec::with_capacity(questions.len());
    for Question { kind, path, sku } in questions {
        let request = wire::request(address, &format!("GET {path}"), "", "");
        let begun = Instant::now();
        let (status, body) = wire.ask(&request).await?;
        let took = begun.elapsed();
        ensure!(status == 200, "{path} was answered with {status}: {}", String::from_utf8_lossy(body));
        let answer: Value = serde_json::from_slice(body)?;
        ensure!(answer["degraded"] != true, "{path} was not answered by the index");
        let found = answer["items"].as_array().is_some_and(|items| !items.is_empty());
        ensure!(found || *kind == Kind::TypingError, "{path} finds nothing");
        ensure!(*kind != Kind::Sku || answer["items"][0]["product"]["sku"] == sku.as_str(), "{path} is not answered with {sku} first");
        asked.push(Asked { kind: *kind, took, found });
    }
    Ok(asked)
}
