//! The relay against a bare producer: a journal of which nothing was told yet goes into Kafka, and the same bytes again without it.

use crate::comparison::{Aim, Claim, Comparison, Figures, of};
use crate::kafka::{self, STOCK_CHANGES, UNUSED};
use crate::place::{EVENTS, Place};

const RELAYED: &str = "Stock's relay from its journal: events a second";
const BARE: &str = "a bare producer, the same bytes: messages a second";

/// The relay.
pub(crate) const RELAY: Comparison<Place> = Comparison {
    name: "relay",
    measure,
    claims: &[Claim { says: "relay / bare producer", figure: |figures| of(figures, RELAYED) / of(figures, BARE), aim: Aim::AtLeast(0.5) }],
};

fn measure(place: &Place) -> anyhow::Result<Figures> {
    let past = place.past()?;
    let kafka = kafka::start()?;
    place.settle()?;
    let mut stock = place.stock(past, &kafka)?;
    let relayed = kafka::filled(&kafka, STOCK_CHANGES, EVENTS)?;
    stock.stop();
    let messages = kafka::everything(&kafka, STOCK_CHANGES, EVENTS)?;
    place.settle()?;
    let bare = kafka::produced(&kafka, UNUSED, &messages)?;
    Ok(Figures::from([(RELAYED, relayed), (BARE, bare)]))
}
