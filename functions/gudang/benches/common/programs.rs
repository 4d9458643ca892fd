//! The release programs that benches start. It knows no service's inside.

use std::path::{Path, PathBuf};

use anyhow::ensure;

/// The release program of a service, which `make` has built beside this one's.
pub(crate) fn program(name: &str) -> anyhow::Result<PathBuf> {
    let program = Path::new(env!("CARGO_BIN_EXE_gudang")).with_file_name(name);
    ensure!(program.is_file(), "the program {name} is not built: run this bench by `make`");
    Ok(program)
}
