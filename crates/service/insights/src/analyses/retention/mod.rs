//! Retention (chapter 4). The plain kinds have a fold of their own, which knows no more than they need.

mod days;
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
pub(crate) struct Retention<'a> {
    how: How<'a>,
}

enum How<'a> {
    Plain(Box<Plain<'a>>),
    General(Box<General<'a>>),
    Usage(Box<Usage<'a>>),
}

impl<'a> Retention<'a> {
    /// Prepares the scan.
    pub fn new(query: &'a RetentionQuery, bound: &'a Bound<'a>) -> Result<Retention<'a>, Error> {
        let plain = matches!(query.kind, RetentionKind::On | RetentionKind::OnOrAfter)
            && !query.round_to_hour
            && query.measure.is_none()
            && !query.dedup
            && query.common.microscope.is_none();
        let how = match query.kind {
            RetentionKind::UsageInterval => How::Usage(Box::new(Usage::new(query, bound)?)),
            _ if plain => How::Plain(Box::new(Plain::new(query, bound)?)),
            _ => How::General(Box::new(General::new(query, bound)?)),
        };
        Ok(Retention { how })
    }
}

impl Analysis for Retention<'_> {
    fn scans(&self) -> Vec<&Scan> {
        match &self.how {
            How::Plain(plain) => vec![&plain.scan],
            How::General(general) => vec![&general.scan],
            How::Usage(usage) => vec![&usage.scan],
        }
    }
    fn buckets(&self) -> Result<Buckets, Error> {
        Ok(match &self.how {
            How::Plain(plain) => plain.frame.buckets.clone(),
            How::General(general) => general.frame.buckets.clone(),
            How::Usage(usage) => usage.days.clone(),
        })
    }
    fn run(&self) -> Result<Map<String, Value>, Error> {
        match &self.how {
            How::Plain(plain) => plain.answer(),
            How::General(general) => general.answer(),
            How::Usage(usage) => usage.answer(),
        }
    }
    fn crowd(&self, point: &Point<'_>) -> Result<Crowd, Error> {
        match &self.how {
            How::General(general) => general.crowd(point),
            How::Usage(usage) => usage.crowd(point),
            // Bound for a crowd, every table is general.
            How::Plain(_) => Err(point.unsupported()),
        }
    }
}
