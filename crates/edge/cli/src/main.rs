//! The `tallymark` binary: product analytics that accounts for every event.
//!
//! Guarantees: exit code 0 only when everything asked for was done; errors say what is wrong and what to do;
//! `--json` output is for programs and never mixes with progress.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod books;
mod client;
mod demo;
mod drill;
mod import;
mod query;
mod serve;
mod show;

use clap::{Parser, Subcommand};
use client::{Client, ConnectArgs};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Product analytics that accounts for every event.
#[derive(Debug, Parser)]
#[command(name = "tallymark", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start everything on this machine: collect, process, web.
    Serve(serve::ServeArgs),
    /// Run one role of `serve` in the foreground (the supervisor does this).
    #[command(hide = true)]
    Role(serve::RoleArgs),
    /// Generate a believable product and send it to a server.
    Demo {
        #[command(flatten)]
        args: demo::DemoArgs,
        /// Project to send to, by id or name.
        #[arg(long, default_value = "demo")]
        project: String,
        #[command(flatten)]
        connect: ConnectArgs,
    },
    /// Import a CSV or NDJSON file.
    Import {
        #[command(flatten)]
        args: import::ImportArgs,
        /// Print the report as JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        connect: ConnectArgs,
    },
    /// Ask a question: segmentation, funnel, retention, …
    Query {
        #[command(flatten)]
        args: query::QueryArgs,
        #[command(flatten)]
        connect: ConnectArgs,
    },
    /// Show the books: what was acknowledged and what became of it.
    Ledger {
        #[command(flatten)]
        args: books::LedgerArgs,
        #[command(flatten)]
        connect: ConnectArgs,
    },
    /// Prove the books from the files themselves, independently of the running server.
    Verify(books::VerifyArgs),
    /// Re-enact published incidents on scratch instances of this binary.
    #[command(subcommand)]
    Drill(drill::DrillCommand),
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("tallymark: {error}");
            ExitCode::FAILURE
        }
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

async fn run(cli: Cli) -> Result<ExitCode, Failure> {
    match cli.command {
        Command::Serve(args) => serve::serve(args).await,
        Command::Role(args) => serve::role(args).await,
        Command::Demo { args, project, connect } => {
            let client =
                if args.out.is_some() { None } else { Some(project_client(&connect, &project).await?) };
            demo::run(&args, client.as_ref(), show::bar("days")).await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Import { args, json, connect } => {
            let client =
                if args.dry_run { None } else { Some(project_client(&connect, &args.project).await?) };
            let bar = if json { indicatif::ProgressBar::hidden() } else { show::bytes_bar() };
            let report = import::run(&args, client.as_ref(), bar).await?;
            show::import_report(&report, json)?;
            Ok(if report.rejected == 0 { ExitCode::SUCCESS } else { ExitCode::from(2) })
        }
        Command::Query { args, connect } => query::run(&args, &Client::connect(&connect)?).await,
        Command::Ledger { args, connect } => books::ledger(&args, &Client::connect(&connect)?).await,
        Command::Verify(args) => books::verify(&args).await,
        Command::Drill(command) => drill::run(command).await,
    }
}

/// A client that carries the project's write key. A key given by hand is taken as it is.
async fn project_client(connect: &ConnectArgs, project: &str) -> Result<Client, Failure> {
    let client = Client::connect(connect)?;
    if connect.key.is_some() {
        return Ok(client);
    }
    let key = client.write_key(project).await?;
    Ok(client.with_key(&key))
}
