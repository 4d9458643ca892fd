//! The rules about files: how they begin, how long they are, and which words may stand where.

use crate::code::{names, parts, production};
use crate::tree::File;

/// A place where a rule does not hold, and why it need not.
pub type Exception = (&'static str, &'static str);

/// The longest that a file of code may be.
pub const LINES_MAX: usize = 500;

/// A rule about the words of one kind of file.
pub type Rule = fn(&File) -> Vec<String>;

/// Applies `rule` to every file that no exception names; an exception that excuses nothing is reported too.
pub fn apply(files: &[File], rule: Rule, exceptions: &[Exception]) -> Vec<String> {
    let excused = |file: &File| exceptions.iter().any(|(place, _)| covers(place, &file.path));
    let broken = files.iter().filter(|file| !excused(file)).flat_map(rule);
    let idle = exceptions
        .iter()
        .filter(|(place, _)| !files.iter().any(|file| covers(place, &file.path) && !rule(file).is_empty()))
        .map(|(place, _)| format!("{place}: this exception excuses nothing any more, remove it"));
    broken.chain(idle).collect()
}

/// Whether `place`, a file or a folder that ends in `/`, holds `path`.
fn covers(place: &str, path: &str) -> bool {
    if place.ends_with('/') { path.starts_with(place) } else { path == place }
}

/// Every file of Rust says first what it is.
pub fn opens_with_what_it_is(file: &File) -> Vec<String> {
    let first = file.text.lines().next().unwrap_or_default();
    let says = first.strip_prefix("//!").is_some_and(|rest| !rest.trim().is_empty());
    if file.is_rust() && !says { vec![format!("{}: the first line must be `//!` and what the file is", file.path)] } else { Vec::new() }
}

/// No file of code is longer than [`LINES_MAX`].
pub fn is_not_too_long(file: &File) -> Vec<String> {
    let lines = file.text.lines().count();
    if file.is_code() && lines > LINES_MAX { vec![format!("{}: {lines} lines, at most {LINES_MAX}", file.path)] } else { Vec::new() }
}

/// Words that say that something is not finished.
const LEFTOVERS: [&str; 2] = ["TODO", "FIXME"];
/// Code that says so, or that was put in to look at something.
const UNFINISHED: [&str; 5] = ["todo!", "unimplemented!", "dbg!", "#[ignore]", "#[ignore ="];

/// Nothing unfinished is left lying about.
pub fn is_finished(file: &File) -> Vec<String> {
    let code = if file.is_rust() { parts(&file.text).code } else { String::new() };
    let left = LEFTOVERS.into_iter().filter(|word| names(&file.text, word));
    let unfinished = UNFINISHED.into_iter().filter(|word| code.contains(word));
    left.chain(unfinished).map(|word| format!("{}: `{word}` is left", file.path)).collect()
}

/// Beginnings of paths that exist on one person's machine only.
const MACHINE_PATHS: [&str; 7] = ["/home/", "/root/", "/Users/", "/work/", "/tmp/", "/mnt/", "/workspace/"];

/// No file names a path of the machine that it was written on.
pub fn names_no_machine(file: &File) -> Vec<String> {
    let absolute = |at: usize| {
        let before = file.text[..at].chars().next_back();
        before.is_none_or(|before| !(before.is_alphanumeric() || ".-_/}>)*~$".contains(before)))
    };
    let found = MACHINE_PATHS.into_iter().filter(|path| file.text.match_indices(path).any(|(at, _)| absolute(at)));
    found.map(|path| format!("{}: a path of one machine: `{path}...`", file.path)).collect()
}

/// How SQL statements begin.
const SQL: [&str; 4] = ["SELECT", "INSERT INTO", "UPDATE", "DELETE FROM"];

/// SQL stands in stores and ledgers, and in the two rooms that are about databases; tests may look for themselves.
pub fn keeps_sql_in_stores(file: &File) -> Vec<String> {
    let store = |part: &str| part.starts_with("store") || part.starts_with("ledger");
    let allowed = file.path.split('/').any(store) || ["crates/journal/", "crates/postgres/"].iter().any(|room| file.path.starts_with(room));
    if !file.is_rust() || allowed || file.is_test() {
        return Vec::new();
    }
    let strings = parts(production(&file.text)).strings;
    let statement = |word: &&str| {
        let follows = |at: usize| strings[at + word.len()..].starts_with(|next: char| next.is_whitespace());
        names(&strings, word) && strings.match_indices(*word).any(|(at, _)| follows(at))
    };
    SQL.into_iter().filter(statement).map(|word| format!("{}: SQL (`{word} ...`) outside a store", file.path)).collect()
}

