//! Replacing what the books say about records that are already in them: replay, reprocess, redrive, erasure.
//!
//! Guarantees: a restatement says what it replaces, so it applies to exactly the books it was made from or not at
//! all; as many records leave as arrive (I3), so the cursor and the tiling (I2) are untouched.
//! Deliberately not here: storage, and the rows that go with it (`proof`).

use crate::{Account, Fingerprint, Interval, InvariantId, Tally, Violation};
use serde::{Deserialize, Serialize};
use tallymark_model::{Millis, ProjectId};

/// One project's part of an account.
pub type Part = (ProjectId, Tally, Fingerprint);

/// Replaces the account of records that have one.
///
/// * `was` is [`Account::Skipped`] (or [`Account::Lost`]): the whole interval must be so accounted now; it becomes `now`.
/// * `was` is [`Account::Accounted`]: its tally names the records that change their outcome, all of them inside the
///   interval and inside one row of the books; the others of the interval stay as they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restatement {
    /// Which offsets.
    pub interval: Interval,
    /// What the books say now about the records that change.
    pub was: Account,
    /// The same by project; empty for skipped and lost.
    #[serde(default)]
    pub was_parts: Vec<Part>,
    /// What they will say.
    pub now: Account,
    /// The same by project; empty for skipped and lost.
    #[serde(default)]
    pub now_parts: Vec<Part>,
    /// Smallest receive time of the records, ms UTC.
    pub received_from: Millis,
    /// Largest receive time of the records, ms UTC.
    pub received_to: Millis,
}

impl Restatement {
    /// How many records change.
    pub fn records(&self) -> u64 {
        total(&self.was, self.interval)
    }

    /// Every rule that this restatement breaks by itself.
    pub fn check(&self) -> Vec<Violation> {
        let mut found = Vec::new();
        let mut say =
            |invariant, message: String| found.push(Violation::at(invariant, self.interval, message));
        if self.interval.is_empty() {
            say(InvariantId::I2, "a restatement must cover at least one offset".to_owned());
        }
        let (was, now) = (total(&self.was, self.interval), total(&self.now, self.interval));
        if was != now || was > self.interval.len() || was == 0 {
            say(
                InvariantId::I3,
                format!("{was} records leave and {now} arrive in {} offsets", self.interval.len()),
            );
        }
        for (what, account, parts) in
            [("left", &self.was, &self.was_parts), ("arriving", &self.now, &self.now_parts)]
        {
            let (tally, visible) = match account {
                Account::Accounted { tally, visible } => (*tally, *visible),
                Account::Skipped { .. } | Account::Lost { .. } => (Tally::default(), Fingerprint::default()),
            };
            let (sum, print) = parts
                .iter()
                .fold((Tally::default(), Fingerprint::default()), |(t, f), (_, pt, pf)| (t + *pt, f + *pf));
            if sum != tally || print != visible {
                say(
                    InvariantId::I3,
                    format!("{what}: the projects' parts {sum:?} are not the whole {tally:?}"),
                );
            }
        }
        found
    }
}

fn total(account: &Account, interval: Interval) -> u64 {
    match account {
        Account::Accounted { tally, .. } => tally.total(),
        Account::Skipped { .. } | Account::Lost { .. } => interval.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tallymark_model::{Lane, Shard};

    fn accounted(visible: u64, dead: u64) -> (Account, Vec<Part>) {
        let tally = Tally { visible, dead, ..Tally::default() };
        let account = Account::Accounted { tally, visible: Fingerprint::default() };
        (account, vec![(ProjectId(1), tally, Fingerprint::default())])
    }

    fn restatement(was: (Account, Vec<Part>), now: (Account, Vec<Part>)) -> Restatement {
        let interval = Interval::new(Shard { lane: Lane::Live, partition: 0 }, 10, 14);
        Restatement {
            interval,
            was: was.0,
            was_parts: was.1,
            now: now.0,
            now_parts: now.1,
            received_from: 0,
            received_to: 0,
        }
    }

    #[test]
    fn as_many_arrive_as_leave() {
        let skipped = || (Account::Skipped { by: "me".into(), reason: "poison".into() }, Vec::new());
        assert_eq!(restatement(skipped(), accounted(3, 1)).check(), []);
        assert_eq!(restatement(skipped(), accounted(3, 0)).check()[0].invariant, InvariantId::I3);
        // A single dead letter of four records is mended.
        let one = restatement(accounted(0, 1), accounted(1, 0));
        assert_eq!((one.check(), one.records()), (vec![], 1));
        assert!(
            !restatement(accounted(0, 5), accounted(5, 0)).check().is_empty(),
            "more than there are offsets"
        );
        let mut unequal = one;
        unequal.now_parts.clear();
        assert!(!unequal.check().is_empty());
    }
}
