//! The house rules, applied to this workspace. Each test is one promise of ARCHITECTURE.md; what breaks it is named.
//!
//! That each check can fail is shown beside the checks, on small made-up rooms and files.

#![expect(clippy::expect_used, reason = "a test stops at the first surprise")]

mod tables;

use std::path::{Path, PathBuf};

use tables::{ABSENCES, COMPOSER, DRIVERS, ENVIRONMENT, LONG};
use tidy::files::{self, Exception, Rule};
use tidy::rooms::{self, Room};
use tidy::tree::{self, File};
use tidy::workspace;

fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().expect("the workspace")
}

fn all_rooms() -> Vec<Room> {
    let rooms = workspace::rooms(&root()).expect("cargo knows this workspace");
    assert!(rooms.len() > 10, "only {} rooms were found", rooms.len());
    rooms
}

fn holds(broken: &[String]) {
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

fn all_files() -> Vec<File> {
    let files = tree::read(&root()).expect("the files of this workspace");
    assert!(files.iter().filter(|file| file.is_rust()).count() > 50, "only {} files were found", files.len());
    files
}

fn every_file(rule: Rule, exceptions: &[Exception]) {
    holds(&files::apply(&all_files(), rule, exceptions));
}

#[test]
fn one_driver_has_one_room() {
    holds(&rooms::strayed_drivers(&all_rooms(), &DRIVERS));
}

#[test]
fn functions_never_name_one_another() {
    holds(&rooms::functions_that_know_another(&all_rooms(), COMPOSER));
}

#[test]
fn libraries_never_name_functions() {
    holds(&rooms::libraries_that_know_a_function(&all_rooms()));
}

#[test]
fn rooms_are_not_built_from_what_they_must_not_know() {
    holds(&rooms::broken_absences(&all_rooms(), &ABSENCES));
}

#[test]
fn folders_are_called_as_their_crates() {
    holds(&rooms::misnamed_folders(&all_rooms()));
}

#[test]
fn every_room_takes_the_lints_of_the_workspace() {
    holds(&rooms::rooms_without_lints(&all_rooms()));
}

#[test]
fn versions_are_said_once_in_the_root_manifest() {
    holds(&rooms::rooms_with_versions_of_their_own(&all_rooms()));
}

#[test]
fn the_map_in_architecture_md_names_every_room_and_fits_on_two_hundred_lines() {
    let map = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    holds(&rooms::rooms_missing_from(&map, &all_rooms()));
    assert!(map.lines().count() <= 200, "ARCHITECTURE.md has {} lines", map.lines().count());
}

#[test]
fn pages_name_only_files_that_are_there() {
    holds(&files::paths_that_lead_nowhere(&all_files()));
}

#[test]
fn the_page_of_limits_says_what_the_code_says() {
    holds(&tidy::limits::wrong_limits(&all_files()));
}

#[test]
fn every_rust_file_opens_with_what_it_is() {
    every_file(files::opens_with_what_it_is, &[]);
}

#[test]
fn no_file_of_code_is_too_long() {
    every_file(files::is_not_too_long, &LONG);
}

#[test]
fn nothing_unfinished_is_left() {
    every_file(files::is_finished, &tables::UNFINISHED);
}

#[test]
fn no_file_names_the_machine_it_was_written_on() {
    every_file(files::names_no_machine, &tables::MACHINE);
}

#[test]
fn sql_stands_in_stores() {
    every_file(files::keeps_sql_in_stores, &[]);
}

#[test]
fn rules_are_pure() {
    every_file(files::keeps_rules_pure, &[]);
}

#[test]
fn the_environment_is_read_in_one_place() {
    every_file(files::reads_no_environment, &ENVIRONMENT);
}
