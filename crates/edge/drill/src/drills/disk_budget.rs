//! P25-11: catching up on a small disk does not fill it.

use super::Drill;
use crate::error::{DrillError, Result};
use crate::figure::Figure;
use crate::load::Profile;
use crate::record::{Acceptance, Record};
use crate::stage::Stage;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub const DRILL: Drill = Drill {
    name: "p25-11-disk-budget",
    rows: &["P25-11"],
    title: "A backlog is caught up on a small disk; the disk does not fill, nothing is refused or lost.",
    story: "In 2025 the catch-up itself filled the queue's disks to 85 %. Here the instance lives on a small file\n\
            system of its own (which the drill mounts and unmounts), builds up a backlog and catches up, with log,\n\
            segments and deltas on the same disk. Its use is watched all the time.",
    run: |stage| Box::pin(run(stage)),
};

const DISK_MB: u64 = 256;

async fn run(stage: &mut Stage) -> Result<()> {
    let record = Record::default();
    let disk = SmallDisk::mount(&stage.folder().join("small"), DISK_MB)?;
    let mut shop = stage.instance("shop")?;
    shop.use_data(&disk.path.join("data"));
    shop.start().await?;
    stage.note(format!("the instance lives on {DISK_MB} MB"));
    shop.freeze("process").await;
    let burst = Profile { rate: 9000.0, batch: 100, vendors: 0, ..Profile::default() };
    let taken = stage.load_for(&shop, &burst, &record, 12.0).await;
    let full = disk.used_share()?;
    stage.note(format!("backlog of {} events; {full:.0} % of the disk in use", record.acknowledged_count()));
    shop.signal("process", crate::instance::Signal::Cont);
    let live = stage.load(&shop, &Profile { rate: 300.0, ..Profile::default() }, &record);
    let (mut peak, began) = (full, Instant::now());
    while began.elapsed() < stage.time(20.0) {
        peak = peak.max(disk.used_share()?);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    live.stop().await;
    stage.figure(Figure::of("disk in use before the catch-up", full, "%"));
    stage.figure(Figure::of("peak of disk in use", peak, "%").at_most(80.0).objective("P25-11"));
    let all = Acceptance::of(&record.attempts(0, i64::MAX));
    stage.figure(
        Figure::count("requests refused", all.requests - all.accepted).exactly(0.0).objective("P25-11"),
    );
    stage.note(format!("slowest acknowledgement {:.0} ms", taken.max_ms));
    stage.judge(&shop, &record).await?;
    stage.verify(&shop).await?;
    shop.stop().await;
    Ok(())
}

/// A file system in memory, unmounted when the value goes.
pub struct SmallDisk {
    /// Where it is mounted.
    pub path: PathBuf,
}

impl SmallDisk {
    /// Mounts it.
    pub fn mount(path: &Path, megabytes: u64) -> Result<SmallDisk> {
        std::fs::create_dir_all(path).map_err(DrillError::io(path.display().to_string()))?;
        let size = format!("size={megabytes}m");
        let shown = path.display().to_string();
        if !quiet("mount", &["-t", "tmpfs", "-o", &size, "tallymark-drill", &shown]) {
            return Err(DrillError::Missing(
                "right to mount a small file system (run as root on Linux)".to_owned(),
            ));
        }
        Ok(SmallDisk { path: path.to_owned() })
    }

    /// Percent in use, as `df` says.
    pub fn used_share(&self) -> Result<f64> {
        let output = Command::new("df")
            .args(["--output=used,size", "-B1"])
            .arg(&self.path)
            .output()
            .map_err(DrillError::io("df"))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let numbers: Vec<f64> = text
            .lines()
            .last()
            .unwrap_or_default()
            .split_whitespace()
            .filter_map(|n| n.parse().ok())
            .collect();
        match numbers[..] {
            [used, size] if size > 0.0 => Ok(100.0 * used / size),
            _ => Err(DrillError::Answer { what: "df".to_owned(), answer: text }),
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a process that is just dying may still hold a file.
        quiet("umount", &["-l", &self.path.display().to_string()]);
    }
}

fn quiet(program: &str, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
}
