//! Random queries of `type: "cohort"`.
