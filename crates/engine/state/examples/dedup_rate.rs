//! How many lookups with an insert the dedup index does per second.
//!
//! `cargo run --release -p tallymark-state --example dedup_rate -- [millions of entries]`

use std::time::Instant;
use tallymark_state::{DedupEntry, DedupIndex, day_of};

fn main() {
    let millions: u64 = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(10);
    let mut index = DedupIndex::new(30);
    let key = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (n >> 3).wrapping_mul(0xd6e8_feb8_6659_fd93);
    let mut found = 0u64;
    let started = Instant::now();
    for n in 0..millions * 1_000_000 {
        // A new day every half million entries; one in fifty is a resend of something recent.
        let day = day_of((n / 500_000) as i64 * 86_400_000);
        let n = if n % 50 == 0 { n.saturating_sub(12_345) } else { n };
        match index.get(key(n), day) {
            Some(_) => found += 1,
            None => index.insert(DedupEntry { key: key(n), position: n, day }),
        }
    }
    let rate = millions as f64 / started.elapsed().as_secs_f64();
    println!("{rate:.1} million lookups and inserts per second; {found} resends found, {} kept", index.len());
}
