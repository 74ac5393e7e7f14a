//! The handlers, by noun.
//!
//! Guarantees: a handler reads its project from `Access`, which the guard filled in after deciding.
//! Deliberately not here: permission, paths (`routes`).

pub(crate) mod books;
pub(crate) mod cohorts;
pub(crate) mod definitions;
pub(crate) mod erasures;
pub(crate) mod events;
mod job_spec;
pub(crate) mod jobs;
pub(crate) mod keys;
pub(crate) mod letters;
pub(crate) mod loss;
pub(crate) mod operations;
pub(crate) mod outcomes;
pub(crate) mod people;
pub(crate) mod persons;
pub(crate) mod projects;
pub(crate) mod query;
pub(crate) mod receipts;
pub(crate) mod rules;
pub(crate) mod settings;
pub(crate) mod sources;
pub(crate) mod status;
pub(crate) mod watch;

use crate::ApiError;
use serde::Deserialize;
use tallymark_insights::EventsRequest;

/// Which page of a list.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Page {
    /// At most this many; 1 to 1,000, default 100.
    pub limit: Option<usize>,
    /// `next` of the page before.
    pub cursor: Option<String>,
}

/// A limit within bounds, or an error that names them.
pub(crate) fn limit(asked: Option<usize>) -> Result<usize, ApiError> {
    let max = EventsRequest::LIMIT_MAX;
    match asked.unwrap_or(100) {
        n if (1..=max).contains(&n) => Ok(n),
        n => Err(ApiError::parameter("limit", format!("{n} is not within 1 and {max}"))),
    }
}
