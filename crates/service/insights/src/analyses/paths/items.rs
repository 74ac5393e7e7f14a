//! Items: what events are called in paths, as numbers in the order of their texts.
//!
//! Guarantees: one number per text; smaller numbers have smaller texts, so ties broken by number are broken by
//! label.

use crate::analyses::groups::{NONE, OTHER};
use crate::operators::segments::{Shape, matches};
use crate::query::PathsQuery;
use std::collections::BTreeMap;
use tallymark_query::Interner;

/// What stands for what was left out between start and end.
const MORE: &str = "…";
/// The code of an event without a value.
const NO_VALUE: u32 = 0;
/// Codes of values carry this bit, those of names do not.
const VALUE: u32 = 1 << 31;

/// All items of a query.
pub(super) struct Items {
    /// By number.
    pub texts: Vec<String>,
    of_name: Vec<u32>,
    of_value: Vec<u32>,
    /// The item `$other`.
    pub other: u32,
    pub shape: Shape,
}

/// The code of an event that goes by its name.
pub(super) fn of_name(code: u32) -> u32 {
    code
}

/// The code of an event that goes by a value.
pub(super) fn of_value(code: u32) -> u32 {
    VALUE | code
}

impl Items {
    /// Once all codes are known: names by code, and values by code.
    pub fn new(query: &PathsQuery, names: Vec<String>, values: &Interner) -> Items {
        let mut values = values.texts();
        values[NO_VALUE as usize] = NONE.to_owned();
        let grouped = |text: String| {
            let group = query.groupings.iter().find(|pattern| matches(pattern, &text));
            group.cloned().unwrap_or(text)
        };
        let names: Vec<String> = names.into_iter().map(grouped).collect();
        let values: Vec<String> = values.into_iter().map(grouped).collect();
        let wanted = query.start.iter().chain(&query.end);
        let special = [MORE, OTHER].map(str::to_owned);
        let mut numbers: BTreeMap<&str, u32> = BTreeMap::new();
        for text in names.iter().chain(&values).chain(wanted).chain(&special) {
            numbers.insert(text, 0);
        }
        numbers.values_mut().zip(0..).for_each(|(slot, number)| *slot = number);
        let number = |text: &String| numbers.get(text.as_str()).copied().unwrap_or_default();
        let shape = Shape {
            excluded: numbers.keys().map(|text| query.exclude.contains(*text)).collect(),
            collapse: query.collapse,
            start: query.start.as_ref().map(number),
            end: query.end.as_ref().map(number),
            limit: query.step_limit,
            more: number(&special[0]),
        };
        Items {
            of_name: names.iter().map(number).collect(),
            of_value: values.iter().map(number).collect(),
            other: number(&special[1]),
            texts: numbers.keys().map(|text| (*text).to_owned()).collect(),
            shape,
        }
    }

    /// The item of a code.
    pub fn of(&self, code: u32) -> u32 {
        match code & VALUE {
            0 => self.of_name[code as usize],
            _ => self.of_value[(code & !VALUE) as usize],
        }
    }
}
