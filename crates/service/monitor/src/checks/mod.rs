//! Monitors: pure functions from facts to findings.
use crate::config::Thresholds;
use crate::facts::{DiskFacts, Facts, ResourceFacts, ResourceKind};
use crate::Finding;

/// Everything that is not as it should be, the worst first.
pub fn check(_facts: &Facts, _thresholds: &Thresholds) -> Vec<Finding> { Vec::new() }

/// What of a file system can run out.
pub fn resources_of_disk(disk: &DiskFacts) -> Vec<ResourceFacts> {
    let bytes = (disk.bytes_total - disk.bytes_free.min(disk.bytes_total)) as f64;
    let mut found = vec![ResourceFacts::new(ResourceKind::DiskBytes, &disk.name, bytes, disk.bytes_total as f64)];
    if disk.inodes_total > 0 {
        let used = (disk.inodes_total - disk.inodes_free.min(disk.inodes_total)) as f64;
        found.push(ResourceFacts::new(ResourceKind::Inodes, &disk.name, used, disk.inodes_total as f64));
    }
    found
}
