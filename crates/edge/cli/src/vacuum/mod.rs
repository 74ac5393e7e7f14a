//! `tallymark vacuum`: files of buckets and folders; what is watched, a dry run, a run by hand, how far it is.
//!
//! Guarantees: a run by hand and the server's own share one record, and never work at the same time; exit code 2 if
//! something was refused, changed or not read.
//! Deliberately not here: how files are taken (`tallymark_vacuum`).

mod show;
mod source;

use crate::Failure;
use crate::client::{Client, ClientError, ConnectArgs, path_segment};
use async_trait::async_trait;
use serde_json::{Value, json};
use source::SourceArgs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tallymark_vacuum::{
    Board, Context, EnvFailpoint, HttpDoor, PlanOptions, Record, Report, Seen, Source, Sources, VacuumError,
    accept, plan, read_board, read_rejects, round,
};
use tokio_util::sync::CancellationToken;

/// Files of buckets and folders.
#[derive(Debug, Clone, clap::Args)]
pub struct VacuumArgs {
    #[command(subcommand)]
    pub command: VacuumCommand,
    /// Print as JSON.
    #[arg(long, global = true)]
    pub json: bool,
    #[command(flatten)]
    pub connect: ConnectArgs,
}

/// What to do.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum VacuumCommand {
    /// Watch a bucket or folder from now on (writes `vacuum.toml` of the data folder).
    Add {
        /// What to call it.
        name: String,
        #[command(flatten)]
        source: SourceArgs,
    },
    /// Watch it no longer. What was taken stays, and is not taken again if it is added again.
    Remove {
        /// Its name.
        name: String,
    },
    /// What is watched.
    List,
    /// Dry run: what would be added, is there already, would be refused. Sends nothing.
    Plan {
        #[command(flatten)]
        which: Which,
        /// Read at most so many rows of each file.
        #[arg(long, default_value_t = u64::MAX, hide_default_value = true)]
        rows: u64,
        /// Show so many events and refused rows.
        #[arg(long, default_value_t = 5)]
        samples: usize,
    },
    /// Take what is new, once, in the foreground.
    Run {
        #[command(flatten)]
        which: Which,
    },
    /// How far each source is.
    Status,
    /// Rows that were refused, with file, row and reason.
    Rejects {
        /// Which source.
        name: String,
        /// Show so many.
        #[arg(long, default_value_t = 20)]
        limit: usize,
    },
    /// Have a file that changed, or could not be read, taken as it is now.
    Accept {
        /// Which source.
        name: String,
        /// The file's key, as `status` shows it.
        // Not called `key`: that is the global argument which says who asks.
        #[arg(value_name = "KEY")]
        file: String,
        /// Only the rows after those that were taken (a file that grew).
        #[arg(long)]
        rest: bool,
    },
}

/// A source of `vacuum.toml`, or one that is only described here.
#[derive(Debug, Clone, clap::Args)]
pub struct Which {
    /// Name of a source of `vacuum.toml`; without it and without --from: all of them.
    pub name: Option<String>,
    #[command(flatten)]
    pub source: source::AdHocArgs,
}

/// How long a run by hand waits for the server's to end.
const PATIENCE: Duration = Duration::from_secs(15);

/// Does it.
pub async fn run(args: &VacuumArgs) -> Result<ExitCode, Failure> {
    let path = args.connect.data.join("vacuum.toml");
    let folder = args.connect.data.join("vacuum");
    match &args.command {
        VacuumCommand::Add { name, source } => {
            let source = source.source(name)?;
            std::fs::create_dir_all(&args.connect.data)?;
            Sources::add(&path, &source)?;
            show::added(&source, &path, args.json)?;
        }
        VacuumCommand::Remove { name } => {
            if !Sources::remove(&path, name)? {
                return Err(format!("no source is called `{name}`; see `tallymark vacuum list`").into());
            }
            println!("{name} is watched no longer; what it took stays");
        }
        VacuumCommand::List => show::list(&Sources::load(&path)?, args.json)?,
        VacuumCommand::Status => {
            let record = Record::view(&folder)?;
            return show::status(&Sources::load(&path)?, &read_board(&folder), &record, args.json);
        }
        VacuumCommand::Rejects { name, limit } => {
            let (rejects, all) = read_rejects(&folder, name, *limit)?;
            show::rejects(&rejects, all, args.json)?;
        }
        VacuumCommand::Plan { which, rows, samples } => {
            let options = PlanOptions { rows_per_object: *rows, samples: *samples };
            return plan_all(args, which, &options).await;
        }
        VacuumCommand::Run { which } => return run_all(args, which).await,
        VacuumCommand::Accept { name, file, rest } => {
            let sources = Sources::load(&path)?;
            let source = named(&sources, name)?;
            let (_, project, _) = entrance(args, source).await?;
            let record = Arc::new(Mutex::new(opened(&folder).await?));
            if !accept(source, &record, &project, file, *rest).await? {
                return Err(format!(
                    "there is nothing to accept about `{file}`: it is not there, or it is taken as it is"
                )
                .into());
            }
            println!("{file} is taken in the next round");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn named<'a>(sources: &'a Sources, name: &str) -> Result<&'a Source, String> {
    sources.find(name).ok_or_else(|| format!("no source is called `{name}`; see `tallymark vacuum list`"))
}

fn chosen(args: &VacuumArgs, which: &Which) -> Result<Vec<Source>, Failure> {
    if which.source.from.is_some() {
        return Ok(vec![which.source.source(which.name.as_deref())?]);
    }
    let path = args.connect.data.join("vacuum.toml");
    let sources = Sources::load(&path)?;
    match &which.name {
        Some(name) => Ok(vec![named(&sources, name)?.clone()]),
        None if sources.source.is_empty() => {
            Err(format!("{} names no source; add one, or say --from and --project", path.display()).into())
        }
        None => Ok(sources.source),
    }
}

async fn entrance(args: &VacuumArgs, source: &Source) -> Result<(HttpDoor, String, Client), Failure> {
    let client = Client::connect(&args.connect)?;
    let (url, key) = client.at();
    let entrance = HttpDoor::of_project(url, key, &source.project).await?;
    Ok((entrance.door, entrance.project, client))
}

async fn opened(folder: &std::path::Path) -> Result<Record, VacuumError> {
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        match Record::open(folder) {
            Err(VacuumError::Busy(_)) if tokio::time::Instant::now() < until => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            other => return other,
        }
    }
}

