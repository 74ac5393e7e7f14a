//! `tallymark skip | replay | reprocess | rebuild`: jobs with a plan before and progress while.

use super::consent::{self, ConsentArgs};
use super::follow::{FollowArgs, follow};
use crate::Failure;
use crate::client::{Client, ConnectArgs};
use crate::show;
use serde_json::{Map, Value, json};
use std::process::ExitCode;
use tallymark_server::recover::{Destructive, Environment, Reversal};

/// A range of one partition of one lane.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct RangeArgs {
    /// `live` or `bulk`.
    #[arg(long, requires = "from", requires = "to")]
    pub lane: Option<String>,
    /// Partition.
    #[arg(long, default_value_t = 0)]
    pub partition: u16,
    /// First offset.
    #[arg(long, requires = "lane")]
    pub from: Option<u64>,
    /// First offset after.
    #[arg(long, requires = "lane")]
    pub to: Option<u64>,
}

impl RangeArgs {
    fn ranges(&self) -> Option<Value> {
        let (Some(lane), Some(from), Some(to)) = (&self.lane, self.from, self.to) else { return None };
        Some(json!([{"lane": lane, "partition": self.partition, "from": from, "to": to}]))
    }
}

/// What every job takes.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct RunArgs {
    /// Why; kept in the books.
    #[arg(long, default_value = "")]
    pub reason: String,
    /// Only report what would happen.
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub consent: ConsentArgs,
    #[command(flatten)]
    pub follow: FollowArgs,
}

/// Moves the cursor over a range without processing it; `replay` heals it.
#[derive(Debug, Clone, clap::Args)]
pub struct SkipArgs {
    #[command(flatten)]
    pub range: RangeArgs,
    /// Declare the range lost instead: for records that cannot be read any more.
    #[arg(long)]
    pub lost: bool,
    #[command(flatten)]
    pub run: RunArgs,
}

/// Processes what was skipped.
#[derive(Debug, Clone, clap::Args)]
pub struct ReplayArgs {
    /// Everything that is skipped.
    #[arg(long, conflicts_with = "lane", required_unless_present = "lane")]
    pub all_skipped: bool,
    #[command(flatten)]
    pub range: RangeArgs,
    #[command(flatten)]
    pub run: RunArgs,
}

/// Decides records again, with the rules of now.
#[derive(Debug, Clone, clap::Args)]
#[command(group(clap::ArgGroup::new("what").required(true).multiple(true)
    .args(["lane", "received_from", "received_to", "all"])))]
pub struct ReprocessArgs {
    /// Only this project, by id or name.
    #[arg(long)]
    pub project: Option<String>,
    #[command(flatten)]
    pub range: RangeArgs,
    /// Received since this instant or UTC date.
    #[arg(long, conflicts_with = "lane")]
    pub received_from: Option<String>,
    /// Received before this instant, or through this UTC date.
    #[arg(long, conflicts_with = "lane")]
    pub received_to: Option<String>,
    /// Everything that is accounted.
    #[arg(long, conflicts_with_all = ["lane", "received_from", "received_to"])]
    pub all: bool,
    #[command(flatten)]
    pub run: RunArgs,
}

/// Derives again what was lost.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum RebuildCommand {
    /// The processor's state, from the commits' deltas.
    State {
        #[command(flatten)]
        args: RebuildArgs,
        #[command(flatten)]
        connect: ConnectArgs,
    },
    /// Who is who, from the log.
    Identity {
        #[command(flatten)]
        args: RebuildArgs,
        #[command(flatten)]
        connect: ConnectArgs,
    },
    /// Segment files that are missing or damaged, from the log or its archive.
    Segments {
        /// Only these; default: check every live one.
        ids: Vec<String>,
        #[command(flatten)]
        run: RunArgs,
        #[command(flatten)]
        connect: ConnectArgs,
    },
    /// The catalog of a stopped server, from what lies in the object store.
    Catalog(super::recover::RebuildCatalogArgs),
}

/// How to rebuild state.
#[derive(Debug, Clone, clap::Args)]
pub struct RebuildArgs {
    /// Whether to go over to the new state: `auto` = if it differs, `always`, `never`.
    #[arg(long, default_value = "auto")]
    pub switch: String,
    #[command(flatten)]
    pub run: RunArgs,
}

