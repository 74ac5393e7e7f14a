//! `tallymark ledger` and `tallymark verify`: the books as the server tells them, and as the files prove them.

use crate::Failure;
use crate::client::{Client, path_segment};
use crate::show::{cell, group, table};
use serde_json::Value;
use std::path::PathBuf;
use std::process::ExitCode;

/// Which books to show.
#[derive(Debug, Clone, clap::Args)]
pub struct LedgerArgs {
    /// Project, by id or name.
    #[arg(long)]
    pub project: String,
    /// Show intervals received since this instant (ISO 8601).
    #[arg(long)]
    pub from: Option<String>,
    /// Show intervals received before this instant (ISO 8601).
    #[arg(long)]
    pub to: Option<String>,
    /// Print the whole document.
    #[arg(long)]
    pub json: bool,
}

/// Which files to verify.
#[derive(Debug, Clone, clap::Args)]
pub struct VerifyArgs {
    /// Data folder; the server may be running or stopped.
    #[arg(long, env = "TALLYMARK_DATA", default_value = "./tallymark-data")]
    pub data: PathBuf,
    /// Print the report as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Prints the ledger of a project. Exit code 2 if it does not balance.
pub async fn ledger(args: &LedgerArgs, client: &Client) -> Result<ExitCode, Failure> {
    let mut path = format!("/api/v1/projects/{}/ledger", path_segment(&args.project));
    let bounds = [("from", &args.from), ("to", &args.to)];
    let bounds: Vec<String> =
        bounds.iter().filter_map(|(k, v)| v.as_ref().map(|v| format!("{k}={}", path_segment(v)))).collect();
    if !bounds.is_empty() {
        path = format!("{path}?{}", bounds.join("&"));
    }
    let books = client.get(&path).await?;
    let identity = &books["identity"];
    let balanced = identity["balanced"].as_bool().unwrap_or(false);
    if args.json {
        println!("{}", serde_json::to_string_pretty(&books)?);
    } else {
        print_books(&books, identity, balanced);
    }
    Ok(if balanced { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

fn print_books(books: &Value, identity: &Value, balanced: bool) {
    let term = |k: &str| group(identity[k].as_u64().unwrap_or_default());
    println!(
        "acknowledged {} = visible {} + duplicate {} + filtered {} + dead {} + pending {}   {}",
        term("acknowledged"),
        term("visible"),
        term("duplicate"),
        term("filtered"),
        term("dead"),
        term("pending"),
        if balanced { "balanced" } else { "DOES NOT BALANCE" },
    );
    if let Some(conflicts) = books["conflicts"]["total"].as_u64().filter(|n| *n > 0) {
        println!(
            "of the duplicates, {} say something else than the event whose insert id they carry",
            group(conflicts)
        );
    }
    let held = |k: &str| books["held_back"][k].as_u64().unwrap_or_default();
    if held("refused") + held("throttled") > 0 {
        println!("beside them: {} refused, {} throttled", group(held("refused")), group(held("throttled")));
    }
    let keys = ["lane", "partition", "start", "cursor", "end", "pending", "watermark"];
    let rows =
        books["lanes"].as_array().into_iter().flatten().map(|l| keys.iter().map(|k| cell(&l[k])).collect());
    println!("{}", table(&keys, rows.collect()));
    for gap in books["gaps"].as_array().into_iter().flatten() {
        println!("gap: {gap}");
    }
}

/// Re-derives the accounting identity from log, segments and deltas. Exit code 2 on any violation.
pub async fn verify(args: &VerifyArgs) -> Result<ExitCode, Failure> {
    let report = tallymark_server::verify::run(&args.data).await?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{report}");
    }
    Ok(if report.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(2) })
}
