//! Whether Stock has as many lanes as serve best: one, unless two are faster on one product and on many.

use crate::comparison::{Aim, Claim, Comparison, Figures, of};
use crate::over_http::{HOT, Load, UNIFORM};
use crate::place::Place;

const CONNECTIONS: u32 = 64;
const PARTS: [(&str, &str, &str); 4] = [
    ("1", HOT, "hot, 1 lane: changes a second"),
    ("2", HOT, "hot, 2 lanes: changes a second"),
    ("1", UNIFORM, "uniform, 1 lane: changes a second"),
    ("2", UNIFORM, "uniform, 2 lanes: changes a second"),
];

/// Lanes.
pub(crate) const LANES: Comparison<Place> = Comparison {
    name: "lanes",
    measure,
    claims: &[Claim {
        says: "one lane / two lanes, where one does better",
        figure: |figures| {
            let ratio = |one: usize| of(figures, PARTS[one].2) / of(figures, PARTS[one + 1].2);
            f64::max(ratio(0), ratio(2))
        },
        aim: Aim::AtLeast(1.0),
    }],
};

fn measure(place: &Place) -> anyhow::Result<Figures> {
    let mut figures = Figures::new();
    for (lanes, product, name) in PARTS {
        let mut stock = place.another_stock(Some(lanes))?;
        figures.insert(name, place.load_on(&stock, Load::closed(product, CONNECTIONS, 1))?.changes_per_second);
        stock.stop();
    }
    Ok(figures)
}
