//! Random queries of `type: "sessions"`.
