//! How much of the machine each role may take: queries are the first to go, the collector the last.

use crate::Role;

/// Memory that queries of the web process may use together, bytes: `TALLYMARK_QUERY_MEMORY_MB`, by default a
/// third of the machine.
pub fn query_memory() -> u64 {
    let asked = std::env::var("TALLYMARK_QUERY_MEMORY_MB").ok().and_then(|v| v.parse::<u64>().ok());
    asked.map_or_else(|| machine_memory() / 3, |mb| mb << 20)
}

/// Makes the kernel prefer this role over the others when memory runs out, and caps the web process below the
/// machine's memory, so that an allocation that slips past the query budget fails there and nowhere else.
pub fn apply(role: Role) {
    let (score, share) = match role {
        Role::Collect => (0, None),
        Role::Process => (300, None),
        Role::Web => (800, Some(4)),
        Role::Audit => (500, Some(4)),
        Role::Watch => (100, Some(4)),
        Role::Vacuum => (600, Some(4)),
    };
    // Best effort: containers may forbid it, and the limits above it still hold.
    if let Err(error) = std::fs::write("/proc/self/oom_score_adj", score.to_string()) {
        tracing::debug!(%error, "oom score not set");
    }
    if let Some(share) = share {
        let cap = machine_memory().saturating_mul(share);
        if let Err(error) = rlimit::setrlimit(rlimit::Resource::AS, cap, cap) {
            tracing::debug!(%error, "address space not capped");
        }
    }
    if let Err(error) = rlimit::increase_nofile_limit(65_536) {
        tracing::debug!(%error, "file descriptors not raised");
    }
}

/// Threads for queries.
pub fn query_threads() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

fn machine_memory() -> u64 {
    const FALLBACK: u64 = 4 << 30;
    let Ok(text) = std::fs::read_to_string("/proc/meminfo") else { return FALLBACK };
    let total = text.lines().find_map(|l| l.strip_prefix("MemTotal:"));
    total
        .and_then(|t| t.trim().trim_end_matches("kB").trim().parse::<u64>().ok())
        .map_or(FALLBACK, |kb| kb << 10)
}
