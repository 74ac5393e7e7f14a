//! Random queries of `type: "stickiness"`.
