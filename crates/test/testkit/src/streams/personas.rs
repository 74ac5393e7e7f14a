//! Random queries of `type: "personas"`.
