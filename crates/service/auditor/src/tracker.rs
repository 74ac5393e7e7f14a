//! What stands, by key; what is new, changed or over is told to the sink.
//!
//! A check covers a *scope*, the first part of its keys: everything it did not find again there is resolved.
//! Guarantees: findings of an earlier life are taken over, so they are resolved by whoever proves the range sound.

use crate::error::Result;
use crate::finding::repair;
use crate::{AuditError, Catalog, Fault, Finding, FindingSink};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(crate) struct Tracker {
    sink: Arc<dyn FindingSink>,
    /// By key; `None`: reported by an earlier life.
    open: BTreeMap<String, Option<Finding>>,
}

impl Tracker {
    pub async fn open(sink: Arc<dyn FindingSink>) -> Result<Tracker> {
        let keys = sink.open().await.map_err(AuditError::Sink)?;
        Ok(Tracker { sink, open: keys.into_iter().map(|key| (key, None)).collect() })
    }

    pub fn sink(&self) -> &dyn FindingSink {
        self.sink.as_ref()
    }

    /// How many stand.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Scopes below a first part that have findings: `commit` gives `commit/17`.
    pub fn scopes(&self, first: &str) -> BTreeSet<String> {
        let two = |key: &String| {
            let mut parts = key.splitn(3, '/');
            Some(format!("{}/{}", parts.next().filter(|p| *p == first)?, parts.next()?))
        };
        self.open.keys().filter_map(two).collect()
    }

    /// Says what was found in a scope, and that the rest of it is sound.
    pub async fn settle(
        &mut self,
        scope: &str,
        faults: Vec<Fault>,
        catalog: Option<&dyn Catalog>,
    ) -> Result<()> {
        let mut found = BTreeMap::new();
        for fault in faults {
            let finding = named(scope, fault, catalog).await;
            found.insert(finding.key.clone(), finding);
        }
        let inside = format!("{scope}/");
        let over: Vec<String> =
            self.open.keys().filter(|k| k.starts_with(&inside) && !found.contains_key(*k)).cloned().collect();
        for key in over {
            self.sink.resolve(&key).await.map_err(AuditError::Sink)?;
            tracing::info!(key, "sound again");
            self.open.remove(&key);
        }
        for (key, finding) in found {
            if self.open.get(&key).is_some_and(|known| known.as_ref() == Some(&finding)) {
                continue;
            }
            self.sink.report(&finding).await.map_err(AuditError::Sink)?;
            tracing::error!(key, %finding, repair = finding.repair, "the books do not agree");
            self.open.insert(key, Some(finding));
        }
        Ok(())
    }
}

async fn named(scope: &str, fault: Fault, catalog: Option<&dyn Catalog>) -> Finding {
    let mut projects = fault.projects.clone();
    for token in &fault.tokens {
        if let Some(catalog) = catalog
            && let Ok(Some((project, _))) = catalog.resolve(*token).await
        {
            projects.insert(project);
        }
    }
    let place = fault
        .interval
        .map_or_else(String::new, |i| format!("/{}/{}/{}-{}", i.shard.lane, i.shard.partition, i.from, i.to));
    Finding {
        key: format!("{scope}/{}{place}", fault.kind.name()),
        kind: fault.kind,
        projects: projects.into_iter().collect(),
        interval: fault.interval,
        received: fault.received,
        count: fault.count,
        repair: repair(&fault, scope.starts_with("delta/")),
        evidence: fault.evidence,
    }
}
