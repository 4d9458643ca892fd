//! The tables of this room, as migrations that each service runs before its own.

use postgres::Migration;

/// Who leads: for every service. The leader of a database relays its journal and ticks.
pub const LEASE: Migration = Migration { version: 2, name: "lease", sql: include_str!("../migrations/lease.sql") };

/// Where readers of a journal stand: for services that publish.
pub const RELAY: Migration = Migration { version: 3, name: "relay", sql: include_str!("../migrations/relay.sql") };

/// The fence: for services that consume.
pub const FENCE: Migration = Migration { version: 4, name: "fence", sql: include_str!("../migrations/fence.sql") };

/// Sending dead letters on: for services that consume, under a version of their own, since it came later than those above.
pub const fn letters(version: u32) -> Migration {
    Migration { version, name: "letters", sql: include_str!("../migrations/letters.sql") }
}

/// A journal table: for services that publish and have no ledger of their own that could be it.
pub const JOURNAL: Migration = Migration { version: 5, name: "journal", sql: include_str!("../migrations/journal.sql") };

/// The first version that a service's own migrations may take.
pub const FIRST_OWN_VERSION: u32 = 10;
