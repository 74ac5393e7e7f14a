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
mod operate;
mod query;
mod serve;
mod show;
mod sql;
mod vacuum;
mod vocabulary;

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
    /// Take files of buckets and folders: watch, run once, try.
    Vacuum(vacuum::VacuumArgs),
    /// Ask a question: segmentation, funnel, retention, …
    Query {
        #[command(flatten)]
        args: query::QueryArgs,
        #[command(flatten)]
        connect: ConnectArgs,
    },
    /// Ask in SQL: one read-only statement.
    Sql {
        #[command(flatten)]
        args: sql::SqlArgs,
        #[command(flatten)]
        connect: ConnectArgs,
    },
    /// What the project calls things: virtual events, custom properties, lookup tables, renames.
    Definitions(vocabulary::DefinitionsArgs),
    /// Persons that the project keeps together.
    Cohorts(vocabulary::CohortsArgs),
    /// Show the books: what was acknowledged and what became of it.
    Ledger {
        #[command(flatten)]
        args: books::LedgerArgs,
        #[command(flatten)]
        connect: ConnectArgs,
    },
    /// Prove the books from the files themselves, independently of the running server.
    Verify(books::VerifyArgs),
    /// The instance at a glance.
    Status(operate::status::StatusArgs),
    /// Move the cursor over records without processing them.
    Skip {
        #[command(flatten)]
        args: operate::verbs::SkipArgs,
        #[command(flatten)]
        connect: ConnectArgs,
    },
    /// Process records that were skipped.
    Replay {
        #[command(flatten)]
        args: operate::verbs::ReplayArgs,
        #[command(flatten)]
        connect: ConnectArgs,
    },
    /// Decide records again, with the rules of now.
    Reprocess {
        #[command(flatten)]
        args: operate::verbs::ReprocessArgs,
        #[command(flatten)]
        connect: ConnectArgs,
    },
    /// Derive again what was lost or damaged.
    #[command(subcommand)]
    Rebuild(operate::verbs::RebuildCommand),
    /// Back everything up.
    Backup(operate::recover::BackupArgs),
    /// Make a data folder from a backup.
    Restore(operate::recover::RestoreArgs),
    /// Restore the newest backup into a scratch folder, to see that it can be done.
    Rehearse(operate::recover::RehearseArgs),
    /// What went wrong: list, write a report, acknowledge.
    Incidents(operate::incidents::IncidentsArgs),
    /// Long work: list, show, pause, resume, cancel.
    Jobs(operate::jobs::JobsArgs),
    /// What is dropped, blocked, not stored.
    Rules(operate::rules::RulesArgs),
    /// Records that could not be stored: browse, mend, redrive.
    DeadLetters(operate::letters::LettersArgs),
    /// Forget a person.
    Erase(operate::persons::EraseArgs),
    /// Delete a project, or bring it back.
    #[command(subcommand)]
    Project(operate::projects::ProjectCommand),
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
        Command::Vacuum(args) => vacuum::run(&args).await,
        Command::Query { args, connect } => query::run(&args, &Client::connect(&connect)?).await,
        Command::Sql { args, connect } => sql::run(&args, &Client::connect(&connect)?).await,
        Command::Ledger { args, connect } => books::ledger(&args, &Client::connect(&connect)?).await,
        Command::Verify(args) => books::verify(&args).await,
        Command::Status(args) => operate::status::run(&args).await,
        Command::Skip { args, connect } => operate::verbs::skip(&args, &Client::connect(&connect)?).await,
        Command::Replay { args, connect } => operate::verbs::replay(&args, &Client::connect(&connect)?).await,
        Command::Reprocess { args, connect } => {
            operate::verbs::reprocess(&args, &Client::connect(&connect)?).await
        }
        Command::Rebuild(command) => operate::verbs::rebuild(command).await,
        Command::Backup(args) => operate::recover::backup(&args).await,
        Command::Restore(args) => operate::recover::restore(&args).await,
        Command::Rehearse(args) => operate::recover::rehearse(&args).await,
        Command::Definitions(args) => vocabulary::definitions(&args).await,
        Command::Cohorts(args) => vocabulary::cohorts(&args).await,
        Command::Incidents(args) => operate::incidents::run(&args).await,
        Command::Jobs(args) => operate::jobs::run(&args).await,
        Command::Rules(args) => operate::rules::run(&args).await,
        Command::DeadLetters(args) => operate::letters::run(&args).await,
        Command::Erase(args) => operate::persons::run(&args).await,
        Command::Project(command) => operate::projects::run(&command).await,
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn documented_commands_parse() {
        for line in [
            "skip --lane live --partition 0 --from 5 --to 9 --reason poison",
            "skip --lane live --from 5 --to 9 --reason poison --environment production --dry-run --json",
            "replay --all-skipped --detach",
            "replay --lane bulk --partition 1 --from 0 --to 7",
            "reprocess --all --project shop",
            "reprocess --received-from 2026-01-01 --received-to 2026-01-02 --dry-run",
            "rebuild state --switch never",
            "rebuild segments",
            "rebuild catalog --data /d --environment production --json",
            "backup --to file:/b --json",
            "restore --from file:/b --data /d --json",
            "rehearse --from /b --scratch /s",
            "jobs",
            "incidents --json",
            "incidents report 01J",
            "definitions --project shop",
            "definitions set virtual_event engaged - --project shop",
            "definitions versions rename sign_up",
            "cohorts add payers query.json --dynamic --project shop",
            "cohorts members 3 --json",
            "jobs show 5 --json",
            "rules list --project shop",
            "rules add --project shop --name bots --drop Play --reason ticket",
            "rules try --project shop --block-user u1 --from 2026-01-01",
            "rules disable 3 --project shop",
            "dead-letters list --project shop --json",
            "dead-letters redrive live/0@3 --body {} --project shop",
            "dead-letters redrive --reason invalid_field --map time=null --dry-run --project shop",
            "dead-letters list --unowned",
            "dead-letters redrive --reason unknown_project --unowned --project shop",
            "erase ann --project shop --reason art17 --environment production",
            "erase --undo 3 --project shop",
            "project delete shop --yes",
            "status --json",
            "vacuum add orders --from s3://exports/orders?region=eu-1 --project shop --map map.toml",
            "vacuum plan orders --rows 100 --json",
            "vacuum plan --from ./exports --project shop --format amplitude-export",
            "vacuum run --from exports --project shop --match csv$ --settle 0",
            "vacuum status",
            "vacuum accept orders a/b.csv --rest",
            "vacuum rejects orders --limit 5",
        ] {
            let words = std::iter::once("tallymark").chain(line.split(' '));
            assert!(Cli::try_parse_from(words).is_ok(), "{line}");
        }
        for line in
            ["replay", "reprocess", "replay --all-skipped --lane live --from 0 --to 1", "skip --from 5"]
        {
            let words = std::iter::once("tallymark").chain(line.split(' '));
            assert!(Cli::try_parse_from(words).is_err(), "{line} says too little or too much");
        }
    }
}
