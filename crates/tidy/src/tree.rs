//! Reads the files of a source tree: those that people write, not those that tools make.

use std::fs;
use std::io;
use std::path::Path;

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its path below the root, with `/`.
    pub path: String,
    /// What is in it.
    pub text: String,
}

/// Folders that tools make, or that hold what was measured.
const MADE: [&str; 5] = ["target", ".git", ".gudang", "__pycache__", "results"];
/// Files that people write and rules are about. What has no such ending is named whole.
const WRITTEN: [&str; 12] = [".rs", ".toml", ".sql", ".sh", ".py", ".md", ".yml", ".yaml", ".tpl", ".json", "Makefile", ".ci/run"];
/// Endings of code.
const CODE: [&str; 3] = [".rs", ".py", ".sh"];

impl File {
    /// Whether it is Rust.
    pub fn is_rust(&self) -> bool {
        Path::new(&self.path).extension().is_some_and(|ending| ending == "rs")
    }

    /// Whether it is code in any language.
    pub fn is_code(&self) -> bool {
        CODE.iter().any(|ending| self.path.ends_with(ending))
    }

    /// Whether it is part of a test binary, or of what tests are made with.
    pub fn is_test(&self) -> bool {
        self.path.split('/').any(|part| matches!(part, "tests" | "testkit" | "tidy" | "benches"))
    }
}

/// Every written file below `root`, sorted by path.
pub fn read(root: &Path) -> io::Result<Vec<File>> {
    let mut files = Vec::new();
    gather(root, "", &mut files)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn gather(folder: &Path, below: &str, files: &mut Vec<File>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
        let kind = entry.file_type()?;
        if kind.is_dir() && !MADE.contains(&name.as_str()) {
            gather(&entry.path(), &path, files)?;
        } else if kind.is_file() && WRITTEN.iter().any(|ending| path.ends_with(ending)) {
            files.push(File { text: fs::read_to_string(entry.path())?, path });
        }
    }
    Ok(())
}
