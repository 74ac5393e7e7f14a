//! `tallymark erase`: forgetting a person, and taking it back.

use super::consent::{self, ConsentArgs};
use crate::Failure;
use crate::client::{Client, ConnectArgs, path_segment};
use crate::show::{cell, table};
use serde_json::{Value, json};
use std::process::ExitCode;
use tallymark_server::recover::{Destructive, Environment, Reversal};

/// Whom to forget.
#[derive(Debug, Clone, clap::Args)]
pub struct EraseArgs {
    /// Person id, user id or device id. Without one: the wishes so far.
    pub person: Option<String>,
    /// Project, by id or name.
    #[arg(long)]
    pub project: String,
    /// Why; kept in the books.
    #[arg(long, default_value = "")]
    pub reason: String,
    /// Take this erasure back, by number.
    #[arg(long, value_name = "NUMBER", conflicts_with = "person")]
    pub undo: Option<u32>,
    /// Print as JSON.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub consent: ConsentArgs,
    #[command(flatten)]
    pub connect: ConnectArgs,
}

/// Runs `erase`.
pub async fn run(args: &EraseArgs) -> Result<ExitCode, Failure> {
    let client = Client::connect(&args.connect)?;
    let base = format!("/api/v1/projects/{}", path_segment(&args.project));
    if let Some(number) = args.undo {
        let answer = client.post(&format!("{base}/erasures/{number}/undo"), &json!({})).await?;
        return show(&[answer], args.json);
    }
    let Some(person) = &args.person else {
        let answer = client.get(&format!("{base}/erasures")).await?;
        return show(answer["erasures"].as_array().map(Vec::as_slice).unwrap_or_default(), args.json);
    };
    if args.reason.is_empty() {
        return Err("erase needs a --reason; it is kept in the books".into());
    }
    let found = client.get(&format!("{base}/persons/{}", path_segment(person))).await?;
    let project = client.get(&base).await?;
    let environment = super::projects::environment(&client).await?;
    consent::ask(&plan(person, &found, &project, &environment), &args.consent)?;
    let body = json!({"reason": args.reason, "confirm": environment.name});
    let answer = client.post_once(&format!("{base}/persons/{}/erase", path_segment(person)), &body).await?;
    show(&[answer], args.json)
}

fn plan(person: &str, found: &Value, project: &Value, environment: &Environment) -> Destructive {
    let ids: Vec<String> = ["user_ids", "device_ids"]
        .iter()
        .flat_map(|k| found[*k].as_array().into_iter().flatten().map(cell))
        .collect();
    Destructive {
        action: format!("erase the person {person}"),
        effects: vec![
            format!("ids: {}", ids.join(", ")),
            "no chart counts them any more; after 7 days their rows are removed from files".to_owned(),
            "until then: `tallymark erase --undo NUMBER`".to_owned(),
        ],
        environment: environment.clone(),
        projects: vec![cell(&project["name"])],
        events: found["events"].as_u64().unwrap_or_default(),
        reversal: Reversal::Possible,
    }
}

fn show(erasures: &[Value], json: bool) -> Result<ExitCode, Failure> {
    if json {
        println!("{}", serde_json::to_string_pretty(&json!({ "erasures": erasures }))?);
        return Ok(ExitCode::SUCCESS);
    }
    let row = |e: &Value| {
        let ids: Vec<String> =
            e["subjects"].as_array().into_iter().flatten().map(|s| cell(&s["id"])).collect();
        vec![
            cell(&e["id"]),
            cell(&e["state"]),
            ids.join(", "),
            cell(&e["made_at"]),
            cell(&e["undo_until"]),
            cell(&e["reason"]),
        ]
    };
    println!(
        "{}",
        table(
            &["erasure", "state", "ids", "asked", "undo until", "reason"],
            erasures.iter().map(row).collect()
        )
    );
    Ok(ExitCode::SUCCESS)
}
