//! What people see of it.

use crate::Failure;
use crate::show::{group, table};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use tallymark_vacuum::{Plan, Record, Reject, Report, Source, SourceProgress, Sources, State};

/// A source was added.
pub fn added(source: &Source, path: &Path, json: bool) -> Result<(), Failure> {
    if json {
        println!("{}", serde_json::to_string_pretty(source)?);
    } else {
        println!("{} is watched every {} s ({})", source.name, source.every_s, path.display());
    }
    Ok(())
}

/// What is watched.
pub fn list(sources: &Sources, json: bool) -> Result<(), Failure> {
    if json {
        println!("{}", serde_json::to_string_pretty(&sources.source)?);
        return Ok(());
    }
    let rows = sources.source.iter().map(|s| {
        let format = if s.map.is_some() { "mapped" } else { s.format.name() };
        let pattern = s.pattern.clone().unwrap_or_default();
        vec![
            s.name.clone(),
            s.from.clone(),
            s.project.clone(),
            format.to_owned(),
            pattern,
            format!("{} s", s.every_s),
        ]
    });
    println!("{}", table(&["source", "from", "project", "format", "match", "every"], rows.collect()));
    Ok(())
}

/// How far each source is. Exit code 2 if somebody should look.
pub fn status(
    sources: &Sources,
    board: &BTreeMap<String, SourceProgress>,
    record: &Record,
    as_json: bool,
) -> Result<ExitCode, Failure> {
    let mut names: Vec<&String> = sources.source.iter().map(|s| &s.name).chain(board.keys()).collect();
    names.sort();
    names.dedup();
    let (mut all, mut rows, mut notes) = (serde_json::Map::new(), Vec::new(), Vec::new());
    for name in names {
        let now = board.get(name).cloned().unwrap_or_default();
        let mine = || record.entries().filter(move |e| &e.source == name);
        let taken = mine().filter(|e| e.state == State::Done).count() as u64;
        let (added, refused) = mine().fold((0, 0), |(a, r), e| (a + e.rows, r + e.rejected));
        let state = match (now.working, &now.waiting, &now.error) {
            (true, Some(_), _) => "waiting",
            (true, None, _) => "working",
            (false, _, Some(_)) => "failing",
            _ if board.contains_key(name) => "idle",
            _ => "new",
        };
        let eta = now.eta_s.map(|s| format!("{s:.0} s")).unwrap_or_default();
        rows.push(vec![
            name.clone(),
            state.to_owned(),
            format!("{}/{}", group(now.done), group(now.objects)),
            group(added),
            group(refused),
            if now.working { format!("{:.0}/s", now.rows_per_s) } else { String::new() },
            eta,
        ]);
        notes.extend(now.waiting.iter().chain(&now.error).map(|why| format!("{name}: {why}")));
        notes.extend(now.changed.iter().map(|key| format!("{name}: {key} changed after it was taken")));
        notes.extend(now.failed.iter().map(|(key, why)| format!("{name}: {key} cannot be read: {why}")));
        notes.extend(now.unknown.iter().map(|key| format!("{name}: {key} is of no known kind")));
        let totals = json!({"state": state, "taken": taken, "rows": added, "rejected": refused, "now": now});
        all.insert(name.clone(), totals);
    }
    if as_json {
        println!("{}", serde_json::to_string_pretty(&all)?);
    } else {
        println!("{}", table(&["source", "state", "files", "rows", "refused", "rate", "left"], rows));
        notes.iter().for_each(|note| println!("  {note}"));
    }
    Ok(if notes.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

/// Refused rows.
pub fn rejects(rejects: &[Reject], all: u64, json: bool) -> Result<(), Failure> {
    if json {
        println!("{}", serde_json::to_string_pretty(&json!({"rejects": rejects, "all": all}))?);
        return Ok(());
    }
    for reject in rejects {
        println!("{}:{}: {}", reject.object, reject.row, reject.why);
        println!("    {}", reject.text.chars().take(200).collect::<String>());
    }
    println!("{} of {} refused rows", group(rejects.len() as u64), group(all));
    Ok(())
}

/// A dry run.
pub fn plan(source: &Source, plan: &Plan) {
    println!(
        "{}: {} files ({} bytes), {} taken before",
        source.name,
        group(plan.objects),
        group(plan.bytes),
        group(plan.known)
    );
    let part = if plan.partial { " (of the rows that were read)" } else { "" };
    println!(
        "{} rows{part}: {} would be added, {} are duplicates, {} would be refused",
        group(plan.rows),
        group(plan.added),
        group(plan.duplicates),
        group(plan.rejected)
    );
    if let Some(why) = &plan.duplicates_unknown {
        println!("  which rows the project has could not be asked: {why}");
    }
    for (name, count) in plan.events.iter().take(20) {
        println!("  {name}: {}", group(*count));
    }
    plan.samples.iter().for_each(|event| println!("{event}"));
    for reject in &plan.rejects {
        println!("  {}:{}: {}", reject.object, reject.row, reject.why);
    }
    troubles(&plan.changed, &plan.failed, &plan.unknown, plan.unsettled);
}

/// A run.
pub fn report(source: &Source, report: &Report) {
    println!(
        "{}: {} files taken, {} before; {} rows added, {} refused",
        source.name,
        group(report.taken),
        group(report.known),
        group(report.rows),
        group(report.rejected)
    );
    troubles(&report.changed, &report.failed, &report.unknown, report.unsettled);
    for (key, why) in &report.later {
        println!("  {key} could not be reached, run it again: {why}");
    }
}

fn troubles(changed: &[String], failed: &[(String, String)], unknown: &[String], unsettled: u64) {
    changed
        .iter()
        .for_each(|key| println!("  {key} changed after it was taken; see `tallymark vacuum accept`"));
    failed.iter().for_each(|(key, why)| println!("  {key} cannot be read: {why}"));
    unknown.iter().for_each(|key| println!("  {key} is of no known kind"));
    if unsettled > 0 {
        println!("  {} files were written just now and are left for later (--settle)", group(unsettled));
    }
}
