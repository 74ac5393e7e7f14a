//! `tallymark incidents`: what went wrong, who was told, and the draft of a report about it.

use crate::Failure;
use crate::client::{Client, ConnectArgs, path_segment};
use crate::show::{cell, table};
use serde_json::{Value, json};
use std::process::ExitCode;

/// Which incidents.
#[derive(Debug, Clone, clap::Args)]
pub struct IncidentsArgs {
    #[command(subcommand)]
    pub command: Option<IncidentsCommand>,
    /// Print as JSON.
    #[arg(long, global = true)]
    pub json: bool,
    #[command(flatten)]
    pub connect: ConnectArgs,
}

/// What to do with an incident.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum IncidentsCommand {
    /// Write the draft of a report, as Markdown: what was found, who was affected, when what happened.
    Report {
        /// Its id.
        incident: String,
    },
    /// Say that somebody looks after it: it does not escalate any more.
    Acknowledge {
        /// Its id.
        incident: String,
    },
}

/// Lists incidents, newest first, or works on one.
pub async fn run(args: &IncidentsArgs) -> Result<ExitCode, Failure> {
    let client = Client::connect(&args.connect)?;
    let of = |incident: &str| path_segment(incident);
    match &args.command {
        None => {
            let found = client.get("/api/v1/operations/alerts?limit=50").await?;
            list(found["alerts"].as_array().map(Vec::as_slice).unwrap_or_default(), &found, args.json)?;
        }
        Some(IncidentsCommand::Report { incident }) => {
            let report = client.get(&format!("/api/v1/operations/incidents/{}/report", of(incident))).await?;
            match args.json {
                true => println!("{}", serde_json::to_string_pretty(&report)?),
                false => print!("{}", report["markdown"].as_str().unwrap_or_default()),
            }
        }
        Some(IncidentsCommand::Acknowledge { incident }) => {
            let path = format!("/api/v1/operations/alerts/{}/acknowledge", of(incident));
            let alert = client.post(&path, &json!({})).await?;
            list(std::slice::from_ref(&alert), &alert, args.json)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(alerts: &[Value], document: &Value, json: bool) -> Result<(), Failure> {
    if json {
        println!("{}", serde_json::to_string_pretty(document)?);
        return Ok(());
    }
    let row = |a: &Value| {
        let keys = ["id", "severity", "title", "status", "opened_at", "resolved_at", "acknowledged_by"];
        keys.iter().map(|key| cell(&a[*key])).collect()
    };
    let header = ["incident", "severity", "what", "status", "opened", "resolved", "acknowledged by"];
    println!("{}", table(&header, alerts.iter().map(row).collect()));
    Ok(())
}
