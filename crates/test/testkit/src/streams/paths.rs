//! Random queries of `type: "paths"`.
