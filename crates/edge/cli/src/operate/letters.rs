//! `tallymark dead-letters`: browse, mend, decide again.

use crate::Failure;
use crate::client::{Client, ConnectArgs, path_segment};
use crate::show::{cell, group, table};
use serde_json::{Map, Value, json};
use std::process::ExitCode;

/// Whose letters.
#[derive(Debug, Clone, clap::Args)]
pub struct LettersArgs {
    #[command(subcommand)]
    pub command: LettersCommand,
    /// Project, by id or name.
    #[arg(long, global = true, default_value = "")]
    pub project: String,
    /// Letters that belong to no project, because their key is unknown; a redrive gives them to --project.
    #[arg(long, global = true)]
    pub unowned: bool,
    /// Print as JSON.
    #[arg(long, global = true)]
    pub json: bool,
    #[command(flatten)]
    pub connect: ConnectArgs,
}

/// What to do with letters.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum LettersCommand {
    /// The newest letters.
    List {
        /// At most this many.
        #[arg(long, default_value_t = 50)]
        limit: usize,
        /// Only with this reason code.
        #[arg(long)]
        reason: Option<String>,
    },
    /// One letter with its bytes.
    Show {
        /// Where it stands, as `live/0@123`.
        position: String,
    },
    /// Decide letters again with mended bytes.
    Redrive(RedriveArgs),
}

/// Which letters, and how they are mended.
#[derive(Debug, Clone, clap::Args)]
pub struct RedriveArgs {
    /// One letter, as `live/0@123`.
    #[arg(conflicts_with_all = ["map", "reason"], required_unless_present = "reason")]
    pub position: Option<String>,
    /// The mended event as JSON; `@FILE` reads it. Default: as it was sent.
    #[arg(long, requires = "position")]
    pub body: Option<String>,
    /// How every letter with --reason is mended: FIELD=EXPRESSION (CEL over `row`, `num` and `text`; may be repeated).
    #[arg(long, value_name = "FIELD=EXPRESSION", requires = "reason")]
    pub map: Vec<String>,
    /// Every letter with this reason code, as it was sent or mended by --map.
    #[arg(long)]
    pub reason: Option<String>,
    /// At most this many letters.
    #[arg(long, default_value_t = 1000)]
    pub limit: usize,
    /// Only say what would happen.
    #[arg(long)]
    pub dry_run: bool,
}

/// Runs `dead-letters`.
pub async fn run(args: &LettersArgs) -> Result<ExitCode, Failure> {
    let gives_away = args.unowned && matches!(args.command, LettersCommand::Redrive(_));
    if args.project.is_empty() && (!args.unowned || gives_away) {
        return Err("whose dead letters? give --project".into());
    }
    let client = Client::connect(&args.connect)?;
    let base = if args.unowned {
        "/api/v1/operations/dead-letters".to_owned()
    } else {
        format!("/api/v1/projects/{}/dead-letters", path_segment(&args.project))
    };
    match &args.command {
        LettersCommand::List { limit, reason } => {
            let found = find(&client, &base, *limit, |l| {
                reason.as_ref().is_none_or(|r| l["reason"]["code"] == r.as_str())
            });
            list(&found.await?, args.json)
        }
        LettersCommand::Show { position } => {
            let found = find(&client, &base, 1, |l| l["position"] == position.as_str()).await?;
            let Some(letter) = found.first() else {
                return Err(format!("there is no dead letter at {position}").into());
            };
            println!("{}", serde_json::to_string_pretty(letter)?);
            Ok(ExitCode::SUCCESS)
        }
        LettersCommand::Redrive(redrive) => {
            let mut body = body(redrive)?;
            if gives_away {
                body["project"] = args.project.as_str().into();
            }
            let answer = client.post_once(&format!("{base}/redrive"), &body).await?;
            report(&answer, args.json)
        }
    }
}

/// The newest letters that fit, from as many pages as it takes.
async fn find(
    client: &Client,
    base: &str,
    limit: usize,
    fits: impl Fn(&Value) -> bool,
) -> Result<Vec<Value>, Failure> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("{base}?limit=500{cursor}")).await?;
        let letters = page["dead"].as_array().cloned().unwrap_or_default();
        found.extend(letters.into_iter().filter(|l| fits(l)).take(limit - found.len()));
        match page["next"].as_str() {
            Some(next) if found.len() < limit => cursor = format!("&cursor={}", path_segment(next)),
            _ => return Ok(found),
        }
    }
}

fn list(letters: &[Value], json: bool) -> Result<ExitCode, Failure> {
    if json {
        println!("{}", serde_json::to_string_pretty(&json!({ "dead": letters }))?);
        return Ok(ExitCode::SUCCESS);
    }
    let row = |l: &Value| {
        let body: String = cell(&l["body"]).chars().take(60).collect();
        vec![
            cell(&l["position"]),
            cell(&l["received_at"]),
            cell(&l["reason"]["code"]),
            cell(&l["reason"]["message"]),
            body,
        ]
    };
    println!(
        "{}",
        table(&["position", "received", "reason", "what", "bytes"], letters.iter().map(row).collect())
    );
    Ok(ExitCode::SUCCESS)
}

fn body(args: &RedriveArgs) -> Result<Value, Failure> {
    if let Some(position) = &args.position {
        let mut item = json!({ "position": position });
        match args.body.as_deref().map(|body| (body, body.strip_prefix('@'))) {
            Some((_, Some(path))) => {
                let text = std::fs::read_to_string(path).map_err(|e| format!("{path}: {e}"))?;
                item["body"] = text.into();
            }
            Some((body, None)) => item["body"] = body.into(),
            None => {}
        }
        return Ok(json!({"items": [item], "dry_run": args.dry_run}));
    }
    let mut mapping = Map::new();
    for pair in &args.map {
        let Some((field, expression)) = pair.split_once('=') else {
            return Err(format!("--map {pair}: expected FIELD=EXPRESSION").into());
        };
        mapping.insert(field.trim().to_owned(), expression.trim().into());
    }
    Ok(json!({"mapping": mapping, "reason": args.reason, "limit": args.limit, "dry_run": args.dry_run}))
}

fn report(answer: &Value, json: bool) -> Result<ExitCode, Failure> {
    let refused = answer["refused"].as_u64().unwrap_or_default();
    if json {
        println!("{}", serde_json::to_string_pretty(answer)?);
    } else {
        let tried = if answer["dry_run"] == true { "would be " } else { "" };
        let redriven = answer["redriven"].as_u64().unwrap_or_default();
        println!("{} letters {tried}redriven, {} refused", group(redriven), group(refused));
        for letter in answer["letters"].as_array().into_iter().flatten() {
            if let Some(error) = letter["error"].as_str() {
                println!("  {}: {error}", cell(&letter["position"]));
            }
        }
    }
    Ok(if refused == 0 { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_are_read_at_the_first_equals_sign() {
        let args = RedriveArgs {
            position: None,
            body: None,
            map: vec!["event=row.event == 'x' ? 'y' : row.event".to_owned()],
            reason: Some("invalid_field".to_owned()),
            limit: 10,
            dry_run: true,
        };
        let json = body(&args).unwrap();
        assert_eq!(json["mapping"]["event"], "row.event == 'x' ? 'y' : row.event");
        assert!(body(&RedriveArgs { map: vec!["event".into()], ..args.clone() }).is_err());
        let one = RedriveArgs { position: Some("live/0@3".to_owned()), map: vec![], reason: None, ..args };
        assert_eq!(body(&one).unwrap()["items"], json!([{"position": "live/0@3"}]), "as it was sent");
    }
}
