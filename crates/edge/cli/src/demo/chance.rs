//! Seeded chance: every number of the demo is a pure function of (seed, person, day, draw), so the same seed
//! gives the same product at any size, in any order, on any machine.

/// A small deterministic generator (SplitMix64). Not for secrets.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// A generator for one subject of the story; different keys give independent streams.
    pub fn new(keys: &[u64]) -> Chance {
        let mut state = 0x5441_4c4c_594d_4152;
        for key in keys {
            state = mix(state ^ mix(*key));
        }
        Chance(state)
    }

    /// The next 64 bits.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// Uniform in `[0, 1)`.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// True with probability `p`.
    pub fn happens(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Uniform in `[0, n)`; 0 for n = 0.
    pub fn below(&mut self, n: u64) -> u64 {
        if n == 0 { 0 } else { self.next() % n }
    }

    /// Exponential with this mean.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }

    /// One of the items, the earlier the likelier (weights 1/(rank+1)).
    pub fn ranked<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        let total: f64 = (0..items.len()).map(|i| 1.0 / (i as f64 + 1.0)).sum();
        let mut left = self.unit() * total;
        for (i, item) in items.iter().enumerate() {
            left -= 1.0 / (i as f64 + 1.0);
            if left < 0.0 {
                return item;
            }
        }
        &items[items.len() - 1]
    }
}

fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
