//! Following a job: a bar on a terminal, one document for programs.
//!
//! Guarantees: leaving (ctrl-C) leaves the job running; the exit code is 0 only if the job was done.

use crate::Failure;
use crate::client::Client;
use crate::show;
use serde_json::Value;
use std::process::ExitCode;
use std::time::Duration;

const EVERY: Duration = Duration::from_millis(400);

/// How to show a job.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub struct FollowArgs {
    /// Print the job as JSON, when it is over.
    #[arg(long)]
    pub json: bool,
    /// Start it and do not wait.
    #[arg(long)]
    pub detach: bool,
}

/// Follows a job to its end and prints what came out.
pub async fn follow(client: &Client, started: Value, args: FollowArgs) -> Result<ExitCode, Failure> {
    if args.detach {
        print(&started, args.json)?;
        return Ok(ExitCode::SUCCESS);
    }
    let id = started["id"].as_str().unwrap_or_default().to_owned();
    let bar = if args.json { indicatif::ProgressBar::hidden() } else { show::job_bar() };
    let mut job = started;
    while !is_over(&job) {
        draw(&bar, &job);
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = tokio::signal::ctrl_c() => {
                bar.abandon();
                eprintln!("job {id} goes on; see `tallymark jobs show {id}`, end it with `tallymark jobs cancel {id}`");
                return Ok(ExitCode::from(130));
            }
        }
        job = client.get(&format!("/api/v1/operations/jobs/{id}")).await?;
    }
    draw(&bar, &job);
    bar.finish_and_clear();
    print(&job, args.json)?;
    Ok(if job["state"] == "done" { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

fn is_over(job: &Value) -> bool {
    matches!(job["state"].as_str(), Some("done" | "failed" | "cancelled"))
}

fn draw(bar: &indicatif::ProgressBar, job: &Value) {
    let progress = &job["progress"];
    bar.set_length(progress["total"].as_u64().unwrap_or(0));
    bar.set_position(progress["done"].as_u64().unwrap_or(0));
    let state = job["state"].as_str().unwrap_or_default();
    let eta = progress["eta"].as_str().map(|at| format!(", until about {at}")).unwrap_or_default();
    let note = progress["note"].as_str().unwrap_or_default();
    bar.set_message(format!("{} {state}{eta} {note}", progress["unit"].as_str().unwrap_or_default()));
}

/// A job for people: one line, then what came out.
pub fn print(job: &Value, json: bool) -> Result<(), Failure> {
    if json {
        println!("{}", serde_json::to_string_pretty(job)?);
        return Ok(());
    }
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let tried = if job["dry_run"] == true { " (tried only)" } else { "" };
    println!("job {}: {} {}{tried}", text(&job["id"]), text(&job["kind"]), text(&job["state"]));
    if let Some(error) = job["error"].as_str() {
        println!("  {error}");
    }
    if let Some(report) = job["report"].as_object() {
        for (name, value) in report {
            println!("  {name}: {}", show::brief(value));
        }
    }
    Ok(())
}
