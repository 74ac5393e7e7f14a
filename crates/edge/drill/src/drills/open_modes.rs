//! A16-17: each process holds open only what it needs, and only for writing what it alone writes.

use super::Drill;
use crate::error::Result;
use crate::figure::Figure;
use crate::instance::Instance;
use crate::load::Profile;
use crate::record::Record;
use crate::stage::Stage;
use serde_json::json;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

pub const DRILL: Drill = Drill {
    name: "a16-17-open-modes",
    rows: &["A16-17"],
    title: "Under load, jobs and backups, no process has a file open that its role must not have, or must not write.",
    story: "In 2016 a script had the rights of everybody. On one machine rights are what a process opens: here the\n\
            kernel is asked for every open file of every process, again and again, while events arrive, charts are\n\
            asked for, a state is rebuilt and a backup is made. Only the collector may hold the log open for\n\
            writing, only the processor segments, deltas and state, and the collector may hold nothing else at all.",
    run: |stage| Box::pin(run(stage)),
};

/// Who may hold what lies below a name open for writing; nobody else may.
const WRITERS: [(&str, &[&str]); 4] = [
    ("log/", &["collect"]),
    ("objects/", &["process"]),
    ("state/", &["process"]),
    ("watch.db", &["watch", "audit", "web"]),
];
/// What the collector may hold open at all.
const COLLECTOR: [&str; 3] = ["log/", "run/", "throttle"];

async fn run(stage: &mut Stage) -> Result<()> {
    let record = Record::default();
    let shop = stage.start("shop").await?;
    let load = stage.load(&shop, &Profile { rate: 800.0, ..Profile::default() }, &record);
    let to = format!("file:{}", stage.folder().join("backups").display());
    let backup = shop.start_command(&["backup", "--to", &to, "--json"])?;
    let job = shop.start_job("rebuild_state", json!({"switch": "always"})).await?;
    let (mut held, mut looks) = (BTreeSet::new(), 0);
    let began = Instant::now();
    while began.elapsed() < stage.time(10.0) {
        for (role, pid) in shop.roles() {
            held.extend(
                open_files(shop.data(), pid).into_iter().map(|(name, writes)| (role.clone(), name, writes)),
            );
        }
        looks += 1;
        if looks % 10 == 0 {
            shop.total("view").await?;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    backup.finish().await?.ok()?;
    shop.wait_job(&job, Duration::from_secs(60)).await?;
    load.stop().await;
    let forbidden: Vec<String> = held
        .iter()
        .filter(|(role, name, writes)| !may(role, name, *writes))
        .map(|(role, name, writes)| format!("{role}: {name}{}", if *writes { " for writing" } else { "" }))
        .collect();
    if !forbidden.is_empty() {
        stage.note(format!("forbidden: {}", forbidden.join(", ")));
    }
    let roles: BTreeSet<&String> = held.iter().map(|(role, ..)| role).collect();
    stage.figure(Figure::count("looks at every open file", looks).at_least(50.0));
    stage.figure(Figure::count("processes seen with open files", roles.len()).at_least(5.0));
    stage.figure(Figure::count("different (process, file, mode) seen", held.len()).at_least(10.0));
    stage.figure(Figure::count("forbidden among them", forbidden.len()).exactly(0.0).objective("A16-17"));
    let roots = refused_by_the_collector(&shop).await?;
    stage.figure(
        Figure::count("doors of the operator open to a write key", roots).exactly(0.0).objective("A16-17"),
    );
    stage.judge(&shop, &record).await?;
    stage.verify(&shop).await
}

fn may(role: &str, name: &str, writes: bool) -> bool {
    if role == "collect" {
        return COLLECTOR.iter().any(|prefix| name.starts_with(prefix));
    }
    !writes || WRITERS.iter().all(|(prefix, writers)| !name.starts_with(prefix) || writers.contains(&role))
}

/// Files below the data folder that a process has open, and whether for writing.
fn open_files(data: &Path, pid: u32) -> Vec<(String, bool)> {
    let Ok(entries) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return Vec::new() };
    let held = entries.flatten().filter_map(|entry| {
        let target = std::fs::read_link(entry.path()).ok()?;
        let name = target.strip_prefix(data).ok()?.display().to_string();
        let number = entry.file_name().to_string_lossy().into_owned();
        let info = std::fs::read_to_string(format!("/proc/{pid}/fdinfo/{number}")).ok()?;
        let flags = info.lines().find_map(|l| l.strip_prefix("flags:"))?;
        // The lowest two bits: 0 = read, 1 = write, 2 = both.
        let mode = u32::from_str_radix(flags.trim(), 8).ok()? & 3;
        Some((name, mode != 0))
    });
    held.collect()
}

/// What only an operator may ask for, asked for with the key that lies in every web page.
async fn refused_by_the_collector(shop: &Instance) -> Result<usize> {
    let mut open = 0;
    for path in [
        "status",
        "operations/settings",
        "operations/jobs",
        "operations/findings",
        "projects/shop/ledger",
        "audit",
        "keys",
    ] {
        let path = format!("/api/v1/{path}");
        let answer = shop.ask(reqwest::Method::GET, &path, crate::instance::WRITE_KEY, None).await?;
        open += usize::from(answer.status < 400);
    }
    Ok(open)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_writer_may_write() {
        assert!(may("collect", "log/live/1.log", true) && !may("web", "log/live/1.log", true));
        assert!(may("web", "log/live/1.log", false) && !may("collect", "catalog.db", false));
        assert!(may("process", "objects/segments/a", true) && !may("watch", "objects/segments/a", true));
    }
}
