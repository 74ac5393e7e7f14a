//! `tallymark project`: deleting a project so that it can come back.

use super::consent::{self, ConsentArgs};
use crate::Failure;
use crate::client::{Client, ConnectArgs, path_segment};
use crate::show::cell;
use serde_json::json;
use std::process::ExitCode;
use tallymark_server::recover::{Destructive, Environment, Reversal};

/// What to do with a project.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum ProjectCommand {
    /// Delete it; for seven days it can be restored whole.
    Delete {
        /// Id or name.
        project: String,
        /// Why; kept in the audit trail.
        #[arg(long, default_value = "")]
        reason: String,
        #[command(flatten)]
        consent: ConsentArgs,
        #[command(flatten)]
        connect: ConnectArgs,
    },
    /// Bring a deleted one back.
    Restore {
        /// Id or name.
        project: String,
        #[command(flatten)]
        connect: ConnectArgs,
    },
}

/// Runs `project`.
pub async fn run(command: &ProjectCommand) -> Result<ExitCode, Failure> {
    match command {
        ProjectCommand::Restore { project, connect } => {
            let client = Client::connect(connect)?;
            let path = format!("/api/v1/projects/{}/restore", path_segment(project));
            let restored = client.post(&path, &json!({})).await?;
            println!("project {} is back", cell(&restored["name"]));
        }
        ProjectCommand::Delete { project, reason, consent, connect } => {
            let client = Client::connect(connect)?;
            let path = format!("/api/v1/projects/{}", path_segment(project));
            let found = client.get(&path).await?;
            let identity = client.get(&format!("{path}/ledger")).await?["identity"].clone();
            let environment = environment(&client).await?;
            let plan = Destructive {
                action: format!("delete project {}", cell(&found["name"])),
                effects: vec![
                    "nobody sees its charts any more; its files go after 7 days".to_owned(),
                    format!("until then: `tallymark project restore {}`", cell(&found["name"])),
                ],
                environment: environment.clone(),
                projects: vec![cell(&found["name"])],
                events: identity["acknowledged"].as_u64().unwrap_or_default(),
                reversal: Reversal::Possible,
            };
            consent::ask(&plan, consent)?;
            let query =
                format!("confirm={}&reason={}", path_segment(&environment.name), path_segment(reason));
            let gone = client.delete(&format!("{path}?{query}")).await?;
            println!(
                "project {} is deleted; it can be restored until {}",
                cell(&gone["name"]),
                cell(&gone["undo_until"])
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Which environment the server is.
pub async fn environment(client: &Client) -> Result<Environment, Failure> {
    let summary = client.get("/api/v1/operations/summary").await?;
    Ok(Environment {
        name: summary["environment"].as_str().unwrap_or_default().to_owned(),
        protected: summary["protected"] == true,
    })
}
