//! Who runs the server. PostgreSQL refuses to be root, so root lends it to another user.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use super::PrivateError;

/// What PostgreSQL would take from the environment, and must not: everything is said on its command line.
const UNWANTED: [&str; 8] = ["PGDATA", "PGPORT", "PGHOST", "PGDATESTYLE", "PGCLIENTENCODING", "PGOPTIONS", "LANGUAGE", "LC_MESSAGES"];

/// The user that server processes run as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RunAs {
    /// Whoever we are.
    Ourselves,
    /// We are root: somebody else.
    Other {
        /// Numeric user id.
        user: u32,
        /// Numeric group id.
        group: u32,
    },
}

impl RunAs {
    /// Chooses the owner of an existing cluster, else `postgres`, else `nobody`, when we are root; else ourselves.
    pub(super) fn choose(cluster: &Path) -> Result<Self, PrivateError> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self::Ourselves);
        }
        match fs::metadata(cluster) {
            Ok(owned) if owned.uid() != 0 => return Ok(Self::Other { user: owned.uid(), group: owned.gid() }),
            _ => {}
        }
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        find(&users, "postgres").or_else(|| find(&users, "nobody")).ok_or(PrivateError::NoUser)
    }

    /// Makes the command that runs `program` as this user, in `directory`, and sends it `death_signal` when the thread that spawned it ends.
    ///
    /// The capability lets the other user reach a data directory below a directory that only root may enter. The own process group keeps a Ctrl-C in
    /// the terminal from reaching the server before its owner has drained.
    pub(super) fn command(self, program: &Path, death_signal: &str, directory: &Path) -> Command {
        let mut command = Command::new("setpriv");
        if let Self::Other { user, group } = self {
            command.arg(format!("--reuid={user}")).arg(format!("--regid={group}")).arg("--clear-groups");
            command.args(["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]);
        }
        command.args(["--pdeathsig", death_signal, "--"]).arg(program).current_dir(directory).process_group(0);
        for name in UNWANTED {
            command.env_remove(name);
        }
        command.env("LC_ALL", "C").env("TZ", "UTC");
        command
    }
}

/// Looks a user up in the text of the user table: `name:password:uid:gid:...`.
fn find(users: &str, name: &str) -> Option<RunAs> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then_some(())?;
        let (user, group) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
        Some(RunAs::Other { user, group })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_their_whole_name() {
        let users = "root:x:0:0:root:/root:/bin/bash\npostgresx:x:1:1::/:\npostgres:x:101:104:,,,:/var/lib/postgresql:/bin/bash\n";
        assert_eq!(find(users, "postgres"), Some(RunAs::Other { user: 101, group: 104 }));
        assert_eq!(find(users, "nobody"), None);
    }
}
