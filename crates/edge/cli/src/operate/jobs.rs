//! `tallymark jobs`: what is being worked on, and steering it.

use super::follow::{FollowArgs, follow, print};
use crate::Failure;
use crate::client::{Client, ConnectArgs, path_segment};
use crate::show::{cell, table};
use serde_json::{Value, json};
use std::process::ExitCode;

/// Which jobs.
#[derive(Debug, Clone, clap::Args)]
pub struct JobsArgs {
    #[command(subcommand)]
    pub command: Option<JobsCommand>,
    /// Print as JSON.
    #[arg(long, global = true)]
    pub json: bool,
    #[command(flatten)]
    pub connect: ConnectArgs,
}

/// What to do with a job.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum JobsCommand {
    /// One job with its report.
    Show {
        /// Its number.
        job: String,
    },
    /// Follow a job to its end.
    Follow {
        /// Its number.
        job: String,
    },
    /// Make a job wait.
    Pause {
        /// Its number.
        job: String,
    },
    /// Let it go on.
    Resume {
        /// Its number.
        job: String,
    },
    /// End it; what it did stays.
    Cancel {
        /// Its number.
        job: String,
    },
}

/// Lists or steers jobs.
pub async fn run(args: &JobsArgs) -> Result<ExitCode, Failure> {
    let client = Client::connect(&args.connect)?;
    let path = |job: &str| format!("/api/v1/operations/jobs/{}", path_segment(job));
    let steer = async |job: &str, verb: &str| client.post(&format!("{}/{verb}", path(job)), &json!({})).await;
    let job = match &args.command {
        None => return list(&client, args.json).await,
        Some(JobsCommand::Follow { job }) => {
            let started = client.get(&path(job)).await?;
            return follow(&client, started, FollowArgs { json: args.json, detach: false }).await;
        }
        Some(JobsCommand::Show { job }) => client.get(&path(job)).await?,
        Some(JobsCommand::Pause { job }) => steer(job, "pause").await?,
        Some(JobsCommand::Resume { job }) => steer(job, "resume").await?,
        Some(JobsCommand::Cancel { job }) => steer(job, "cancel").await?,
    };
    print(&job, args.json)?;
    Ok(ExitCode::SUCCESS)
}

async fn list(client: &Client, json: bool) -> Result<ExitCode, Failure> {
    let found = client.get("/api/v1/operations/jobs?limit=50").await?;
    if json {
        println!("{}", serde_json::to_string_pretty(&found)?);
        return Ok(ExitCode::SUCCESS);
    }
    let row = |job: &Value| {
        let progress = &job["progress"];
        let tried = if job["dry_run"] == true { " (tried)" } else { "" };
        vec![
            cell(&job["id"]),
            format!("{}{tried}", cell(&job["kind"])),
            cell(&job["state"]),
            format!("{}/{} {}", cell(&progress["done"]), cell(&progress["total"]), cell(&progress["unit"])),
            cell(&progress["eta"]),
            cell(&job["by"]),
            cell(&job["reason"]),
        ]
    };
    let rows = found["jobs"].as_array().into_iter().flatten().map(row).collect();
    println!("{}", table(&["job", "kind", "state", "progress", "until about", "by", "reason"], rows));
    Ok(ExitCode::SUCCESS)
}
