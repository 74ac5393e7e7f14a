//! `tallymark status`: the instance at a glance.

use crate::Failure;
use crate::client::{Client, ConnectArgs};
use crate::show::{cell, group, table};
use serde_json::Value;
use std::process::ExitCode;

/// How to show it.
#[derive(Debug, Clone, clap::Args)]
pub struct StatusArgs {
    /// Print the whole document.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub connect: ConnectArgs,
}

/// Prints the summary. Exit code 2 if something is critical or the books do not balance.
pub async fn run(args: &StatusArgs) -> Result<ExitCode, Failure> {
    let client = Client::connect(&args.connect)?;
    let summary = client.get("/api/v1/operations/summary").await?;
    let critical = summary["problems"]["critical"].as_u64().unwrap_or_default() > 0;
    let unbalanced = summary["identity"]["balanced"] == false;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&summary)?);
    } else {
        print(&client, &summary).await?;
    }
    Ok(if critical || unbalanced { ExitCode::from(2) } else { ExitCode::SUCCESS })
}

async fn print(client: &Client, summary: &Value) -> Result<(), Failure> {
    let list = |v: &Value| v.as_array().cloned().unwrap_or_default();
    let protection = if summary["protected"] == true { " (protected)" } else { "" };
    println!(
        "environment {}{protection}, commit {}",
        cell(&summary["environment"]),
        cell(&summary["commit"])
    );
    let parts: Vec<String> = list(&summary["components"])
        .iter()
        .map(|c| format!("{} {}", cell(&c["name"]), cell(&c["status"])))
        .collect();
    println!("{}", parts.join(", "));
    let identity = &summary["identity"];
    if identity.is_object() {
        let term = |k: &str| group(identity[k].as_u64().unwrap_or_default());
        println!(
            "acknowledged {} = visible {} + duplicate {} + filtered {} + dead {} + pending {}   {}",
            term("acknowledged"),
            term("visible"),
            term("duplicate"),
            term("filtered"),
            term("dead"),
            term("pending"),
            if identity["balanced"] == true { "balanced" } else { "DOES NOT BALANCE" },
        );
    } else {
        println!("the books cannot be read: nothing is said about losses");
    }
    for skipped in list(&summary["skipped"]) {
        let number = |k: &str| group(skipped[k].as_u64().unwrap_or_default());
        println!(
            "skipped: {}/{} {} to {} ({}); heal with `tallymark replay --all-skipped`",
            cell(&skipped["lane"]),
            number("partition"),
            number("from"),
            number("to"),
            cell(&skipped["reason"])
        );
    }
    for unknown in list(&summary["unknown"]) {
        println!("unknown: {}", cell(&unknown));
    }
    if let Ok(found) = client.get("/api/v1/operations/findings").await {
        let row = |f: &Value| {
            vec![cell(&f["severity"]), cell(&f["title"]), cell(&f["detail"]), cell(&f["runbook"])]
        };
        let rows: Vec<Vec<String>> = list(&found["findings"]).iter().map(row).collect();
        if rows.is_empty() {
            println!("nothing is wrong that a monitor would see");
        } else {
            println!("{}", table(&["severity", "what", "detail", "runbook"], rows));
        }
    }
    for job in list(&summary["jobs"]) {
        println!("job {}: {} {}", cell(&job["id"]), cell(&job["kind"]), cell(&job["state"]));
    }
    Ok(())
}
