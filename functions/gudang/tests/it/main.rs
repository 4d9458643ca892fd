//! Stories of the `gudang` command, told to the built program and to real servers.
