//! The physical operators: plain functions over arrays, without I/O and without knowledge of queries.

pub(crate) mod attempt;
pub(crate) mod attempts;
pub(crate) mod cell;
pub(crate) mod idset;
pub(crate) mod kmeans;
pub(crate) mod percentile;
pub(crate) mod returns;
pub(crate) mod segments;
pub(crate) mod sessionise;
pub(crate) mod states;
pub(crate) mod sum;