async fn plan_all(args: &VacuumArgs, which: &Which, options: &PlanOptions) -> Result<ExitCode, Failure> {
    let folder = args.connect.data.join("vacuum");
    let record = Arc::new(Mutex::new(Record::view(&folder)?));
    let scratch = std::env::temp_dir();
    let mut all = serde_json::Map::new();
    let mut clean = true;
    for source in chosen(args, which)? {
        let (_, project, client) = entrance(args, &source).await?;
        let seen = Asked { client, project: source.project.clone() };
        let planned = plan(&source, &record, &scratch, &project, options, &seen).await?;
        clean &= planned.rejected == 0 && planned.failed.is_empty() && planned.changed.is_empty();
        if args.json {
            all.insert(source.name.clone(), serde_json::to_value(&planned)?);
        } else {
            show::plan(&source, &planned);
        }
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&all)?);
    }
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

async fn run_all(args: &VacuumArgs, which: &Which) -> Result<ExitCode, Failure> {
    let sources = chosen(args, which)?;
    let folder: PathBuf = args.connect.data.join("vacuum");
    let record = Arc::new(Mutex::new(opened(&folder).await?));
    let (board, stop) = (Board::default(), CancellationToken::new());
    board.recall(read_board(&folder));
    let signalled = stop.clone();
    tokio::spawn(async move {
        // Without a handler the process dies at once, which is fine, too.
        let _ = tokio::signal::ctrl_c().await;
        signalled.cancel();
    });
    let mut all = serde_json::Map::new();
    let mut clean = true;
    for source in sources {
        let (door, project, _) = entrance(args, &source).await?;
        let context = Context {
            folder: folder.clone(),
            door: Arc::new(door),
            project,
            failpoint: Arc::new(EnvFailpoint::from_env()),
            board: board.clone(),
            stop: stop.clone(),
        };
        let report = watched(&source, &record, &context, args.json).await?;
        clean &= report.rejected == 0 && [&report.changed, &report.unknown].iter().all(|l| l.is_empty());
        clean &= report.failed.is_empty() && report.later.is_empty();
        if args.json {
            all.insert(source.name.clone(), serde_json::to_value(&report)?);
        } else {
            show::report(&source, &report);
        }
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&all)?);
    }
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

/// Runs a round with a bar, and writes down how far it is for `status`.
async fn watched(
    source: &Source,
    record: &Arc<Mutex<Record>>,
    context: &Context,
    quiet: bool,
) -> Result<Report, VacuumError> {
    let bar = if quiet { indicatif::ProgressBar::hidden() } else { crate::show::bytes_bar() };
    let running = round(source, record, context);
    tokio::pin!(running);
    let mut tick = tokio::time::interval(Duration::from_millis(500));
    let done = loop {
        tokio::select! {
            done = &mut running => break done,
            _ = tick.tick() => {
                if let Some(p) = context.board.all().get(&source.name) {
                    bar.set_length(p.bytes);
                    bar.set_position(p.bytes_done);
                    bar.set_message(match &p.waiting {
                        Some(why) => format!("waiting: {why}"),
                        None => format!("{} rows, {} refused, {:.0}/s", p.rows, p.rejected, p.rows_per_s),
                    });
                }
                // Only for show.
                let _ = context.board.write(&context.folder);
            }
        }
    };
    bar.finish_and_clear();
    let _ = context.board.write(&context.folder);
    done
}

/// Asks the project which insert ids it has.
struct Asked {
    client: Client,
    project: String,
}

#[async_trait]
impl Seen for Asked {
    async fn count(&self, insert_ids: &[String]) -> Result<u64, String> {
        let mut count = 0;
        // A statement has at most 64 KB.
        for ids in insert_ids.chunks(400) {
            if ids.iter().map(String::len).sum::<usize>() > 48 << 10 {
                return Err("insert ids are too long to ask about".to_owned());
            }
            let list: Vec<String> = ids.iter().map(|id| format!("'{}'", id.replace('\'', "''"))).collect();
            let sql = format!(
                "SELECT count(DISTINCT insert_id) AS n FROM events WHERE insert_id IN ({})",
                list.join(",")
            );
            let path = format!("/api/v1/projects/{}/query", path_segment(&self.project));
            let answer = self.client.post(&path, &json!({"type": "sql", "sql": sql})).await;
            let answer: Value = answer.map_err(|e: ClientError| e.to_string())?;
            count +=
                answer["rows"][0][0].as_u64().ok_or_else(|| format!("an unexpected answer: {answer}"))?;
        }
        Ok(count)
    }
}
