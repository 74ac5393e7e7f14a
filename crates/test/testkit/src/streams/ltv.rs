//! Random queries of `type: "ltv"`.
