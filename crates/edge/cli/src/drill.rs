//! `tallymark drill`: the incidents, re-enacted on scratch instances of this binary.

use crate::Failure;
use crate::show::table;
use std::path::PathBuf;
use std::process::ExitCode;
use tallymark_drill::{DRILLS, ELSEWHERE, Options, run as run_drills};

/// What to do with drills.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum DrillCommand {
    /// Every drill, and every row of the fault matrix that is shown elsewhere.
    List {
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Run drills on scratch instances; exit code 2 if one does not pass.
    Run(RunArgs),
}

/// Which drills to run, and how.
#[derive(Debug, Clone, clap::Args)]
pub struct RunArgs {
    /// Names, as `drill list` shows them.
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub names: Vec<String>,
    /// Run every drill.
    #[arg(long)]
    pub all: bool,
    /// Write the whole report as JSON.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write a JUnit report.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Seed of everything random. Default: drawn and printed.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Keep the scratch folders and say where they are.
    #[arg(long)]
    pub keep: bool,
    /// Stretch (above 1) or compress (below 1) the durations of the stories.
    #[arg(long, default_value_t = 1.0, value_name = "X")]
    pub time_scale: f64,
    /// Print only verdicts.
    #[arg(long)]
    pub quiet: bool,
    /// The binary to drill. Default: this one.
    #[arg(long, env = "TALLYMARK_BIN", value_name = "PATH")]
    pub binary: Option<PathBuf>,
}

/// Lists or runs.
pub async fn run(command: DrillCommand) -> Result<ExitCode, Failure> {
    match command {
        DrillCommand::List { json } => list(json),
        DrillCommand::Run(args) => {
            if !(args.time_scale.is_finite() && (0.1..=100.0).contains(&args.time_scale)) {
                return Err("--time-scale must lie between 0.1 and 100".into());
            }
            let options = Options {
                names: args.names,
                binary: args.binary.map_or_else(std::env::current_exe, std::path::absolute)?,
                seed: args.seed.unwrap_or_else(|| u64::from(rand::random::<u32>())),
                keep: args.keep,
                time_scale: args.time_scale,
                quiet: args.quiet,
                json: args.json,
                junit: args.junit,
            };
            let report = run_drills(&options).await?;
            Ok(if report.passed { ExitCode::SUCCESS } else { ExitCode::from(2) })
        }
    }
}

fn list(json: bool) -> Result<ExitCode, Failure> {
    if json {
        let drills: Vec<serde_json::Value> = DRILLS
            .iter()
            .map(|d| serde_json::json!({"name": d.name, "rows": d.rows, "title": d.title, "story": d.story}))
            .collect();
        let elsewhere: Vec<serde_json::Value> = ELSEWHERE
            .iter()
            .map(|e| serde_json::json!({"row": e.row, "where": e.place.shown(), "why": e.why}))
            .collect();
        println!(
            "{}",
            serde_json::to_string_pretty(&serde_json::json!({"drills": drills, "elsewhere": elsewhere}))?
        );
        return Ok(ExitCode::SUCCESS);
    }
    let rows = DRILLS.iter().map(|d| vec![d.name.to_owned(), d.rows.join(" "), d.title.to_owned()]).collect();
    println!("{}", table(&["drill", "rows", "what it shows"], rows));
    let rows = ELSEWHERE
        .iter()
        .map(|e| vec![e.row.to_owned(), e.place.shown().to_owned(), e.why.to_owned()])
        .collect();
    println!(
        "\nRows of the fault matrix that are not drilled here:\n{}",
        table(&["row", "where", "why"], rows)
    );
    Ok(ExitCode::SUCCESS)
}
