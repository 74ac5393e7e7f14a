//! The dedup index: insert id -> position of its visible row.
//!
//! A secondary index of visible rows, nothing else: only committed deltas write it (design rule 1 and 2).
//! Keys are 64-bit fingerprints kept per day of receipt; the table holds only (day slot, place in the day), so an
//! entry costs about 30 bytes and a whole day is dropped by dropping two arrays.
//!
//! Expiry is deterministic (I12): an entry counts for a record if their days of receipt are at most the window
//! apart, judged by the record's own `received_at`, and memory holds the newest `window + 1` days *that have
//! entries*, so one record stamped by a clock gone wild cannot push out the rest.
//! Deliberately not here: rows that left their window's memory (a replay older than the window needs an index
//! rebuilt from rows).

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use rustc_hash::FxHashMap;
use siphasher::sip::SipHasher13;
use std::hash::{BuildHasher, Hasher};
use tallymark_model::{Millis, Position, ProjectId, SubjectKind};

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// Day of receipt: days since the epoch, UTC.
pub fn day_of(received_at: Millis) -> i32 {
    received_at.div_euclid(DAY_MS) as i32
}

/// Fingerprint of (project, device id or else user id, insert id). The function is persisted: never change it.
/// Two ids of one million share a fingerprint with probability 3e-8; a project can only ever hit itself.
pub fn dedup_key(project: ProjectId, who: Option<(SubjectKind, &str)>, insert_id: &str) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(0x7461_6c6c_796d_6172, 0x6465_6475_7020_7631);
    hasher.write_u32(project.0.to_le());
    match who {
        None => hasher.write_u8(2),
        Some((kind, raw)) => {
            hasher.write_u8(kind as u8);
            hasher.write_u64((raw.len() as u64).to_le());
            hasher.write(raw.as_bytes());
        }
    }
    hasher.write(insert_id.as_bytes());
    hasher.finish()
}

/// One entry as it travels in a delta.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DedupEntry {
    /// [`dedup_key`].
    pub key: u64,
    /// [`Position::pack`] of the visible row.
    pub position: u64,
    /// [`day_of`] its receipt.
    pub day: i32,
}

#[derive(Debug, Default)]
pub(crate) struct Day {
    pub(crate) day: i32,
    pub(crate) keys: Vec<u64>,
    pub(crate) positions: Vec<u64>,
}

/// Where an entry lives: slot of its day, place in it.
#[derive(Debug, Clone, Copy)]
struct Place {
    slot: u32,
    index: u32,
}

/// The index.
#[derive(Debug)]
pub struct DedupIndex {
    window_days: u16,
    table: HashTable<Place>,
    slots: Vec<Day>,
    /// Entries that another of the same key answers for, by key. Rare: two rows further apart than the window.
    shadowed: FxHashMap<u64, Vec<DedupEntry>>,
    hasher: hashbrown::DefaultHashBuilder,
}

impl DedupIndex {
    /// An empty index in which entries count for `window_days` days.
    pub fn new(window_days: u16) -> DedupIndex {
        DedupIndex {
            window_days,
            table: HashTable::new(),
            slots: Vec::new(),
            shadowed: FxHashMap::default(),
            hasher: hashbrown::DefaultHashBuilder::default(),
        }
    }

    /// How many days an entry counts.
    pub fn window_days(&self) -> u16 {
        self.window_days
    }

    /// Number of ids that can be found.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// True if nothing can be found.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// The visible row of this key, as a record received on `day` sees it.
    pub fn get(&self, key: u64, day: i32) -> Option<Position> {
        let place = self.table.find(self.hasher.hash_one(key), |p| self.key_at(*p) == key)?;
        let held = &self.slots[place.slot as usize];
        let near = held.day.abs_diff(day) <= u32::from(self.window_days);
        if near { Position::unpack(held.positions[place.index as usize]) } else { None }
    }

    /// The same, as if entries at the positions that `gone` names were not there.
    pub fn get_without(&self, key: u64, day: i32, gone: impl Fn(Position) -> bool) -> Option<Position> {
        let place = self.table.find(self.hasher.hash_one(key), |p| self.key_at(*p) == key)?;
        let held = &self.slots[place.slot as usize];
        let answer = DedupEntry { key, position: held.positions[place.index as usize], day: held.day };
        let shadowed = self.shadowed.get(&key).into_iter().flatten().copied();
        let entries = shadowed.chain(std::iter::once(answer));
        let staying = entries.filter(|e| Position::unpack(e.position).is_some_and(|p| !gone(p)));
        let entry = staying.max_by_key(|e| (e.day, *e == answer))?;
        let near = entry.day.abs_diff(day) <= u32::from(self.window_days);
        if near { Position::unpack(entry.position) } else { None }
    }

