//! Commands of operators: the verbs of the books, rules, dead letters, persons, recovery, status.

pub mod consent;
pub mod follow;
pub mod incidents;
pub mod jobs;
pub mod letters;
pub mod persons;
pub mod projects;
pub mod recover;
pub mod rules;
pub mod status;
pub mod verbs;
