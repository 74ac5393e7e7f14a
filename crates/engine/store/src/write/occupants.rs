//! In which row groups of a file a subject has rows: a small index between the column chunks and the page indexes.
//!
//! Event-major files hold a person's rows in as many places as there are names, so their statistics say nothing about
//! one person. With this a timeline opens only the row groups it needs, for about half a byte per row.
//!
//! ```text
//!  block  = entries of up to 1,024 subjects, ascending:  varint(subject - previous) varint(group << 1 | last)...
//!  footer : `occupants` of `tallymark.index` = offset of the first block; per block first subject, length, crc32c
//! ```
//!
//! Guarantees: exact; files without it (older ones) are read as before.

use super::index::{Block, Occupants};

/// Subjects per block: what is read and searched for one subject.
const BLOCK_SUBJECTS: usize = 1_024;

/// The subjects of each row group, to be written at `at`; with the bytes to write.
pub(crate) fn encode(groups: &[Vec<u32>], at: u64) -> (Occupants, Vec<u8>) {
    let mut pairs: Vec<(u32, u32)> = Vec::new();
    for (group, subjects) in groups.iter().enumerate() {
        // Equal neighbours are many: rows are sorted by person within a name.
        pairs.extend(subjects.chunk_by(|a, b| a == b).map(|run| (run[0], group as u32)));
    }
    pairs.sort_unstable();
    pairs.dedup();
    let (mut bytes, mut blocks) = (Vec::new(), Vec::new());
    let subjects: Vec<&[(u32, u32)]> = pairs.chunk_by(|a, b| a.0 == b.0).collect();
    for some in subjects.chunks(BLOCK_SUBJECTS) {
        let from = bytes.len();
        let first = some[0][0].0;
        let mut before = first;
        for entry in some {
            put(&mut bytes, entry[0].0 - before);
            before = entry[0].0;
            for (nth, (_, group)) in entry.iter().enumerate() {
                put(&mut bytes, group << 1 | u32::from(nth + 1 == entry.len()));
            }
        }
        let block = &bytes[from..];
        blocks.push(Block(first, block.len() as u32, crc32c::crc32c(block)));
    }
    (Occupants { at, blocks }, bytes)
}

/// The row groups of one subject in its block; `None` if the block is malformed.
pub(crate) fn groups_in(mut block: &[u8], first: u32, wanted: u32, found: &mut Vec<usize>) -> Option<()> {
    let mut subject = first;
    while !block.is_empty() {
        subject = subject.checked_add(take(&mut block)?)?;
        if subject > wanted {
            break;
        }
        loop {
            let entry = take(&mut block)?;
            if subject == wanted {
                found.push((entry >> 1) as usize);
            }
            if entry & 1 == 1 {
                break;
            }
        }
    }
    Some(())
}

impl Occupants {
    /// Blocks that may hold any of these subjects (ascending), each with its offset in the file.
    pub fn blocks_of(&self, subjects: &[u32]) -> Vec<(u64, Block, Vec<u32>)> {
        let mut found: Vec<(u64, Block, Vec<u32>)> = Vec::new();
        let mut offsets = Vec::with_capacity(self.blocks.len());
        let mut at = self.at;
        for block in &self.blocks {
            offsets.push(at);
            at += u64::from(block.1);
        }
        for &subject in subjects {
            let Some(nth) = self.blocks.partition_point(|b| b.0 <= subject).checked_sub(1) else { continue };
            match found.last_mut() {
                Some((offset, _, wanted)) if *offset == offsets[nth] => wanted.push(subject),
                _ => found.push((offsets[nth], self.blocks[nth], vec![subject])),
            }
        }
        found
    }

    /// Every block with its offset.
    pub fn all(&self) -> impl Iterator<Item = (u64, Block)> + '_ {
        self.blocks.iter().scan(self.at, |at, block| {
            let here = *at;
            *at += u64::from(block.1);
            Some((here, *block))
        })
    }
}

fn put(bytes: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn take(bytes: &mut &[u8]) -> Option<u32> {
    let mut value = 0u32;
    for shift in (0..35).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u32::from(byte & 0x7f).checked_shl(shift)?;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(occupants: &Occupants, bytes: &[u8], wanted: &[u32]) -> Vec<usize> {
        let mut found = Vec::new();
        for (offset, Block(first, length, crc), subjects) in occupants.blocks_of(wanted) {
            let block = &bytes[(offset - occupants.at) as usize..][..length as usize];
            assert_eq!(crc32c::crc32c(block), crc);
            for subject in subjects {
                groups_in(block, first, subject, &mut found).unwrap();
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    proptest::proptest! {
        #[test]
        fn every_subject_is_found_where_it_is(
            groups in proptest::collection::vec(proptest::collection::vec(0u32..5_000, 0..4_000), 1..5),
            far in proptest::option::of(4_000_000_000u32..=u32::MAX),
        ) {
            let mut groups = groups;
            groups[0].extend(far);
            let (occupants, bytes) = encode(&groups, 1_000);
            for subject in (0..5_000).step_by(97).chain(far) {
                let expected: Vec<usize> = (0..groups.len()).filter(|g| groups[*g].contains(&subject)).collect();
                proptest::prop_assert_eq!(lookup(&occupants, &bytes, &[subject]), expected);
            }
            let everywhere: Vec<usize> = (0..groups.len()).filter(|g| !groups[*g].is_empty()).collect();
            let all: Vec<u32> = (0..5_000).chain(far).collect();
            proptest::prop_assert_eq!(lookup(&occupants, &bytes, &all), everywhere);
        }
    }

    #[test]
    fn damage_is_noticed_instead_of_read() {
        assert_eq!(groups_in(&[0x80], 1, 1, &mut Vec::new()), None);
        assert_eq!(groups_in(&[0, 2], 1, 1, &mut Vec::new()), None);
        assert_eq!(groups_in(&[0xff; 8], 1, 1, &mut Vec::new()), None);
    }
}