    /// Adds the entry of a visible row. Adding it again changes nothing. Of two rows with one key that are
    /// further apart than the window, the later day answers.
    pub fn insert(&mut self, entry: DedupEntry) {
        let slot = self.slot_for(entry.day);
        let hash = self.hasher.hash_one(entry.key);
        let (slots, hasher) = (&self.slots, &self.hasher);
        let key_at = |p: &Place| slots[p.slot as usize].keys[p.index as usize];
        let new = Place { slot: slot as u32, index: slots[slot].keys.len() as u32 };
        match self.table.entry(hash, |p| key_at(p) == entry.key, |p| hasher.hash_one(key_at(p))) {
            Entry::Vacant(v) => {
                v.insert(new);
            }
            Entry::Occupied(mut o) => {
                let old = *o.get();
                let held = &slots[old.slot as usize];
                if held.positions[old.index as usize] == entry.position && held.day == entry.day {
                    return;
                }
                let held = DedupEntry {
                    key: entry.key,
                    position: held.positions[old.index as usize],
                    day: held.day,
                };
                let shadowed = self.shadowed.entry(entry.key).or_default();
                if shadowed.contains(&entry) {
                    return;
                }
                if held.day <= entry.day {
                    *o.get_mut() = new;
                    shadowed.push(held);
                } else {
                    shadowed.push(entry);
                }
            }
        }
        self.slots[slot].keys.push(entry.key);
        self.slots[slot].positions.push(entry.position);
        self.drop_old_days();
    }

    /// Takes an entry back: its row was masked. One that is not there changes nothing.
    pub fn remove(&mut self, entry: DedupEntry) {
        let Some(slot) = self.slots.iter().rposition(|d| d.day == entry.day) else { return };
        let hash = self.hasher.hash_one(entry.key);
        let answers = self.table.find(hash, |p| self.key_at(*p) == entry.key).copied();
        let at = |day: &Day, e: DedupEntry| {
            (0..day.keys.len()).find(|i| day.keys[*i] == e.key && day.positions[*i] == e.position)
        };
        let found = answers.filter(|p| {
            p.slot as usize == slot && self.slots[slot].positions[p.index as usize] == entry.position
        });
        match found {
            Some(place) => {
                if let Ok(held) =
                    self.table.find_entry(hash, |p| p.slot == place.slot && p.index == place.index)
                {
                    held.remove();
                }
                self.take_out(slot, place.index as usize);
                self.promote(entry.key);
            }
            None => {
                let Some(held) = self.shadowed.get_mut(&entry.key) else { return };
                let before = held.len();
                held.retain(|e| *e != entry);
                let removed = held.len() < before;
                if held.is_empty() {
                    self.shadowed.remove(&entry.key);
                }
                if let Some(index) = at(&self.slots[slot], entry).filter(|_| removed) {
                    self.take_out(slot, index);
                }
            }
        }
    }

    /// Removes from a day's arrays; the last of the day takes the free place.
    fn take_out(&mut self, slot: usize, index: usize) {
        let moved = self.slots[slot].keys.len() - 1;
        if moved != index {
            let hash = self.hasher.hash_one(self.slots[slot].keys[moved]);
            let here = |p: &Place| p.slot as usize == slot && p.index as usize == moved;
            if let Some(place) = self.table.find_mut(hash, here) {
                place.index = index as u32;
            }
        }
        self.slots[slot].keys.swap_remove(index);
        self.slots[slot].positions.swap_remove(index);
        if self.slots[slot].keys.is_empty() {
            self.drop_slot(slot);
        }
    }

    /// Lets the latest of the entries that were answered for answer now.
    fn promote(&mut self, key: u64) {
        let Some(mut held) = self.shadowed.remove(&key) else { return };
        let Some(best) = (0..held.len()).max_by_key(|i| (held[*i].day, *i)) else { return };
        let entry = held.swap_remove(best);
        if !held.is_empty() {
            self.shadowed.insert(key, held);
        }
        let Some(slot) = self.slots.iter().rposition(|d| d.day == entry.day) else { return };
        let day = &self.slots[slot];
        let index = (0..day.keys.len()).find(|i| day.keys[*i] == key && day.positions[*i] == entry.position);
        let Some(index) = index else { return };
        let (slots, hasher) = (&self.slots, &self.hasher);
        let rehash = |p: &Place| hasher.hash_one(slots[p.slot as usize].keys[p.index as usize]);
        let place = Place { slot: slot as u32, index: index as u32 };
        self.table.insert_unique(hasher.hash_one(key), place, rehash);
    }

    fn key_at(&self, p: Place) -> u64 {
        self.slots[p.slot as usize].keys[p.index as usize]
    }

    fn slot_for(&mut self, day: i32) -> usize {
        // Newest last is the common case, so look from the end.
        if let Some(i) = self.slots.iter().rposition(|d| d.day == day) {
            return i;
        }
        self.slots.push(Day { day, ..Day::default() });
        self.slots.len() - 1
    }

    fn drop_old_days(&mut self) {
        while self.slots.len() > usize::from(self.window_days) + 1 {
            let Some(oldest) = (0..self.slots.len()).min_by_key(|i| self.slots[*i].day) else { return };
            for (index, key) in self.slots[oldest].keys.iter().enumerate() {
                let here = |p: &Place| p.slot as usize == oldest && p.index as usize == index;
                if let Ok(found) = self.table.find_entry(self.hasher.hash_one(key), here) {
                    found.remove();
                }
            }
            let day = self.slots[oldest].day;
            if !self.shadowed.is_empty() {
                self.shadowed.values_mut().for_each(|held| held.retain(|e| e.day != day));
                self.shadowed.retain(|_, held| !held.is_empty());
            }
            self.drop_slot(oldest);
        }
    }

