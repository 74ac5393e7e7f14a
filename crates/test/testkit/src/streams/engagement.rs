//! Random queries of `type: "engagement"`.
