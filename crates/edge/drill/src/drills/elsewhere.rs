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

const fn row(row: &'static str, place: Where, why: &'static str) -> Elsewhere {
    Elsewhere { row, place, why }
}

/// All of them.
pub static ELSEWHERE: &[Elsewhere] = &[row(
    "A19-1",
    Where::Cluster,
    "on one machine the services meet in files: there is no network to cut between them",
)];