    /// Drops a day that nothing in the table points to; the last one moves into its place.
    fn drop_slot(&mut self, slot: usize) {
        let moved = self.slots.len() - 1;
        if moved != slot {
            self.table.iter_mut().filter(|p| p.slot as usize == moved).for_each(|p| p.slot = slot as u32);
        }
        self.slots.swap_remove(slot);
    }

    /// The days in order of date, as checkpoints keep them.
    pub(crate) fn days(&self) -> Vec<&Day> {
        let mut days: Vec<&Day> = self.slots.iter().collect();
        days.sort_by_key(|d| d.day);
        days
    }

    /// Sum over the entries of a keyed hash: equal for equal content, whatever the order of arrival.
    pub(crate) fn digest(&self) -> u128 {
        let mut sum = 0u128;
        for day in &self.slots {
            for (key, position) in day.keys.iter().zip(&day.positions) {
                let mut hasher = siphasher::sip128::SipHasher13::new_with_keys(1, 2);
                hasher.write_i32(day.day);
                hasher.write_u64(*key);
                hasher.write_u64(*position);
                sum = sum.wrapping_add(siphasher::sip128::Hasher128::finish128(&hasher).as_u128());
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use tallymark_model::Lane;

    fn at(offset: u64) -> u64 {
        Position { lane: Lane::Live, partition: 3, offset }.pack()
    }

    fn entry(key: u64, offset: u64, day: i32) -> DedupEntry {
        DedupEntry { key, position: at(offset), day }
    }

    fn offset(index: &DedupIndex, key: u64, day: i32) -> Option<u64> {
        index.get(key, day).map(|p| p.offset)
    }

    #[test]
    fn keys_separate_projects_kinds_and_ids() {
        let who = Some((SubjectKind::Device, "d"));
        let keys = [
            dedup_key(ProjectId(1), who, "i"),
            dedup_key(ProjectId(2), who, "i"),
            dedup_key(ProjectId(1), Some((SubjectKind::User, "d")), "i"),
            dedup_key(ProjectId(1), None, "i"),
            dedup_key(ProjectId(1), Some((SubjectKind::Device, "di")), ""),
            dedup_key(ProjectId(1), who, "j"),
        ];
        let distinct: std::collections::BTreeSet<u64> = keys.into_iter().collect();
        assert_eq!(distinct.len(), keys.len());
        assert_eq!(keys[0], 268_690_247_530_626_139, "the function is persisted: this value never changes");
    }

    #[test]
    fn an_entry_counts_within_the_window_of_the_records_own_day() {
        let mut index = DedupIndex::new(30);
        index.insert(entry(7, 1, 100));
        assert_eq!(offset(&index, 7, 100), Some(1));
        assert_eq!(offset(&index, 7, 130), Some(1));
        assert_eq!(offset(&index, 7, 131), None, "expired for this record");
        assert_eq!(offset(&index, 7, 70), Some(1), "a late lane sees what came after it too");
        index.insert(entry(7, 2, 131));
        assert_eq!(offset(&index, 7, 131), Some(2));
        assert_eq!(index.len(), 1);
    }

    #[test]
    fn days_leave_memory_by_number_not_by_date() {
        let mut index = DedupIndex::new(2);
        for day in [10, 11, 999_999, 12] {
            index.insert(entry(day as u64, day as u64, day));
        }
        assert_eq!(offset(&index, 10, 12), None, "the oldest of four days is gone");
        assert_eq!(offset(&index, 11, 12), Some(11), "the wild clock cost one day, not all");
        assert_eq!(offset(&index, 12, 12), Some(12));
        assert_eq!(offset(&index, 999_999, 999_999), Some(999_999));
        assert_eq!(index.len(), 3);
    }

    proptest::proptest! {
        #[test]
        fn agrees_with_a_plain_map(ops in proptest::collection::vec((0u64..40, 0i32..8, 0i32..8), 1..300)) {
            let mut index = DedupIndex::new(3);
            let mut plain: BTreeMap<i32, Vec<(u64, u64)>> = BTreeMap::new();
            let mut newest: BTreeMap<u64, (i32, u64)> = BTreeMap::new();
            for (n, (key, day, asked)) in ops.into_iter().enumerate() {
                index.insert(entry(key, n as u64, day));
                plain.entry(day).or_default().push((key, n as u64));
                let best = newest.entry(key).or_insert((day, n as u64));
                if day >= best.0 {
                    *best = (day, n as u64);
                }
                while plain.len() > 4 {
                    let (oldest, _) = plain.pop_first().unwrap();
                    newest.retain(|_, (day, _)| *day != oldest);
                }
                let expected = newest.get(&key).filter(|(d, _)| d.abs_diff(asked) <= 3).map(|(_, n)| *n);
                proptest::prop_assert_eq!(offset(&index, key, asked), expected);
                proptest::prop_assert_eq!(index.len(), newest.len());
            }
        }
    }
}