/// What a rule of the domain must not know: waiting, databases, transports, clocks.
const IMPURE: [&str; 13] = [
    "tokio",
    "tokio_postgres",
    "deadpool_postgres",
    "postgres",
    "axum",
    "reqwest",
    "async",
    "await",
    "Timestamp::now",
    "Zoned::now",
    "SystemTime",
    "Instant",
    "std::env",
];

/// A `rule.rs`, or a file in a `rule` folder, is pure.
pub fn keeps_rules_pure(file: &File) -> Vec<String> {
    let is_rule = file.is_rust() && (file.path.ends_with("/rule.rs") || file.path.contains("/rule/"));
    if !is_rule {
        return Vec::new();
    }
    let code = parts(production(&file.text)).code;
    let found = IMPURE.into_iter().filter(|word| names(&code, word));
    found.map(|word| format!("{}: a rule must not know `{word}`", file.path)).collect()
}

/// The environment is read at start, by the configuration of a program, nowhere else.
pub fn reads_no_environment(file: &File) -> Vec<String> {
    let program = file.path.strip_prefix("functions/").and_then(|path| path.strip_suffix("/src/config.rs"));
    let at_start = program.is_some_and(|program| !program.contains('/'));
    if !file.is_rust() || file.is_test() || at_start {
        return Vec::new();
    }
    let code = parts(production(&file.text)).code;
    let reads = ["std::env", "env::var", "env::vars", "env::var_os", "env::args"].into_iter().any(|word| names(&code, word));
    if reads { vec![format!("{}: `std::env` outside the configuration", file.path)] } else { Vec::new() }
}

/// The pages for people that name places in the tree as it is. (A change log names places as they were.)
const PAGES: [&str; 3] = ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md"];
/// Beginnings of paths as pages name them.
const PLACES: [&str; 6] = ["charts/", "crates/", "functions/", "k8s/", "scripts/", "tests/"];

