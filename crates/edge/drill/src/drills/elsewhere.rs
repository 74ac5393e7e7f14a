//! Rows of the matrix that no drill of this crate re-enacts, each with the reason.

/// Where a row is shown instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// Needs Kafka, PostgreSQL, S3 or more than one machine: comes with the cluster.
    Cluster,
    /// Needs a feature that the product does not have yet.
    Later,
    /// Shown by a test, a benchmark or another drill.
    Elsewhere,
}

impl Where {
    /// In words, for the list.
    pub fn shown(self) -> &'static str {
        match self {
            Where::Cluster => "with the cluster",
            Where::Later => "later",
            Where::Elsewhere => "elsewhere",
        }
    }
}

/// A row that is not drilled here.
#[derive(Debug, Clone, Copy)]
pub struct Elsewhere {
    /// The row.
    pub row: &'static str,
    /// Where.
    pub place: Where,
    /// Why.
    pub why: &'static str,
}

const fn cluster(row: &'static str, why: &'static str) -> Elsewhere {
    Elsewhere { row, place: Where::Cluster, why }
}

const fn later(row: &'static str, why: &'static str) -> Elsewhere {
    Elsewhere { row, place: Where::Later, why }
}

const fn elsewhere(row: &'static str, why: &'static str) -> Elsewhere {
    Elsewhere { row, place: Where::Elsewhere, why }
}

/// All of them.
pub static ELSEWHERE: &[Elsewhere] = &[
    cluster("A19-1", "on one machine the services meet in files: there is no network to cut between them"),
    cluster("A19-7", "the dependencies to slow down are PostgreSQL and S3"),
    elsewhere("A19-11", "a person who did not write the runbook has to follow it"),
    elsewhere("A19-12", "`make bench` measures every stage; a history over runs comes with nightly builds"),
    later("A16-3", "the web process reads its settings from the catalog; it keeps no copy to serve from"),
    elsewhere(
        "A16-7",
        "tests of the catalog fail for a table without a backup rule; the age of backups is a check of the monitor crate, tested there with a clock of its own",
    ),
    later("A16-9", "a published table of what each feature needs does not exist yet"),
    cluster(
        "A16-17",
        "roles with rights of their own are roles of PostgreSQL; on one machine the open modes of each process are tested beside the code",
    ),
    elsewhere("A16-18", "see A16-7"),
    elsewhere("A16-20", "a review; the parts that run are listed by `tallymark status`"),
    later("A16-21", "incidents keep their timeline, but no draft of a post-mortem is made from them yet"),
    cluster(
        "A21-1",
        "sequences are PostgreSQL's; SQLite's keys are 64 bits, and their use is a check of the monitor crate",
    ),
    cluster("A21-3", "one log has one configuration; two that must be equal come with Kafka"),
    elsewhere(
        "A21-7",
        "the index of insert ids never forgets on one machine: tests/dedup_model.rs of the processor covers repeats of any age",
    ),
    cluster("A21-9", "replicas are Kafka's; one machine promises what one disk can"),
    cluster(
        "A21-10",
        "lanes share one log file writer on one machine; a lane can be blocked alone only with Kafka",
    ),
    elsewhere("A21-11", "see A21-1"),
    cluster("P25-1", "out-of-line values are PostgreSQL's"),
    cluster(
        "P25-2",
        "the limits of the engine are PostgreSQL's; limits of this machine are checks of the monitor crate",
    ),
    later("P25-5", "there are no feature flags yet"),
    elsewhere("P25-6", "see A16-9"),
    later("P25-8", "there are no destinations yet"),
    later("P25-13", "a rolling upgrade needs two released versions"),
    cluster(
        "H15-1",
        "transaction ids are PostgreSQL's; the forecast of disk, memory and descriptors is tested in the monitor crate with a clock of its own, days do not fit into a minute",
    ),
    elsewhere(
        "H15-2",
        "see H15-1: the forecast of a resource that grows faster than it is cleared is a test of the monitor crate",
    ),
    later("H15-6", "accounts are in the catalog file; without it nobody logs in, and the answer says so"),
    elsewhere(
        "H15-9",
        "a property of client libraries: tests/e2e drives the real ones against a server that refuses",
    ),
];
