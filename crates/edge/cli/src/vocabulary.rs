//! `tallymark definitions` and `tallymark cohorts`: what a project calls things, and which persons it keeps together.
//!
//! Deliberately not here: what they mean (the server's `query` and `insights`).

use crate::Failure;
use crate::client::{Client, ConnectArgs, path_segment};
use crate::show::{cell, csv_cell, table};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;

/// Of which project, and how to answer.
#[derive(Debug, Clone, clap::Args)]
pub struct Asking {
    /// Project, by id or name.
    #[arg(long, global = true, default_value = "demo")]
    pub project: String,
    /// Print as JSON.
    #[arg(long, global = true)]
    pub json: bool,
    #[command(flatten)]
    pub connect: ConnectArgs,
}

/// `tallymark definitions`.
#[derive(Debug, Clone, clap::Args)]
pub struct DefinitionsArgs {
    #[command(subcommand)]
    pub command: Option<DefinitionsCommand>,
    #[command(flatten)]
    pub asking: Asking,
}

/// What to do with definitions.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum DefinitionsCommand {
    /// Define, or define anew: a new version.
    Set {
        /// virtual_event, custom_property, lookup or rename.
        kind: String,
        /// Its name.
        name: String,
        /// File with the body as JSON; `-` = standard input.
        file: PathBuf,
    },
    /// Every version, newest first.
    Versions {
        /// virtual_event, custom_property, lookup or rename.
        kind: String,
        /// Its name.
        name: String,
    },
    /// Delete; its versions stay readable.
    Delete {
        /// virtual_event, custom_property, lookup or rename.
        kind: String,
        /// Its name.
        name: String,
    },
}

/// `tallymark cohorts`.
#[derive(Debug, Clone, clap::Args)]
pub struct CohortsArgs {
    #[command(subcommand)]
    pub command: Option<CohortsCommand>,
    #[command(flatten)]
    pub asking: Asking,
}

/// What to do with cohorts.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum CohortsCommand {
    /// Keep a cohort.
    Add {
        /// Its name.
        name: String,
        /// File with a definition, or with a query that has a `microscope`; `-` = standard input.
        file: PathBuf,
        /// Of a query: keep a definition that means its persons instead of the persons.
        #[arg(long)]
        dynamic: bool,
    },
    /// Its members, a line each: the person's id and name.
    Members {
        /// Its id.
        cohort: String,
    },
    /// Delete it.
    Delete {
        /// Its id.
        cohort: String,
    },
}

/// Lists or changes definitions.
pub async fn definitions(args: &DefinitionsArgs) -> Result<ExitCode, Failure> {
    let client = Client::connect(&args.asking.connect)?;
    let base = format!("/api/v1/projects/{}/definitions", path_segment(&args.asking.project));
    let of = |kind: &str, name: &str| format!("{base}/{}/{}", path_segment(kind), path_segment(name));
    let found = match &args.command {
        None => client.get(&base).await?,
        Some(DefinitionsCommand::Versions { kind, name }) => {
            client.get(&format!("{}/versions", of(kind, name))).await?
        }
        Some(DefinitionsCommand::Set { kind, name, file }) => {
            json!({"definitions": [client.put(&of(kind, name), &document(file)?).await?]})
        }
        Some(DefinitionsCommand::Delete { kind, name }) => {
            client.delete(&of(kind, name)).await?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    let header = ["kind", "name", "version", "by", "made at", "body"];
    let row = |d: &Value| ["kind", "name", "version", "by", "made_at", "body"].map(|k| cell(&d[k])).to_vec();
    print(&found, "definitions", &header, row, args.asking.json)
}

/// Lists or changes cohorts.
pub async fn cohorts(args: &CohortsArgs) -> Result<ExitCode, Failure> {
    let client = Client::connect(&args.asking.connect)?;
    let base = format!("/api/v1/projects/{}/cohorts", path_segment(&args.asking.project));
    let found = match &args.command {
        None => client.get(&base).await?,
        Some(CohortsCommand::Add { name, file, dynamic }) => {
            let what = document(file)?;
            let body = match what["microscope"].is_object() {
                true => {
                    let kind = if *dynamic { "dynamic" } else { "static" };
                    json!({"name": name, "query": what, "kind": kind})
                }
                false => json!({"name": name, "definition": what}),
            };
            json!({"cohorts": [client.post_once(&base, &body).await?]})
        }
        Some(CohortsCommand::Members { cohort }) => {
            return members(&client, &base, cohort, args.asking.json).await;
        }
        Some(CohortsCommand::Delete { cohort }) => {
            client.delete(&format!("{base}/{}", path_segment(cohort))).await?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    let header = ["cohort", "name", "kind", "persons", "as of commit", "computed", "problem"];
    let row = |c: &Value| {
        let of = &c["membership"];
        let ours = [&c["id"], &c["name"], &c["kind"]];
        let theirs = ["size", "seq", "computed_at", "problem"].map(|k| &of[k]);
        ours.into_iter().chain(theirs).map(cell).collect()
    };
    print(&found, "cohorts", &header, row, args.asking.json)
}

/// All pages, in order.
async fn members(client: &Client, base: &str, cohort: &str, json: bool) -> Result<ExitCode, Failure> {
    let mut all = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("{base}/{}/members?limit=1000{cursor}", path_segment(cohort));
        let page = client.get(&path).await?;
        all.extend(page["members"].as_array().cloned().unwrap_or_default());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={}", path_segment(next)),
            None => break,
        }
    }
    if json {
        println!("{}", serde_json::to_string_pretty(&json!({ "members": all }))?);
    } else {
        for member in &all {
            println!("{},{}", csv_cell(&member["person"]), csv_cell(&member["name"]));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print(
    found: &Value,
    key: &str,
    header: &[&str],
    row: impl Fn(&Value) -> Vec<String>,
    json: bool,
) -> Result<ExitCode, Failure> {
    if json {
        println!("{}", serde_json::to_string_pretty(found)?);
    } else {
        println!("{}", table(header, found[key].as_array().into_iter().flatten().map(row).collect()));
    }
    Ok(ExitCode::SUCCESS)
}

/// A JSON document from a file or standard input.
fn document(file: &PathBuf) -> Result<Value, Failure> {
    let text = if file.as_os_str() == "-" {
        std::io::read_to_string(std::io::stdin())?
    } else {
        std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?
    };
    serde_json::from_str(&text).map_err(|e| format!("{}: {e}", file.display()).into())
}
