//! The rules about rooms: which crate may name which, and what a room must never reach.

use std::collections::BTreeSet;

/// One member of the workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Room {
    /// The crate's name.
    pub name: String,
    /// Its folder below the root, with `/`.
    pub folder: String,
    /// The crates that its manifest names, tests' ones aside.
    pub named: BTreeSet<String>,
    /// The crates that its manifest names for its tests.
    pub named_by_tests: BTreeSet<String>,
    /// Every crate that it is built from, however far away.
    pub reached: BTreeSet<String>,
    /// Its manifest.
    pub manifest: String,
}

impl Room {
    fn is_function(&self) -> bool {
        self.folder.starts_with("functions/")
    }

    fn names(&self, other: &str) -> bool {
        self.named.contains(other) || self.named_by_tests.contains(other)
    }
}

/// A driver and where it is at home.
#[derive(Debug, Clone, Copy)]
pub struct Driver {
    /// The crate that speaks to something outside the process.
    pub name: &'static str,
    /// The only rooms that may name it.
    pub rooms: &'static [&'static str],
    /// Whether the tests of any room may name it.
    pub tests_too: bool,
    /// Why there.
    pub why: &'static str,
}

/// Something that a room must not be built from, and why.
#[derive(Debug, Clone, Copy)]
pub struct Absence {
    /// The room.
    pub room: &'static str,
    /// What it must never reach.
    pub never: &'static [&'static str],
    /// Why.
    pub why: &'static str,
}

/// Each driver stands in the manifests of its own rooms alone.
pub fn strayed_drivers(rooms: &[Room], drivers: &[Driver]) -> Vec<String> {
    let strays = |driver: &Driver| {
        let Driver { name, rooms: homes, tests_too, why } = *driver;
        let strayed = move |room: &&Room| {
            let named = room.named.contains(name) || !tests_too && room.named_by_tests.contains(name);
            named && !homes.contains(&room.name.as_str())
        };
        rooms
            .iter()
            .filter(strayed)
            .map(move |room| format!("{} names {name}, which is at home in {homes:?}: {why}", room.name))
            .collect::<Vec<_>>()
    };
    drivers.iter().flat_map(strays).collect()
}

/// Functions meet in events. The one that composes them may name them.
pub fn functions_that_know_another(rooms: &[Room], composer: &str) -> Vec<String> {
    let functions: Vec<&Room> = rooms.iter().filter(|room| room.is_function()).collect();
    let pairs = functions.iter().flat_map(|one| functions.iter().map(move |other| (one, other)));
    pairs
        .filter(|(one, other)| one.name != composer && one.name != other.name && one.names(&other.name))
        .map(|(one, other)| format!("{} names {}: functions never name one another", one.name, other.name))
        .collect()
}

/// Libraries are below functions.
pub fn libraries_that_know_a_function(rooms: &[Room]) -> Vec<String> {
    let pairs = rooms.iter().flat_map(|one| rooms.iter().map(move |other| (one, other)));
    pairs
        .filter(|(one, other)| !one.is_function() && other.is_function() && one.names(&other.name))
        .map(|(one, other)| format!("{} names {}: a library never names a function", one.name, other.name))
        .collect()
}

/// What a room must not be built from, it is not built from. A room that is not there breaks the rule: it would prove nothing.
pub fn broken_absences(rooms: &[Room], absences: &[Absence]) -> Vec<String> {
    let broken = |absence: &Absence| {
        let Some(room) = rooms.iter().find(|room| room.name == absence.room) else {
            return vec![format!("there is no room {}", absence.room)];
        };
        let reached = absence.never.iter().filter(|name| room.reached.contains(**name));
        reached.map(|name| format!("{} is built from {name}: {}", room.name, absence.why)).collect()
    };
    absences.iter().flat_map(broken).collect()
}

/// A folder is called as its crate, in one of the two rows.
pub fn misnamed_folders(rooms: &[Room]) -> Vec<String> {
    let right = |room: &&Room| room.folder != format!("crates/{}", room.name) && room.folder != format!("functions/{}", room.name);
    rooms.iter().filter(right).map(|room| format!("the crate {} stands in {}", room.name, room.folder)).collect()
}

/// Every member takes the lints of the workspace.
pub fn rooms_without_lints(rooms: &[Room]) -> Vec<String> {
    let inherits = |room: &&Room| section(&room.manifest, "[lints]").any(|line| line.replace(' ', "") == "workspace=true");
    rooms.iter().filter(|room| !inherits(room)).map(|room| format!("{} does not inherit the lints of the workspace", room.name)).collect()
}

/// Versions are said once, in the root manifest.
pub fn rooms_with_versions_of_their_own(rooms: &[Room]) -> Vec<String> {
    let own = |line: &&str| line.contains('=') && !line.replace(' ', "").contains("workspace=true");
    let lines = |room: &Room| {
        let sections = ["[dependencies]", "[dev-dependencies]", "[build-dependencies]"];
        let found: Vec<String> = sections
            .into_iter()
            .flat_map(|name| section(&room.manifest, name).filter(own))
            .map(|line| format!("{}: `{line}` says a version of its own", room.name))
            .collect();
        found
    };
    rooms.iter().flat_map(lines).collect()
}

