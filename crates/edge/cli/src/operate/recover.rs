//! `tallymark backup | restore | rehearse | rebuild catalog`.
//!
//! Guarantees: a running server makes the backup itself, as a job; a stopped one's folder is backed up from here; a
//! restore goes into an empty place only, and the catalog that is replaced is kept.

use super::consent::{self, ConsentArgs};
use super::follow::FollowArgs;
use super::verbs::{RunArgs, start};
use crate::Failure;
use crate::client::{Client, ConnectArgs};
use crate::show;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;
use tallymark_model::CommitSeq;
use tallymark_server::recover::{self, At, Destructive, Reversal};

/// Where to back up to.
#[derive(Debug, Clone, clap::Args)]
pub struct BackupArgs {
    /// Folder or URL. Default: as the instance's settings say.
    #[arg(long)]
    pub to: Option<String>,
    #[command(flatten)]
    pub follow: FollowArgs,
    #[command(flatten)]
    pub connect: ConnectArgs,
}

/// What to restore, and into where.
#[derive(Debug, Clone, clap::Args)]
pub struct RestoreArgs {
    /// Folder or URL of the backups.
    #[arg(long)]
    pub from: String,
    /// Data folder to make; it must be empty or not exist.
    #[arg(long)]
    pub data: PathBuf,
    /// This backup and no other, by name. Default: the newest that is whole.
    #[arg(long, conflicts_with = "commit")]
    pub backup: Option<String>,
    /// The newest backup that is not beyond this commit.
    #[arg(long)]
    pub commit: Option<u64>,
    /// Print the report as JSON.
    #[arg(long)]
    pub json: bool,
}

/// What to rehearse.
#[derive(Debug, Clone, clap::Args)]
pub struct RehearseArgs {
    /// Folder or URL of the backups. Default: as the instance's settings say.
    #[arg(long)]
    pub from: Option<String>,
    /// Rehearse here instead of asking a server, in this scratch folder.
    #[arg(long, requires = "from")]
    pub scratch: Option<PathBuf>,
    #[command(flatten)]
    pub follow: FollowArgs,
    #[command(flatten)]
    pub connect: ConnectArgs,
}

/// Whose catalog to build anew.
#[derive(Debug, Clone, clap::Args)]
pub struct RebuildCatalogArgs {
    /// Data folder of the stopped server.
    #[arg(long, env = "TALLYMARK_DATA", default_value = "./tallymark-data")]
    pub data: PathBuf,
    #[command(flatten)]
    pub consent: ConsentArgs,
    /// Print the report as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Runs `backup`.
pub async fn backup(args: &BackupArgs) -> Result<ExitCode, Failure> {
    if let Some(client) = running(&args.connect).await? {
        let spec = args.to.as_ref().map_or_else(|| json!({}), |to| json!({"to": absolute(to)}));
        return start(&client, "backup", None, spec, &of_command("backup by command", args.follow)).await;
    }
    let Some(to) = &args.to else { return Err("no server runs here: say where to with --to".into()) };
    print(&recover::back_up(&args.connect.data, &absolute(to)).await?, args.follow.json)?;
    Ok(ExitCode::SUCCESS)
}

/// Runs `restore`.
pub async fn restore(args: &RestoreArgs) -> Result<ExitCode, Failure> {
    let at = match (&args.backup, args.commit) {
        (Some(name), _) => At::Name(name.clone()),
        (None, Some(seq)) => At::Seq(CommitSeq(seq)),
        (None, None) => At::Newest,
    };
    let report = recover::restore(&absolute(&args.from), at, &args.data).await?;
    print(&report, args.json)?;
    Ok(if report.books.is_sound() { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

/// Runs `rehearse`.
pub async fn rehearse(args: &RehearseArgs) -> Result<ExitCode, Failure> {
    if let (Some(scratch), Some(from)) = (&args.scratch, &args.from) {
        let done = recover::rehearse(&absolute(from), scratch).await?;
        print(&done, args.follow.json)?;
        return Ok(if done.ok { ExitCode::SUCCESS } else { ExitCode::from(2) });
    }
    let Some(client) = running(&args.connect).await? else {
        return Err("no server runs here: give --from and --scratch to rehearse without one".into());
    };
    let spec = args.from.as_ref().map_or_else(|| json!({}), |from| json!({"from": absolute(from)}));
    start(&client, "rehearse", None, spec, &of_command("rehearsal by command", args.follow)).await
}

/// Runs `rebuild catalog`.
pub async fn rebuild_catalog(args: &RebuildCatalogArgs) -> Result<ExitCode, Failure> {
    let holding = recover::holding(&args.data).await?;
    let mut effects = vec![
        format!("a new catalog for {}, from copies of commits and settings", args.data.display()),
        "the old file is kept beside it as catalog.db.before-rebuild-…; put it back to undo".to_owned(),
    ];
    if holding.events.is_none() {
        effects.push("how many events there are cannot be said without the catalog".to_owned());
    }
    let plan = Destructive {
        action: "rebuild the catalog".to_owned(),
        effects,
        environment: holding.environment,
        projects: holding.projects,
        events: holding.events.unwrap_or_default(),
        reversal: Reversal::Possible,
    };
    consent::ask(&plan, &args.consent)?;
    let report = recover::rebuild_catalog(&args.data).await?;
    let sound = report.books.is_sound() && report.repairs.is_empty();
    print(&report, args.json)?;
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

fn of_command(reason: &str, follow: FollowArgs) -> RunArgs {
    RunArgs { reason: reason.to_owned(), follow, ..RunArgs::default() }
}

/// The server that was named, or the one of the data folder if it answers.
async fn running(connect: &ConnectArgs) -> Result<Option<Client>, Failure> {
    if connect.url.is_some() {
        return Ok(Some(Client::connect(connect)?));
    }
    let Ok(client) = Client::connect(connect) else { return Ok(None) };
    Ok(client.answers().await.then_some(client))
}

/// A folder means the same for a server that runs elsewhere.
fn absolute(place: &str) -> String {
    let path = place.strip_prefix("file:").map(|p| p.strip_prefix("//").unwrap_or(p)).unwrap_or(place);
    if place.contains("://") && !place.starts_with("file:") {
        return place.to_owned();
    }
    match std::path::absolute(path) {
        Ok(path) => format!("file:{}", path.display()),
        Err(_) => place.to_owned(),
    }
}

fn print(report: &impl serde::Serialize, json: bool) -> Result<(), Failure> {
    let report: Value = serde_json::to_value(report)?;
    if json {
        println!("{}", serde_json::to_string_pretty(&report)?);
        return Ok(());
    }
    for (name, value) in report.as_object().into_iter().flatten() {
        println!("{name}: {}", show::brief(value));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_become_absolute_and_urls_stay() {
        assert_eq!(absolute("/b"), "file:/b");
        assert_eq!(absolute("file:/b"), "file:/b");
        assert_eq!(absolute("file:///b"), "file:/b");
        assert_eq!(absolute("s3://bucket/x"), "s3://bucket/x");
        let here = std::env::current_dir().unwrap();
        assert_eq!(absolute("b"), format!("file:{}/b", here.display()));
    }
}
