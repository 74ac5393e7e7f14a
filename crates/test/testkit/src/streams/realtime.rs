//! Random queries of `type: "realtime"`.