/// Runs `skip`.
pub async fn skip(args: &SkipArgs, client: &Client) -> Result<ExitCode, Failure> {
    let Some(ranges) = args.range.ranges() else {
        return Err("skip needs --lane, --from and --to (and --partition if it is not 0)".into());
    };
    if args.run.reason.is_empty() {
        return Err("skip needs a --reason; it is kept in the books".into());
    }
    let mut spec = json!({ "ranges": ranges });
    if args.lost {
        spec["lost"] = true.into();
    }
    start(client, "skip", None, spec, &args.run).await
}

/// Runs `replay`.
pub async fn replay(args: &ReplayArgs, client: &Client) -> Result<ExitCode, Failure> {
    let spec = args.range.ranges().map_or_else(|| json!({}), |ranges| json!({ "ranges": ranges }));
    start(client, "replay", None, spec, &args.run).await
}

/// Runs `reprocess`.
pub async fn reprocess(args: &ReprocessArgs, client: &Client) -> Result<ExitCode, Failure> {
    let mut spec = Map::new();
    if let Some(ranges) = args.range.ranges() {
        spec.insert("ranges".to_owned(), ranges);
    }
    for (name, at) in [("received_from", &args.received_from), ("received_to", &args.received_to)] {
        if let Some(at) = at {
            spec.insert(name.to_owned(), at.as_str().into());
        }
    }
    let mut run = args.run.clone();
    if run.reason.is_empty() {
        run.reason = "reprocess by command".to_owned();
    }
    start(client, "reprocess", args.project.as_deref(), spec.into(), &run).await
}

/// Runs `rebuild state | identity | segments`.
pub async fn rebuild(command: RebuildCommand) -> Result<ExitCode, Failure> {
    let (kind, spec, run, connect) = match command {
        RebuildCommand::Catalog(args) => return super::recover::rebuild_catalog(&args).await,
        RebuildCommand::State { args, connect } => {
            ("rebuild_state", json!({"switch": args.switch}), args.run, connect)
        }
        RebuildCommand::Identity { args, connect } => {
            ("rebuild_identity", json!({"switch": args.switch}), args.run, connect)
        }
        RebuildCommand::Segments { ids, run, connect } => {
            let spec = if ids.is_empty() { json!({}) } else { json!({ "segments": ids }) };
            ("rebuild_segments", spec, run, connect)
        }
    };
    start(&Client::connect(&connect)?, kind, None, spec, &run).await
}

/// Asks what the job would touch, asks the operator if that is destructive, starts it, follows it.
pub async fn start(
    client: &Client,
    kind: &str,
    project: Option<&str>,
    spec: Value,
    run: &RunArgs,
) -> Result<ExitCode, Failure> {
    let mut body = json!({
        "kind": kind, "project": project, "spec": spec, "dry_run": run.dry_run, "reason": run.reason,
    });
    let scope = client.post("/api/v1/operations/jobs/scope", &body).await?;
    let environment = scope["environment"].as_str().unwrap_or_default().to_owned();
    if scope["destructive"] == true && !run.dry_run {
        consent::ask(&plan(kind, &scope), &run.consent)?;
        body["confirm"] = environment.into();
    } else if let Some(given) = &run.consent.environment {
        // Meant for an environment: the server refuses if it is another one.
        body["confirm"] = given.as_str().into();
    }
    if let Some(problem) = scope["problem"].as_str() {
        return Err(problem.into());
    }
    let job = client.post_once("/api/v1/operations/jobs", &body).await?;
    follow(client, job, run.follow).await
}

fn plan(kind: &str, scope: &Value) -> Destructive {
    let list = |v: &Value| v.as_array().cloned().unwrap_or_default();
    let mut effects: Vec<String> = list(&scope["ranges"])
        .iter()
        .map(|r| {
            let number = |k: &str| show::group(r[k].as_u64().unwrap_or_default());
            format!(
                "{}/{}, offsets {} to {}",
                show::cell(&r["lane"]),
                number("partition"),
                number("from"),
                number("to")
            )
        })
        .collect();
    effects.push(match kind {
        "skip" => "these records are not processed; `tallymark replay` does it later".to_owned(),
        _ => {
            "outcomes and charts change to what today's rules say; change the rules and reprocess to go back"
                .to_owned()
        }
    });
    Destructive {
        action: kind.to_owned(),
        effects,
        environment: Environment {
            name: scope["environment"].as_str().unwrap_or_default().to_owned(),
            protected: scope["protected"] == true,
        },
        projects: list(&scope["projects"]).iter().filter_map(|p| p.as_str().map(str::to_owned)).collect(),
        events: scope["events"].as_u64().unwrap_or_default(),
        reversal: Reversal::Possible,
    }
}
