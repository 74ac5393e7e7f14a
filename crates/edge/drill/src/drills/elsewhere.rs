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
    later("A16-21", "incidents keep their timeline, but no draft of a post-mortem is made from them yet"),
    cluster(
        "A21-1",
        "sequences are PostgreSQL's; SQLite's keys are 64 bits, and their use is a check of the monitor crate",
    ),
    cluster("A21-3", "one log has one configuration; two that must be equal come with Kafka"),
    elsewhere(
        "A21-7",
        "days of receipt do not fit into a minute: tests/dedup_model.rs of the processor repeats events at any age, with a clock of its own",
    ),
    cluster("A21-9", "replicas are Kafka's; one machine promises what one disk can"),
    elsewhere("A21-11", "see A21-1"),
    cluster("P25-1", "out-of-line values are PostgreSQL's"),
    cluster(
        "P25-2",
        "the limits of the engine are PostgreSQL's; limits of this machine are checks of the monitor crate",
    ),
    later("P25-5", "there are no feature flags yet"),
    later("P25-8", "there are no destinations yet"),
    later("P25-13", "a rolling upgrade needs two released versions"),
    elsewhere(
        "H15-2",
        "the forecast of a resource that grows faster than it is cleared is a test of the monitor crate, with a clock of its own: hours do not fit into a minute",
    ),
    elsewhere(
        "H15-9",
        "a property of client libraries: tests/e2e drives the real ones against a server that refuses",
    ),
];
