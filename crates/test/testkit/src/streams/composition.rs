//! Random queries of `type: "composition"`.
