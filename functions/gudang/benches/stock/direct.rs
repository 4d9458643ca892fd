//! Changes over HTTP against sales by SQL: on one product, on many, one at a time, and in batches.

use crate::comparison::{Aim, Claim, Comparison, Figures, of};
use crate::over_http::{HOT as HOT_PRODUCT, Load, UNIFORM as MANY_PRODUCTS};
use crate::pgbench::Script;
use crate::place::Place;

/// Connections of the service's clients, and the most that pgbench has.
const CONNECTIONS: u32 = 64;
const CLIENTS: [(u32, &str); 4] =
    [(32, "pgbench, 32 clients"), (8, "pgbench, 8 clients"), (4, "pgbench, 4 clients"), (1, "pgbench, 1 client")];
const HTTP: &str = "HTTP, 64 connections";
const IN_BATCHES: &str = "pgbench, 1 client, 64 sales a transaction";
const HTTP_ONE: &str = "HTTP, 1 connection: p50 ms";
const PGBENCH_ONE: &str = "pgbench, 1 client: p50 ms";
const HTTP_BATCHES: &str = "HTTP, 8 connections, batches of 100";

fn best_of_pgbench(figures: &Figures) -> f64 {
    CLIENTS.iter().map(|(_, name)| of(figures, name)).fold(0.0, f64::max)
}

/// One product.
pub(crate) const HOT: Comparison<Place> = Comparison {
    name: "hot",
    measure: |place| {
        let mut figures = against_pgbench(place, HOT_PRODUCT, Script::Hot)?;
        figures.insert(IN_BATCHES, place.pgbench(Script::InBatches, 1)?.sales_per_second);
        Ok(figures)
    },
    claims: &[
        Claim {
            says: "hot: HTTP / pgbench with 32 clients",
            figure: |figures| of(figures, HTTP) / of(figures, CLIENTS[0].1),
            aim: Aim::AtLeast(12.0),
        },
        Claim {
            says: "hot: HTTP / pgbench at its best",
            figure: |figures| of(figures, HTTP) / best_of_pgbench(figures),
            aim: Aim::AtLeast(4.0),
        },
        Claim {
            says: "hot: HTTP / pgbench with 64 sales a transaction",
            figure: |figures| of(figures, HTTP) / of(figures, IN_BATCHES),
            aim: Aim::AtLeast(0.5),
        },
    ],
};

/// Ten thousand products.
pub(crate) const UNIFORM: Comparison<Place> = Comparison {
    name: "uniform",
    measure: |place| against_pgbench(place, MANY_PRODUCTS, Script::Uniform),
    claims: &[
        Claim {
            says: "uniform: HTTP / pgbench with 32 clients",
            figure: |figures| of(figures, HTTP) / of(figures, CLIENTS[0].1),
            aim: Aim::AtLeast(2.0),
        },
        Claim {
            says: "uniform: HTTP / pgbench at its best",
            figure: |figures| of(figures, HTTP) / best_of_pgbench(figures),
            aim: Aim::AtLeast(1.5),
        },
    ],
};

fn against_pgbench(place: &Place, product: &'static str, script: Script) -> anyhow::Result<Figures> {
    let mut figures = Figures::new();
    figures.insert(HTTP, place.load(Load::closed(product, CONNECTIONS, 1))?.changes_per_second);
    for (clients, name) in CLIENTS {
        figures.insert(name, place.pgbench(script, clients)?.sales_per_second);
    }
    Ok(figures)
}

/// What one client waits.
pub(crate) const ONE: Comparison<Place> = Comparison {
    name: "one",
    measure: |place| {
        let over_http = place.load(Load::closed(MANY_PRODUCTS, 1, 1))?.p50_ms;
        let by_sql = place.pgbench(Script::Uniform, 1)?.p50_ms;
        Ok(Figures::from([(HTTP_ONE, over_http), (PGBENCH_ONE, by_sql)]))
    },
    claims: &[Claim {
        says: "one connection: p50 of HTTP / p50 of pgbench",
        figure: |figures| of(figures, HTTP_ONE) / of(figures, PGBENCH_ONE),
        aim: Aim::AtMost(1.2),
    }],
};

/// Batches.
pub(crate) const BATCHES: Comparison<Place> = Comparison {
    name: "batches",
    measure: |place| {
        let over_http = place.load(Load::closed(MANY_PRODUCTS, 8, 100))?.changes_per_second;
        let by_sql = place.pgbench(Script::Uniform, CLIENTS[0].0)?.sales_per_second;
        Ok(Figures::from([(HTTP_BATCHES, over_http), (CLIENTS[0].1, by_sql)]))
    },
    claims: &[
        Claim {
            says: "batches of 100: changes a second (either this)",
            figure: |figures| of(figures, HTTP_BATCHES),
            aim: Aim::AtLeast(30_000.0),
        },
        Claim {
            says: "batches of 100: HTTP / pgbench with 32 clients, uniform (or this)",
            figure: |figures| of(figures, HTTP_BATCHES) / of(figures, CLIENTS[0].1),
            aim: Aim::AtLeast(6.0),
        },
    ],
};
