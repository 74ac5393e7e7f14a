//! The `tallymark` binary.
fn main() {}
