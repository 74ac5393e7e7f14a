//! Segments of one actor's stream for paths (chapter 8): where they end, and what is left of them.
//!
//! Guarantees: pure; items are numbers, of which equal ones are equal items.

use tallymark_model::Millis;

/// An item and when it happened; an item that stands for several has no time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Node {
    pub item: u32,
    pub time: Option<Millis>,
}

/// Steps 3 to 5.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    /// By item: left out.
    pub excluded: Vec<bool>,
    pub collapse: bool,
    pub start: Option<u32>,
    pub end: Option<u32>,
    pub limit: usize,
    /// The item that stands for what was left out between start and end.
    pub more: u32,
}

/// What became of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Nothing is left of it.
    Vanished,
    /// Its last node is where the actor stopped, or the end that was asked for.
    Whole,
    /// The limit of steps cut off what came after its last node.
    Truncated,
}

impl Shape {
    /// Shapes a segment in place.
    pub fn apply(&self, nodes: &mut Vec<Node>) -> Ending {
        nodes.retain(|node| !self.excluded[node.item as usize]);
        if self.collapse {
            nodes.dedup_by_key(|node| node.item);
        }
        if let Some(start) = self.start {
            match nodes.iter().position(|node| node.item == start) {
                Some(first) => drop(nodes.drain(..first)),
                None => return Ending::Vanished,
            }
        }
        if let Some(end) = self.end {
            // If both are the same item, the end is another occurrence.
            let from = usize::from(self.start == self.end);
            match nodes.iter().skip(from).position(|node| node.item == end) {
                Some(last) => nodes.truncate(from + last + 1),
                None => return Ending::Vanished,
            }
        }
        if nodes.is_empty() {
            return Ending::Vanished;
        }
        if nodes.len() <= self.limit {
            return Ending::Whole;
        }
        match (self.start, self.end) {
            (Some(_), Some(_)) => {
                let half = self.limit / 2;
                nodes[half] = Node { item: self.more, time: None };
                nodes.drain(half + 1..nodes.len() - half);
                Ending::Whole
            }
            (None, Some(_)) => {
                nodes.drain(..nodes.len() - self.limit);
                Ending::Whole
            }
            _ => {
                nodes.truncate(self.limit);
                Ending::Truncated
            }
        }
    }
}

/// True if a pattern, in which `*` stands for any characters, matches a whole text.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shaped(start: Option<u32>, end: Option<u32>, limit: usize, items: &[u32]) -> (Vec<u32>, Ending) {
        let excluded = (0..=9).map(|item| item == 7).collect();
        let shape = Shape { excluded, collapse: true, start, end, limit, more: 9 };
        let mut nodes: Vec<Node> = items.iter().map(|item| Node { item: *item, time: Some(0) }).collect();
        let ending = shape.apply(&mut nodes);
        (nodes.iter().map(|node| node.item).collect(), ending)
    }

    #[test]
    fn excluded_items_go_before_equal_neighbours_collapse() {
        assert_eq!(shaped(None, None, 5, &[1, 7, 1, 2]), (vec![1, 2], Ending::Whole));
        assert_eq!(shaped(None, None, 5, &[7]).1, Ending::Vanished);
    }

    #[test]
    fn start_and_end_bound_a_segment() {
        assert_eq!(shaped(Some(2), None, 5, &[1, 2, 3, 2]), (vec![2, 3, 2], Ending::Whole));
        assert_eq!(shaped(Some(2), Some(2), 5, &[1, 2, 3, 2, 4]), (vec![2, 3, 2], Ending::Whole));
        assert_eq!(shaped(Some(2), Some(2), 5, &[1, 2, 3]).1, Ending::Vanished);
        // The end counts from the start on.
        assert_eq!(shaped(Some(2), Some(1), 5, &[1, 2, 3, 1, 4]), (vec![2, 3, 1], Ending::Whole));
    }

    #[test]
    fn the_limit_cuts_where_nothing_was_asked_for() {
        let long = [1, 2, 3, 4, 5, 6];
        assert_eq!(shaped(None, None, 4, &long), (vec![1, 2, 3, 4], Ending::Truncated));
        assert_eq!(shaped(None, Some(6), 4, &long), (vec![3, 4, 5, 6], Ending::Whole));
        assert_eq!(shaped(Some(1), Some(6), 5, &long), (vec![1, 2, 9, 5, 6], Ending::Whole));
        assert_eq!(shaped(Some(1), Some(6), 1, &long), (vec![9], Ending::Whole));
    }

    #[test]
    fn patterns_match_whole_texts() {
        assert!(matches("/blog/*", "/blog/a/b") && matches("*", "") && matches("a*b*c", "a-b-b-c"));
        assert!(!matches("/blog/*", "x/blog/a") && !matches("a*a", "a") && !matches("a.c", "abc"));
        assert!(matches("abc", "abc") && !matches("abc", "abcd") && matches("**", "x"));
    }
}
