//! How much memory a process has resident. It knows no program.

/// The most memory that a process ever had resident (`VmHWM` of proc(5)); none when it has ended. MB are millions of bytes.
pub(crate) fn peak_mb(pid: u32) -> Option<f64> {
    status_mb(pid, "VmHWM:")
}

/// A line of proc(5)'s status that tells of memory.
pub(crate) fn status_mb(pid: u32, name: &str) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024.0 / 1e6)
}
