//! The operators of chapter 1.3 and their names.

/// An operator of a property condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // Each is the operator of its name; the table below is their documentation.
pub enum Operator {
    Is,
    IsNot,
    Contains,
    NotContains,
    StartsWith,
    EndsWith,
    Regex,
    NotRegex,
    Gt,
    Gte,
    Lt,
    Lte,
    Between,
    Before,
    After,
    IsSet,
    IsNotSet,
}

impl Operator {
    /// Every operator with its name in JSON.
    pub const ALL: [(&'static str, Operator); 17] = [
        ("is", Operator::Is),
        ("is_not", Operator::IsNot),
        ("contains", Operator::Contains),
        ("not_contains", Operator::NotContains),
        ("starts_with", Operator::StartsWith),
        ("ends_with", Operator::EndsWith),
        ("regex", Operator::Regex),
        ("not_regex", Operator::NotRegex),
        ("gt", Operator::Gt),
        ("gte", Operator::Gte),
        ("lt", Operator::Lt),
        ("lte", Operator::Lte),
        ("between", Operator::Between),
        ("before", Operator::Before),
        ("after", Operator::After),
        ("is_set", Operator::IsSet),
        ("is_not_set", Operator::IsNotSet),
    ];

    /// The operator with this name.
    pub fn from_name(name: &str) -> Option<Operator> {
        Self::ALL.iter().find(|(n, _)| *n == name).map(|(_, op)| *op)
    }

    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, op)| *op == self).map_or("", |(name, _)| name)
    }

    /// The positive operator of which this is the complement; none for positive ones.
    pub fn complement_of(self) -> Option<Operator> {
        match self {
            Operator::IsNot => Some(Operator::Is),
            Operator::NotContains => Some(Operator::Contains),
            Operator::NotRegex => Some(Operator::Regex),
            Operator::IsNotSet => Some(Operator::IsSet),
            _ => None,
        }
    }

    pub(crate) fn names() -> String {
        Self::ALL.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }
}
