//! What can run out: disks, inodes, file descriptors, memory, offsets; and switches that exist for tests only.

use crate::Layout;
use std::path::Path;
use tallymark_model::Position;
use tallymark_monitor::facts::{DiskFacts, ResourceFacts, ResourceKind, SettingFact, ShardFacts};

/// The file systems of log, objects and state; one entry each, also if they are the same.
pub fn disks(layout: &Layout, log_bytes_per_s: Option<f64>) -> Vec<DiskFacts> {
    let of = |name: &str, path: &Path, rate| {
        let s = rustix::fs::statvfs(path).ok()?;
        Some(DiskFacts {
            name: name.to_owned(),
            bytes_total: s.f_blocks * s.f_frsize,
            bytes_free: s.f_bavail * s.f_frsize,
            inodes_total: s.f_files,
            inodes_free: s.f_favail,
            log_bytes_per_s: rate,
        })
    };
    let data = of("data", &layout.log(), log_bytes_per_s);
    let objects = of("objects", &layout.objects(), None);
    let same =
        |a: &DiskFacts, b: &DiskFacts| a.bytes_total == b.bytes_total && a.inodes_total == b.inodes_total;
    match (data, objects) {
        (Some(a), Some(b)) if same(&a, &b) => vec![a],
        (a, b) => a.into_iter().chain(b).collect(),
    }
}

/// Descriptors and memory of each process, offsets of each shard.
pub fn resources(layout: &Layout, shards: &[ShardFacts]) -> Vec<ResourceFacts> {
    let mut found = Vec::new();
    for (role, pid) in super::roles::pids(layout) {
        if let (Some(used), Some(limit)) = (descriptors(pid), descriptor_limit(pid)) {
            found.push(ResourceFacts::new(ResourceKind::FileDescriptors, &role, used, limit));
        }
        if let (Some(used), Some(limit)) = (resident(pid), machine_memory()) {
            found.push(ResourceFacts::new(ResourceKind::MemoryBytes, &role, used, limit));
        }
    }
    for shard in shards {
        let (used, limit) = (shard.log_end as f64, Position::OFFSET_MAX as f64);
        found.push(ResourceFacts::new(ResourceKind::Offsets, shard.shard.to_string(), used, limit));
    }
    found
}

/// Switches that must not be on in production, as far as the environment shows them.
pub fn test_switches() -> Vec<SettingFact> {
    std::env::vars()
        .filter(|(name, _)| name.starts_with("TALLYMARK_TEST_") || name == "TALLYMARK_FAILPOINT")
        .map(|(name, value)| SettingFact {
            name,
            scope: "instance".to_owned(),
            declared: "unset".to_owned(),
            effective: value,
            experimental: true,
        })
        .collect()
}

fn descriptors(pid: u32) -> Option<f64> {
    Some(std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count() as f64)
}

fn descriptor_limit(pid: u32) -> Option<f64> {
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let line = limits.lines().find(|l| l.starts_with("Max open files"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}

fn resident(pid: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    kilobytes(&status, "VmRSS:")
}

fn machine_memory() -> Option<f64> {
    kilobytes(&std::fs::read_to_string("/proc/meminfo").ok()?, "MemTotal:")
}

fn kilobytes(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|l| l.strip_prefix(name))?;
    line.trim().trim_end_matches("kB").trim().parse::<f64>().ok().map(|kb| kb * 1024.0)
}
