//! A committer is killed at random moments; whatever it was told to be applied is there, and the books balance.
//!
//! This test is its own program: called with a folder it is the committer, without it is the judge.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod world;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use tallymark_catalog::{CommitAnswer, Commits, LeaseName, Snapshots};
use tallymark_model::{CommitId, CommitSeq};
use world::*;

const KILLS: u64 = 12;

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    match std::env::var_os("TALLYMARK_CRASH_TEST_DIR") {
        Some(dir) => runtime.block_on(commit_for_ever(Path::new(&dir))),
        None => runtime.block_on(judge()),
    }
}

/// Announces each commit before sending it and after it was applied.
async fn commit_for_ever(dir: &Path) {
    let catalog = open(dir).await;
    let lease = lease(&catalog, LeaseName::Process, "committer").await;
    let mut at = [0u64; 4];
    for (n, at) in at.iter_mut().enumerate() {
        *at = position(&catalog, n as u16).await;
    }
    let mut out = std::io::stdout().lock();
    loop {
        let advances =
            (0..4u16).map(|n| advance(shard(n), at[usize::from(n)], at[usize::from(n)] + 9, HOUR)).collect();
        let c = commit(lease.epoch, advances);
        writeln!(out, "sent {}", c.id.0).unwrap();
        out.flush().unwrap();
        match catalog.commit(&c).await.unwrap() {
            CommitAnswer::Applied(seq) => writeln!(out, "applied {} {}", c.id.0, seq.0).unwrap(),
            other => panic!("{other:?}"),
        }
        out.flush().unwrap();
        at.iter_mut().for_each(|a| *a += 9);
    }
}

async fn position(catalog: &tallymark_catalog::sqlite::SqliteCatalog, n: u16) -> u64 {
    let cursors = catalog.cursors().await.unwrap();
    cursors.iter().find(|c| c.shard == shard(n)).map_or(0, |c| c.position)
}

async fn judge() {
    let dir = tempfile::tempdir().unwrap();
    let mut known: Vec<(CommitId, CommitSeq)> = Vec::new();
    for round in 0..KILLS {
        let unanswered = run_and_kill(dir.path(), 3 + round * 5 % 17, &mut known);
        let catalog = open(dir.path()).await;
        assert_sound(&catalog).await;
        for (id, seq) in &known {
            assert_eq!(catalog.status(*id).await.unwrap(), Some(*seq), "an applied commit is gone");
        }
        // The one that was in flight is decided: in as a whole, or not at all; `status` tells which.
        if let Some(id) = unanswered
            && let Some(seq) = catalog.status(id).await.unwrap()
        {
            known.push((id, seq));
        }
        let total = catalog.tally(None).await.unwrap().total();
        assert_eq!(total, known.len() as u64 * 36, "something was applied that nobody sent");
        catalog.close().await;
    }
    assert!(known.len() as u64 >= KILLS * 3);
    println!("{KILLS} kills, {} commits, all accounted for", known.len());
}

/// Lets the committer run until it has announced this many lines, then kills it. Returns the commit that was
/// sent but not answered.
fn run_and_kill(dir: &Path, lines: u64, known: &mut Vec<(CommitId, CommitSeq)>) -> Option<CommitId> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .env("TALLYMARK_CRASH_TEST_DIR", dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut seen = 0;
    let mut sent = None;
    let mut line = String::new();
    while out.read_line(&mut line).unwrap() > 0 {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["sent", id] => sent = Some(CommitId(id.parse().unwrap())),
            ["applied", id, seq] => {
                known.push((CommitId(id.parse().unwrap()), CommitSeq(seq.parse().unwrap())));
                sent = None;
            }
            _ => panic!("unexpected: {line}"),
        }
        line.clear();
        seen += 1;
        if seen == lines + 6 {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    sent
}