/// Pages name, between backticks, only files and folders that are there. A path with a `*` or a `{` stands for many and is let go.
pub fn paths_that_lead_nowhere(files: &[File]) -> Vec<String> {
    let there =
        |path: &str| files.iter().any(|file| file.path == path || file.path.starts_with(&format!("{}/", path.trim_end_matches('/'))));
    let broken = |page: &File| {
        let quoted = page.text.split('`').skip(1).step_by(2).filter_map(|quote| quote.split_whitespace().next());
        let named = quoted.filter(|path| PLACES.iter().any(|place| path.starts_with(place)) && !path.contains(['*', '{']));
        let nowhere: Vec<String> = named.filter(|path| !there(path)).map(|path| format!("{}: there is no `{path}`", page.path)).collect();
        nowhere
    };
    files.iter().filter(|file| PAGES.contains(&file.path.as_str())).flat_map(broken).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> File {
        File { path: path.to_owned(), text: text.to_owned() }
    }

    fn holds(rule: Rule, path: &str, text: &str) -> bool {
        rule(&file(path, text)).is_empty()
    }

    #[test]
    fn a_file_without_a_head_is_seen() {
        assert!(holds(opens_with_what_it_is, "a.rs", "//! What it is.\n"));
        assert!(holds(opens_with_what_it_is, "a.sql", "select 1"));
        for bad in ["", "//!\n", "use a;\n//! Late.\n", "// A comment.\n"] {
            assert!(!holds(opens_with_what_it_is, "a.rs", bad), "{bad:?}");
        }
    }

    #[test]
    fn one_line_too_many_is_seen() {
        assert!(holds(is_not_too_long, "a.rs", &"x\n".repeat(LINES_MAX)));
        assert!(!holds(is_not_too_long, "a.rs", &"x\n".repeat(LINES_MAX + 1)));
        assert!(!holds(is_not_too_long, "a.py", &"x\n".repeat(LINES_MAX + 1)));
        assert!(holds(is_not_too_long, "a.md", &"x\n".repeat(LINES_MAX + 1)));
    }

    #[test]
    fn what_is_left_unfinished_is_seen() {
        for bad in ["// TODO: this", "fn f() { todo!() }", "let x = dbg!(y);", "#[ignore]\nfn f() {}", "#[ignore = \"slow\"]"] {
            assert!(!holds(is_finished, "a.rs", bad), "{bad:?}");
        }
        assert!(!holds(is_finished, "a.md", "FIXME"));
        for good in ["// todo! is a macro", "\"dbg!\"", "let mastodons = TODOS;"] {
            assert!(holds(is_finished, "a.rs", good), "{good:?}");
        }
    }

    #[test]
    fn a_path_of_one_machine_is_seen() {
        for bad in ["see /home/me/x", "\"/root/x\"", "cd /work/x", "`/tmp/x`", "/mnt/x"] {
            assert!(!holds(names_no_machine, "a.md", bad), "{bad:?}");
        }
        for good in ["https://example.org/home/x", "./tmp/x", "${DIR}/tmp/x", "/usr/lib/postgresql", "net/work/x"] {
            assert!(holds(names_no_machine, "a.md", good), "{good:?}");
        }
    }

    #[test]
    fn sql_outside_a_store_is_seen() {
        let sql = "const READ: &str = \"SELECT 1\";";
        assert!(!holds(keeps_sql_in_stores, "functions/stock/src/routes.rs", sql));
        assert!(!holds(keeps_sql_in_stores, "crates/web/src/lib.rs", "f(r\"\n  UPDATE\n  stock\")"));
        for allowed in [
            "functions/stock/src/ledger.rs",
            "functions/stock/src/store/read.rs",
            "crates/journal/src/read.rs",
            "crates/web/tests/it/main.rs",
        ] {
            assert!(holds(keeps_sql_in_stores, allowed, sql), "{allowed}");
        }
        for good in ["// SELECT this one", "\"UPDATED at\"", "\"SELECT\"", "#[cfg(test)]"] {
            assert!(holds(keeps_sql_in_stores, "functions/stock/src/routes.rs", good), "{good:?}");
        }
    }

    #[test]
    fn a_rule_that_waits_or_looks_at_the_clock_is_seen() {
        let path = "functions/stock/src/rule.rs";
        for bad in ["use tokio::time;", "use postgres::Row;", "Timestamp::now()", "let t = Instant::now();", "async fn f() {}"] {
            assert!(!holds(keeps_rules_pure, path, bad), "{bad:?}");
            assert!(!holds(keeps_rules_pure, "functions/stock/src/rule/hold.rs", bad), "{bad:?}");
            assert!(holds(keeps_rules_pure, "functions/stock/src/routes.rs", bad), "{bad:?}");
        }
        for good in ["//! Knows no tokio and no Instant.", "fn f(now: Time) {}", "\"postgres\""] {
            assert!(holds(keeps_rules_pure, path, good), "{good:?}");
        }
    }

    #[test]
    fn a_glance_at_the_environment_is_seen() {
        for bad in ["std::env::var(\"PORT\")", "use std::env;", "use std::{env, fs};\nfn f() { env::var_os(\"HOME\") }"] {
            assert!(!holds(reads_no_environment, "functions/stock/src/lib.rs", bad), "{bad:?}");
            assert!(!holds(reads_no_environment, "functions/stock/src/main.rs", bad), "{bad:?}");
            assert!(!holds(reads_no_environment, "functions/stock/src/lane/src/config.rs", bad), "{bad:?}");
            assert!(holds(reads_no_environment, "functions/gudang/src/config.rs", bad), "{bad:?}");
            assert!(holds(reads_no_environment, "functions/stock/src/config.rs", bad), "{bad:?}");
        }
        for good in ["env!(\"CARGO_MANIFEST_DIR\")", "// std::env", "fn environment() {}"] {
            assert!(holds(reads_no_environment, "functions/stock/src/lib.rs", good), "{good:?}");
        }
    }

    #[test]
    fn a_page_that_names_a_file_that_is_gone_is_seen() {
        let page = |text: &str| [file("README.md", text), file("crates/bus/src/lib.rs", "")];
        for good in ["see `crates/bus`", "`crates/bus/`", "`crates/bus/src/lib.rs` and `a`", "`crates/*/src/main.rs`", "crates/none"] {
            assert_eq!(paths_that_lead_nowhere(&page(good)), Vec::<String>::new(), "{good:?}");
        }
        for bad in ["see `crates/bu`", "`a` `crates/bus/src/main.rs figures FILE`"] {
            assert_eq!(paths_that_lead_nowhere(&page(bad)).len(), 1, "{bad:?}");
        }
    }

    #[test]
    fn an_exception_excuses_its_place_alone_and_not_for_ever() {
        let files = [file("a/b.rs", "use x;"), file("a/c.rs", "use x;"), file("d.rs", "//! Fine.")];
        let broken = apply(&files, opens_with_what_it_is, &[("a/b.rs", "made up"), ("d.rs", "made up")]);
        assert_eq!(broken.len(), 2, "{broken:?}");
        assert!(broken[0].starts_with("a/c.rs") && broken[1].starts_with("d.rs"), "{broken:?}");
        assert_eq!(apply(&files, opens_with_what_it_is, &[("a/", "made up")]), Vec::<String>::new());
    }
}
