//! Random queries of `type: "lifecycle"`.
