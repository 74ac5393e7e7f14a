//! Settings of the processor, and its limits.
//!
//! Guarantees: every queue and batch has a bound here. Deliberately not here: where things are (the server).

use std::path::PathBuf;
use std::time::Duration;
use tallymark_ledger::GapCause;
use tallymark_model::Shard;

/// What to do when the log cannot give a range of offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnGap {
    /// Book it as lost, with cause and evidence, and go on.
    Record,
    /// Stop this shard and wait for an operator, who skips the range or declares it lost; other shards go on.
    Stop,
}

/// Settings of the processor.
#[derive(Debug, Clone)]
pub struct ProcessorConfig {
    /// Folder for checkpoints of state.
    pub state_dir: PathBuf,
    /// Name under which the lease is taken. Two processors of one installation that may run at the same time
    /// need different names; one that is restarted should keep its name, so that it need not wait.
    pub owner: String,
    /// How long the lease holds without renewal.
    pub lease_ttl: Duration,
    /// A group is committed at the latest so long after its first record was read.
    pub commit_interval: Duration,
    /// A group is committed once it holds so many records.
    pub group_records_max: usize,
    /// A group is committed once its bodies have so many bytes.
    pub group_bytes_max: usize,
    /// Bodies between reading and commit, in bytes: bounds memory while catalog or object store are down.
    pub inflight_bytes_max: usize,
    /// Records taken from one partition of the live lane at a time.
    pub read_records: usize,
    /// Bytes taken from one partition at a time.
    pub read_bytes: usize,
    /// Records the bulk lane gets per round, over all partitions, even if the live lane is busy.
    pub bulk_floor_records: usize,
    /// Records that a job decides and commits at a time, at most.
    pub job_records_max: usize,
    /// Bytes of bodies that a job decides and commits at a time, about.
    pub job_bytes_max: usize,
    /// A job's chunks shrink until one takes no longer than this: live records wait meanwhile.
    pub job_chunk_time: Duration,
    /// Share of the time that jobs may take while live records come in, in percent: 1 to 100. It is a floor too:
    /// a job gets its share unless live processing is behind.
    pub job_share_percent: u32,
    /// Live processing counts as behind, and jobs wait, if a live record waits for longer than this…
    pub job_lag_max: Duration,
    /// … or if so many live records wait.
    pub job_backlog_max: u64,
    /// How often the catalog is asked for jobs.
    pub job_poll: Duration,
    /// How often a shard that is blocked by a gap is tried again.
    pub blocked_retry: Duration,
    /// Tests only: once, an advance over so many offsets of a shard with a forged account is committed.
    pub test_skip: Option<(Shard, u64)>,
    /// Tests only: no more than so many records a second, live ones and each job's for themselves.
    pub test_pace: Option<u32>,
    /// Commits between checkpoints.
    pub checkpoint_commits: u64,
    /// Days of receipt for which an insert id is remembered.
    pub dedup_days: u16,
    /// What to do about damaged ranges. The default is to record them: the collector keeps acknowledging into the
    /// same shards, and a processor that waits for an operator would turn a few lost records, which nobody can
    /// bring back by waiting, into all later ones not being visible. The loss is an entry of the ledger with its
    /// evidence (I14), an error in the log and a metric; it is shown, not hidden.
    pub on_corrupt: OnGap,
    /// What to do about ranges that were trimmed before they were processed. This cannot happen while trimming
    /// needs a permit, so something is wrong with the installation: stopping is the default.
    pub on_trimmed: OnGap,
    /// First wait after a failure of catalog, object store or log.
    pub retry_first: Duration,
    /// Longest wait between retries.
    pub retry_max: Duration,
    /// How long to sleep when there is nothing to read.
    pub idle: Duration,
}

impl ProcessorConfig {
    /// The defaults, with state in this folder.
    pub fn new(state_dir: impl Into<PathBuf>) -> ProcessorConfig {
        let small = from_env("TALLYMARK_TEST_GROUP");
        ProcessorConfig {
            state_dir: state_dir.into(),
            owner: "process".to_owned(),
            lease_ttl: Duration::from_secs(10),
            commit_interval: Duration::from_secs(1),
            group_records_max: small.unwrap_or(100_000),
            group_bytes_max: 48 << 20,
            inflight_bytes_max: 96 << 20,
            read_records: small.map_or(5_000, |records| (records / 4).max(1)),
            read_bytes: 4 << 20,
            bulk_floor_records: 2_000,
            job_records_max: small.unwrap_or(25_000),
            job_bytes_max: 16 << 20,
            job_chunk_time: Duration::from_millis(700),
            job_share_percent: 75,
            job_lag_max: Duration::from_secs(10),
            job_backlog_max: 150_000,
            job_poll: Duration::from_secs(1),
            blocked_retry: Duration::from_secs(5),
            test_skip: crate::jobs::test_skip_from_env(),
            test_pace: from_env("TALLYMARK_TEST_PACE").and_then(|pace| u32::try_from(pace).ok()),
            checkpoint_commits: 300,
            dedup_days: 30,
            on_corrupt: OnGap::Record,
            on_trimmed: OnGap::Stop,
            retry_first: Duration::from_millis(50),
            retry_max: Duration::from_secs(5),
            idle: Duration::from_millis(250),
        }
    }

    /// What to do about a gap. Offsets that never carried a record are nothing to decide about.
    pub fn on_gap(&self, cause: GapCause) -> OnGap {
        match cause {
            GapCause::Corrupt | GapCause::Missing => self.on_corrupt,
            GapCause::Trimmed => self.on_trimmed,
            GapCause::Hole => OnGap::Record,
        }
    }
}

/// Tests only: `TALLYMARK_TEST_GROUP` makes groups and the chunks of jobs this small, so that a story told in minutes has
/// as many commits as one of hours; `TALLYMARK_TEST_PACE` makes a machine of a known speed of any that is faster.
fn from_env(name: &str) -> Option<usize> {
    std::env::var(name).ok()?.parse().ok().filter(|records| *records > 0)
}
