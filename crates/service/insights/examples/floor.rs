//! What it costs to decode columns of a running instance's files and to do nothing with them: `floor DATA THREADS`.
//!
//! Reads one question per line, `{"floor": {"events": [names] or null, "columns": [file names], "from": ms, "to": ms}}`,
//! and answers each with `{"seconds": s, "rows": n}`. `bench/query/compare.py` puts it beside the analyses.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use serde_json::{Value, json};
use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::time::Instant;
use tallymark_catalog::sqlite::{OpenMode, SqliteCatalog};
use tallymark_catalog::{Settings, Snapshots};
use tallymark_ledger::SegmentKind;
use tallymark_query::fold_parallel;
use tallymark_store::{Column, SegmentReader};

fn main() {
    let mut args = std::env::args().skip(1);
    let data = PathBuf::from(args.next().expect("the data folder"));
    let threads: usize = args.next().map_or(2, |t| t.parse().expect("a number of threads"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let store = tallymark_store::open(&format!("file:{}", data.join("objects").display())).expect("a store");
    let path = data.join("catalog.db");
    let catalog = SqliteCatalog::open(&path, OpenMode::Existing);
    let catalog = runtime.block_on(catalog).expect("the catalog");
    let project = runtime.block_on(catalog.project("bench")).expect("an answer").expect("the project").id;
    for line in std::io::stdin().lock().lines() {
        let asked: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
        let snapshot = runtime.block_on(catalog.snapshot(project, None)).expect("a snapshot");
        let live = snapshot.segments.iter().filter(|s| s.kind == SegmentKind::Events);
        let readers: Vec<SegmentReader> =
            live.map(|s| SegmentReader::open(&store, s).expect("a file")).collect();
        let answer = floor(&readers, &asked["floor"], threads);
        println!("{answer}");
        std::io::stdout().flush().expect("an open pipe");
    }
}

fn floor(readers: &[SegmentReader], asked: &Value, threads: usize) -> Value {
    let texts = |v: &Value| -> Option<Vec<String>> {
        Some(v.as_array()?.iter().filter_map(|t| t.as_str().map(str::to_owned)).collect())
    };
    let names = texts(&asked["events"]);
    let columns: Vec<Column> = texts(&asked["columns"])
        .unwrap_or_default()
        .iter()
        .map(|c| Column::parse(c).expect("a column"))
        .collect();
    let (from, to) = (asked["from"].as_i64().unwrap_or(i64::MIN), asked["to"].as_i64().unwrap_or(i64::MAX));
    let mut tasks = Vec::new();
    for reader in readers {
        for (group, info) in reader.row_groups().iter().enumerate() {
            let named = names.as_ref().is_none_or(|names| names.iter().any(|n| info.may_contain(n)));
            if named && info.overlaps(from, to) {
                tasks.push((reader, group));
            }
        }
    }
    let rows: u64 = tasks.iter().map(|(reader, group)| reader.row_groups()[*group].rows).sum();
    let began = Instant::now();
    let read = |_: &mut (), (reader, group): (&SegmentReader, usize)| {
        reader.read(group, &columns).expect("columns");
        Ok(())
    };
    fold_parallel(threads, tasks, || (), read).expect("threads");
    json!({"seconds": began.elapsed().as_secs_f64(), "rows": rows})
}
