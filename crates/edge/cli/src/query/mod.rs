//! `tallymark query`: one query document, answered as a table, JSON or CSV.

mod tables;

use crate::Failure;
use crate::client::{Client, path_segment};
use crate::show;
use serde_json::Value;
use std::path::PathBuf;
use std::process::ExitCode;

/// What to ask.
#[derive(Debug, Clone, clap::Args)]
pub struct QueryArgs {
    /// File with the query as JSON; `-` = standard input.
    pub file: PathBuf,
    /// Project, by id or name.
    #[arg(long)]
    pub project: String,
    /// How to print the answer.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// Show what would be read instead of the answer: as text, or everything with `--format json`.
    #[arg(long)]
    pub explain: bool,
}

/// Output forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// For programs.
    Json,
    /// For spreadsheets.
    Csv,
}

/// Runs the query and prints the answer.
pub async fn run(args: &QueryArgs, client: &Client) -> Result<ExitCode, Failure> {
    let text = if args.file.as_os_str() == "-" {
        std::io::read_to_string(std::io::stdin())?
    } else {
        std::fs::read_to_string(&args.file).map_err(|e| format!("{}: {e}", args.file.display()))?
    };
    let query: Value = serde_json::from_str(&text).map_err(|e| format!("{}: {e}", args.file.display()))?;
    let verb = if args.explain { "query/explain" } else { "query" };
    let path = format!("/api/v1/projects/{}/{verb}", path_segment(&args.project));
    let answer = client.post(&path, &query).await?;
    if let Some(text) = answer["text"].as_str().filter(|_| args.explain && args.format == Format::Table) {
        print!("{text}");
        return Ok(ExitCode::SUCCESS);
    }
    if args.explain || args.format == Format::Json {
        println!("{}", serde_json::to_string_pretty(&answer)?);
        return Ok(ExitCode::SUCCESS);
    }
    let (header, rows) = tables::tabulate(query["type"].as_str().unwrap_or_default(), &answer);
    match args.format {
        Format::Csv => {
            let mut out = csv::Writer::from_writer(std::io::stdout());
            out.write_record(header.iter().map(|h| show::csv_safe(h)))?;
            for row in rows {
                out.write_record(row.iter().map(|c| show::csv_cell(c)))?;
            }
            out.flush()?;
        }
        _ => {
            let header: Vec<&str> = header.iter().map(String::as_str).collect();
            let rows = rows.iter().map(|row| row.iter().map(show::cell).collect()).collect();
            println!("{}", show::table(&header, rows));
            if let Some(since) = answer["stale"]["since"].as_str() {
                println!("STALE since {since}: {}", show::cell(&answer["stale"]["reason"]));
            }
            if let Some(until) = answer["complete_through"].as_str() {
                println!("complete through {until}");
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
