//! Reads the rooms of a workspace from `cargo metadata`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::{fs, io, str};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};

use crate::rooms::Room;

/// The workspace could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Cargo could not say what it is made of.
    #[error("cargo metadata failed")]
    Metadata(#[from] cargo_metadata::Error),
    /// A manifest could not be read.
    #[error("a manifest could not be read")]
    Manifest(#[from] io::Error),
}

/// Every member of the workspace at `root`, by name.
pub fn rooms(root: &Path) -> Result<Vec<Room>, ReadError> {
    let mut command = MetadataCommand::new();
    command.manifest_path(root.join("Cargo.toml"));
    // Without a platform cargo would fetch what only other ones need.
    if let Some(platform) = this_platform() {
        command.other_options(["--filter-platform".to_owned(), platform]);
    }
    let metadata = command.exec()?;
    let reach = reach(&metadata);
    let mut rooms = Vec::new();
    for package in metadata.workspace_packages() {
        let named = |tests: bool| {
            let wanted = move |kind: DependencyKind| (kind == DependencyKind::Development) == tests;
            package.dependencies.iter().filter(|dependency| wanted(dependency.kind)).map(|dependency| dependency.name.clone()).collect()
        };
        let folder = package.manifest_path.parent().map(|folder| folder.strip_prefix(&metadata.workspace_root).unwrap_or(folder).as_str());
        rooms.push(Room {
            name: package.name.to_string(),
            folder: folder.unwrap_or_default().to_owned(),
            named: named(false),
            named_by_tests: named(true),
            reached: reach.from(&package.id),
            manifest: fs::read_to_string(&package.manifest_path)?,
        });
    }
    rooms.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(rooms)
}

/// The platform that is built for, as the compiler calls it.
fn this_platform() -> Option<String> {
    let output = Command::new("rustc").arg("-vV").output().ok()?;
    let host = str::from_utf8(&output.stdout).ok()?.lines().find_map(|line| line.strip_prefix("host: "))?;
    Some(host.to_owned())
}

/// Which package is built from which, tests aside.
struct Reach<'a> {
    names: BTreeMap<&'a PackageId, &'a str>,
    steps: BTreeMap<&'a PackageId, Vec<&'a PackageId>>,
}

fn reach(metadata: &Metadata) -> Reach<'_> {
    let nodes = metadata.resolve.iter().flat_map(|resolve| &resolve.nodes);
    let steps = nodes.map(|node| {
        let built_from = node.deps.iter().filter(|dependency| dependency.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal));
        (&node.id, built_from.map(|dependency| &dependency.pkg).collect())
    });
    Reach { names: metadata.packages.iter().map(|package| (&package.id, package.name.as_str())).collect(), steps: steps.collect() }
}

impl Reach<'_> {
    fn from(&self, start: &PackageId) -> BTreeSet<String> {
        let mut seen = BTreeSet::new();
        let mut open = vec![start];
        while let Some(package) = open.pop() {
            let next = self.steps.get(package).into_iter().flatten();
            open.extend(next.filter(|next| seen.insert(**next)));
        }
        seen.into_iter().filter_map(|package| self.names.get(package)).map(|name| (*name).to_owned()).collect()
    }
}
