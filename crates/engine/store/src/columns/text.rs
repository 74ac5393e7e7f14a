//! Interning of strings while a dictionary column is built.

use arrow::array::StringArray;
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::BuildHasher;

/// Distinct strings, numbered in order of appearance. The hash is seeded per table: clients choose the strings.
#[derive(Debug, Default)]
pub struct Interner {
    hasher: DefaultHashBuilder,
    table: HashTable<u32>,
    texts: Texts,
}

impl Interner {
    /// The number of this string.
    pub fn intern(&mut self, text: &str) -> u32 {
        let hash = self.hasher.hash_one(text);
        let Interner { hasher, table, texts } = self;
        let entry = table.entry(
            hash,
            |&i| texts.get(i as usize) == text,
            |&i| hasher.hash_one(texts.get(i as usize)),
        );
        match entry {
            hashbrown::hash_table::Entry::Occupied(known) => *known.get(),
            hashbrown::hash_table::Entry::Vacant(free) => {
                let number = texts.len() as u32;
                texts.push(text);
                free.insert(number);
                number
            }
        }
    }

    /// Copies of the strings, by number.
    pub fn words(&self) -> Vec<String> {
        (0..self.texts.len()).map(|number| self.texts.get(number).to_owned()).collect()
    }

    /// The strings, by number.
    pub fn texts(&self) -> &Texts {
        &self.texts
    }
}

/// Strings end to end.
#[derive(Debug)]
pub struct Texts {
    text: String,
    offsets: Vec<i32>,
}

impl Default for Texts {
    fn default() -> Texts {
        Texts { text: String::new(), offsets: vec![0] }
    }
}

impl Texts {
    /// How many.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The string with this number; empty if there is none.
    pub fn get(&self, number: usize) -> &str {
        match (self.offsets.get(number), self.offsets.get(number + 1)) {
            (Some(&from), Some(&to)) => self.text.get(from as usize..to as usize).unwrap_or_default(),
            _ => "",
        }
    }

    /// Appends a string. Beyond 2 GiB per column the offset saturates and [`Texts::array`] reports it.
    pub fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.offsets.push(i32::try_from(self.text.len()).unwrap_or(i32::MAX));
    }

    /// All strings as an Arrow array; an error if they are longer than an Arrow array can hold.
    pub fn array(&self) -> Result<StringArray, String> {
        if i32::try_from(self.text.len()).is_err() {
            return Err("one column holds more than 2 GiB of text; write fewer rows per file".to_owned());
        }
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets.clone()));
        StringArray::try_new(offsets, Buffer::from(self.text.as_bytes()), None).map_err(|e| e.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_strings_share_a_number() {
        let mut interner = Interner::default();
        let words = ["a", "", "b", "a", "", "ä"];
        let numbers: Vec<u32> = words.iter().map(|w| interner.intern(w)).collect();
        assert_eq!(numbers, [0, 1, 2, 0, 1, 3]);
        let array = interner.texts().array().unwrap();
        assert_eq!(array.iter().flatten().collect::<Vec<_>>(), ["a", "", "b", "ä"]);
    }
}