/// The lines of one section of a manifest, comments and empty ones left out.
fn section<'a>(manifest: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let begin = manifest.lines().position(|line| line.trim() == name).map_or(usize::MAX, |at| at + 1);
    manifest
        .lines()
        .skip(begin)
        .map(str::trim)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// A map of the rooms names all of them, by folder.
pub fn rooms_missing_from(map: &str, rooms: &[Room]) -> Vec<String> {
    let known = |room: &&Room| crate::code::names(map, &room.folder);
    rooms.iter().filter(|room| !known(room)).map(|room| format!("{} is not on the map", room.folder)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn room(folder: &str, named: &[&str]) -> Room {
        let name = folder.rsplit('/').next().unwrap_or_default().to_owned();
        Room { name, folder: folder.to_owned(), named: set(named), reached: set(named), ..Room::default() }
    }

    #[test]
    fn a_driver_in_a_second_room_is_seen() {
        let driver = Driver { name: "fred", rooms: &["cache"], tests_too: false, why: "made up" };
        let mut rooms = vec![room("crates/cache", &["fred"]), room("functions/stock", &["cache"])];
        assert_eq!(strayed_drivers(&rooms, &[driver]), Vec::<String>::new());
        rooms[1].named_by_tests = set(&["fred"]);
        assert_eq!(strayed_drivers(&rooms, &[driver]).len(), 1);
        assert_eq!(strayed_drivers(&rooms, &[Driver { tests_too: true, ..driver }]).len(), 0);
        rooms[1].named.insert("fred".to_owned());
        assert_eq!(strayed_drivers(&rooms, &[Driver { tests_too: true, ..driver }]).len(), 1);
    }

    #[test]
    fn a_function_that_names_another_is_seen_also_in_its_tests() {
        let mut rooms =
            vec![room("functions/all", &["stock", "product"]), room("functions/stock", &["journal"]), room("functions/product", &[])];
        assert_eq!(functions_that_know_another(&rooms, "all"), Vec::<String>::new());
        rooms[2].named_by_tests = set(&["stock"]);
        assert_eq!(functions_that_know_another(&rooms, "all").len(), 1);
        rooms[1].named.insert("all".to_owned());
        assert_eq!(functions_that_know_another(&rooms, "all").len(), 2);
    }

    #[test]
    fn a_library_that_names_a_function_is_seen() {
        let mut rooms = vec![room("crates/host", &["bus"]), room("functions/stock", &["host"])];
        assert_eq!(libraries_that_know_a_function(&rooms), Vec::<String>::new());
        rooms[0].named.insert("stock".to_owned());
        assert_eq!(libraries_that_know_a_function(&rooms).len(), 1);
    }

    #[test]
    fn what_a_room_reaches_by_detours_is_seen() {
        let absence = Absence { room: "contract", never: &["tokio", "mio"], why: "made up" };
        let mut rooms = vec![room("crates/contract", &["serde"])];
        assert_eq!(broken_absences(&rooms, &[absence]), Vec::<String>::new());
        rooms[0].reached.insert("mio".to_owned());
        assert_eq!(broken_absences(&rooms, &[absence]).len(), 1);
        assert_eq!(broken_absences(&[], &[absence]).len(), 1);
    }

    #[test]
    fn a_folder_called_otherwise_is_seen() {
        let mut rooms = vec![room("crates/bus", &[]), room("functions/stock", &[])];
        assert_eq!(misnamed_folders(&rooms), Vec::<String>::new());
        rooms[1].name = "stock-change".to_owned();
        rooms[0].folder = "lib/bus".to_owned();
        assert_eq!(misnamed_folders(&rooms).len(), 2);
    }

    #[test]
    fn a_member_without_the_lints_is_seen() {
        let with = |manifest: &str| vec![Room { manifest: manifest.to_owned(), ..room("crates/bus", &[]) }];
        assert_eq!(rooms_without_lints(&with("[package]\nname = \"bus\"\n\n[lints]\nworkspace = true\n")), Vec::<String>::new());
        for bad in
            ["", "[lints]\n", "[lints]\n\n[dependencies]\nworkspace = true", "[lints]\n# workspace = true", "[lints]\nworkspace = false"]
        {
            assert_eq!(rooms_without_lints(&with(bad)).len(), 1, "{bad:?}");
        }
    }

    #[test]
    fn a_version_outside_the_root_is_seen() {
        let with = |manifest: &str| vec![Room { manifest: manifest.to_owned(), ..room("crates/bus", &[]) }];
        let good = "[dependencies]\n# why\na.workspace = true\nb = { workspace = true, features = [\"x\"] }\n\n[features]\nc = []\n";
        assert_eq!(rooms_with_versions_of_their_own(&with(good)), Vec::<String>::new());
        for bad in ["[dependencies]\na = \"1\"", "[dev-dependencies]\na = { path = \"../a\" }"] {
            assert_eq!(rooms_with_versions_of_their_own(&with(bad)).len(), 1, "{bad:?}");
        }
    }

    #[test]
    fn a_room_that_is_not_on_the_map_is_seen() {
        let rooms = vec![room("crates/bus", &[]), room("functions/stock", &[])];
        assert_eq!(rooms_missing_from("`crates/bus` and `functions/stock`", &rooms), Vec::<String>::new());
        assert_eq!(rooms_missing_from("`crates/bus` and `functions/stocks`", &rooms).len(), 1);
    }
}
