//! One missing file, written again with exactly its rows.
//!
//! Guarantees: it is replaced only if what the log gives, with the masked rows, has its count and fingerprint (I13).
//! Deliberately not here: files over the same records that are missing at the same time (`together`).

use super::files::{encode, left_out};
use super::{Outcome, Rebuild, beside};
use crate::committer::{Committer, aside, now_ms};
use crate::error::ProcessorError;
use crate::jobs::history::History;
use rustc_hash::FxHashSet;
use tallymark_catalog::{Commit, LeftOut, Origin, SegmentKind, SegmentMeta};
use tallymark_ledger::Fingerprint;
use tallymark_model::CommitId;
use tallymark_store::SegmentSpec;

impl Rebuild {
    pub(super) async fn alone(
        &self,
        committer: &mut Committer,
        history: &mut History,
        meta: &SegmentMeta,
    ) -> Result<Outcome, ProcessorError> {
        let Some((_, masked)) = self.live.iter().find(|(m, _)| m.id == meta.id) else {
            return Ok(Outcome::Gone);
        };
        let masked = masked.clone();
        let elsewhere = match self.elsewhere(committer, std::slice::from_ref(meta)).await? {
            Ok(elsewhere) => elsewhere,
            Err(why) => return Ok(Outcome::Failed(why)),
        };
        let strict = meta.kind == SegmentKind::Events;
        if !strict && !masked.is_empty() && self.missing().any(|other| beside(meta, other)) {
            return Ok(Outcome::Failed("another file over the same records is gone as well".to_owned()));
        }
        let mut all = Vec::new();
        let mut visible = FxHashSet::default();
        for source in &meta.sources {
            let (records, counting) = self.counting(committer, history, source.interval).await?;
            visible.extend(counting.into_iter().filter(|p| !elsewhere.contains(p)));
            all.extend(records);
        }
        let Some(rules) = committer.rules(&all, &[]).await? else { return Ok(Outcome::Stopped) };
        let log = committer.deps.log.id();
        let masked_sum = left_out(log, meta, &masked, &all, &rules.projects);
        visible.retain(|p| !masked.iter().any(|m| m.contains(*p)));
        let rows = self.rows(committer, history, meta, all, visible, rules).await?;
        let id = CommitId(uuid::Uuid::now_v7());
        let spec = SegmentSpec {
            level: meta.level,
            sources: meta.sources.iter().map(|s| s.interval).collect(),
            day: meta.day,
            identity: if meta.level == 2 { committer.state()?.applied() } else { Default::default() },
            parent: committer.state()?.tip().map(|(_, id)| id),
            ..SegmentSpec::new(meta.project, log, id, committer.epoch)
        };
        let encoded = match aside("encode", {
            let kind = meta.kind;
            move || encode(kind, rows, &spec)
        })
        .await?
        {
            Ok(encoded) => encoded,
            Err(error) => return Ok(Outcome::Failed(error.to_string())),
        };
        let (rows, sum) =
            encoded.as_ref().map_or((0, Fingerprint::default()), |e| (e.meta.rows, e.meta.fingerprint));
        let (gone, gone_sum) = masked_sum;
        if (strict && (rows + gone != meta.rows || sum + gone_sum != meta.fingerprint))
            || (!strict && masked.is_empty() && (rows != meta.rows || sum != meta.fingerprint))
        {
            return Ok(Outcome::Failed(format!(
                "the log gives {rows} rows with fingerprint {sum} and {gone} masked ones; the file had {} with {}",
                meta.rows, meta.fingerprint
            )));
        }
        let mut left_out = Vec::new();
        if !masked.is_empty() {
            left_out.push(LeftOut { segment: meta.id, rows: gone, fingerprint: gone_sum });
        }
        let as_of = history.seq();
        let commit = Commit {
            remove: vec![meta.id],
            left_out,
            as_of,
            origin: Origin::Repair { job: self.job },
            ..Commit::new(id, committer.epoch, now_ms())
        };
        self.replace(committer, commit, encoded.into_iter().collect()).await
    }
}
