//! What a history asks of Stock: plain values that read aloud. They know no HTTP, no names of this run, and no judgement.

use std::fmt;

/// SKUs, by number. The last one is never introduced: no product is called so.
pub(super) const SKUS: [&str; 4] = ["A", "B", "C", "Nobody"];
/// Locations, by number.
pub(super) const LOCATIONS: [&str; 3] = ["default", "north", "south"];

/// A product at a location, both by number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    pub(super) product: usize,
    pub(super) location: usize,
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", SKUS[self.product], LOCATIONS[self.location])
    }
}

/// The kinds of movement that a client may record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    Sale,
    Restock,
    Return,
    WriteOff,
    Count,
}

impl Kind {
    /// The contract's word.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Sale => "SALE",
            Self::Restock => "RESTOCK",
            Self::Return => "RETURN",
            Self::WriteOff => "WRITE_OFF",
            Self::Count => "COUNT",
        }
    }
}

/// One change.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Move {
    pub(super) place: Place,
    pub(super) kind: Kind,
    pub(super) units: i64,
    /// When it occurred, in seconds from the history's start; now when nothing is said.
    pub(super) occurred: Option<i64>,
    pub(super) reference: Option<usize>,
    /// Hundredths of the currency.
    pub(super) price: Option<u16>,
    /// Whether the product is named by its id.
    pub(super) by_id: bool,
}

impl Move {
    /// A change of which nothing is said but what it must say.
    pub(super) fn of(place: Place, kind: Kind, units: i64) -> Self {
        Self { place, kind, units, occurred: None, reference: None, price: None, by_id: false }
    }
}

impl fmt::Debug for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {:?}", self.kind.word(), self.units, self.place)?;
        self.occurred.map_or(Ok(()), |seconds| write!(f, " at {seconds} s"))?;
        self.reference.map_or(Ok(()), |reference| write!(f, " reference {reference}"))?;
        self.price.map_or(Ok(()), |price| write!(f, " for 0.{price:02}"))?;
        if self.by_id { write!(f, " by id") } else { Ok(()) }
    }
}

/// Units of a place.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Part {
    pub(super) place: Place,
    pub(super) units: i64,
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.units, self.place)
    }
}

/// A moment that a read asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Moment {
    /// Seconds from the history's start.
    Second(i64),
    /// When the movement of this number occurred (round and round), and so many microseconds later.
    Movement(usize, i64),
}

/// What is asked. A reservation is named by the number that its making gave it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum What {
    /// Product has the product; Stock finds it out by asking. Its threshold is 10.
    Introduce {
        product: usize,
    },
    /// Stock hears of the product's newest copy.
    Hear {
        product: usize,
        min_stock: i64,
        archived: bool,
    },
    Change(Move),
    Batch {
        atomic: bool,
        lines: Vec<Move>,
    },
    /// As CSV, else as NDJSON.
    Import {
        csv: bool,
        lines: Vec<Move>,
    },
    Transfer {
        product: usize,
        from: usize,
        to: usize,
        units: i64,
    },
    /// Where things happen in turn, nothing else happens before a `ttl` of one second has passed.
    Reserve {
        number: usize,
        lines: Vec<Part>,
        ttl: i64,
    },
    Confirm {
        number: usize,
        part: Option<Vec<Part>>,
    },
    Release {
        number: usize,
    },
    /// As for [`What::Reserve`], a second is waited for.
    Extend {
        number: usize,
        ttl: i64,
    },
    /// The database moves the reservation's end into the past.
    Age {
        number: usize,
        seconds: u32,
    },
    /// What the leader does now and then.
    Tick,
    Reservation {
        number: usize,
    },
    Level {
        product: usize,
    },
    AsOf {
        product: usize,
        at: Moment,
    },
    Levels {
        status: Option<&'static str>,
        location: Option<usize>,
        limit: usize,
    },
    Movements(Filter),
    /// Nothing that a client asks: the time of a reservation has come for whoever reads. What was decided before may be on its way still.
    Seen {
        number: usize,
    },
    /// The same for whoever decides.
    Lapse {
        number: usize,
    },
}

/// What a list of movements is narrowed to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Filter {
    pub(super) product: Option<usize>,
    pub(super) location: Option<usize>,
    pub(super) kind: Option<&'static str>,
    pub(super) reference: Option<usize>,
    pub(super) from: Option<i64>,
    pub(super) to: Option<i64>,
    pub(super) limit: usize,
}

/// What is asked, and under which idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Op {
    pub(super) what: What,
    pub(super) key: Option<usize>,
}

impl From<What> for Op {
    fn from(what: What) -> Self {
        Self { what, key: None }
    }
}

/// The operations one below the other.
pub(super) fn listed(ops: &[Op]) -> String {
    let line = |(number, op): (usize, &Op)| {
        let key = op.key.map_or(String::new(), |key| format!(" under key {key}"));
        format!("{:4}. {:?}{key}", number + 1, op.what)
    };
    ops.iter().enumerate().map(line).collect::<Vec<_>>().join("\n")
}
