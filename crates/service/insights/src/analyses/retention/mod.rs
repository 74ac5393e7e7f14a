//! Retention (chapter 4). The plain kinds have a fold of their own, which knows no more than they need.

mod general;
mod plain;
mod point;
mod table;
mod usage;

use super::{Analysis, Crowd, Point};
use crate::Error;
use crate::plan::Bound;
use crate::query::{RetentionKind, RetentionQuery};
use general::General;
use plain::Plain;
use serde_json::{Map, Value};
use tallymark_query::{Buckets, Scan};
use usage::Usage;

/// What a query becomes when it meets a snapshot.
pub(crate) enum Retention<'a> {
    Plain(Plain<'a>),
    General(General<'a>),
    Usage(Usage<'a>),
}

impl<'a> Retention<'a> {
    /// Prepares the scan.
    pub fn new(query: &'a RetentionQuery, bound: &'a Bound<'a>) -> Result<Retention<'a>, Error> {
        let plain = matches!(query.kind, RetentionKind::On | RetentionKind::OnOrAfter)
            && !query.round_to_hour
            && query.measure.is_none()
            && !query.dedup
            && query.common.microscope.is_none();
        Ok(match query.kind {
            RetentionKind::UsageInterval => Retention::Usage(Usage::new(query, bound)?),
            _ if plain => Retention::Plain(Plain::new(query, bound)?),
            _ => Retention::General(General::new(query, bound)?),
        })
    }
}

impl Analysis for Retention<'_> {
    fn scans(&self) -> Vec<&Scan> {
        match self {
            Retention::Plain(plain) => vec![&plain.scan],
            Retention::General(general) => vec![&general.scan],
            Retention::Usage(usage) => vec![&usage.scan],
        }
    }
    fn buckets(&self) -> Result<Buckets, Error> {
        Ok(match self {
            Retention::Plain(plain) => plain.frame.buckets.clone(),
            Retention::General(general) => general.frame.buckets.clone(),
            Retention::Usage(usage) => usage.days.clone(),
        })
    }
    fn run(&self) -> Result<Map<String, Value>, Error> {
        match self {
            Retention::Plain(plain) => plain.answer(),
            Retention::General(general) => general.answer(),
            Retention::Usage(usage) => usage.answer(),
        }
    }
    fn crowd(&self, point: &Point<'_>) -> Result<Crowd, Error> {
        match self {
            Retention::General(general) => general.crowd(point),
            Retention::Usage(usage) => usage.crowd(point),
            // Bound for a crowd, every table is general.
            Retention::Plain(_) => Err(point.unsupported()),
        }
    }
}
