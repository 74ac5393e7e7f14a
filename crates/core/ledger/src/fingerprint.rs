//! A sum that notices "one event twice, another missing" although counts agree.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use siphasher::sip128::{Hasher128, SipHasher13};
use std::hash::Hasher;
use std::ops::{Add, AddAssign, Sub, SubAssign};
use tallymark_model::{LogId, Position};

/// Wrapping sum over positions of a keyed 128-bit hash of (log, position). Segments, intervals and
/// compactions combine by addition. Serialised as 32 hex digits. The key is fixed for ever: it is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Fingerprint(pub u128);

impl Fingerprint {
    /// The term of one position.
    pub fn of(log: LogId, position: Position) -> Fingerprint {
        let mut hasher = SipHasher13::new_with_keys(0x7461_6c6c_796d_6172, 0x6b2d_6c65_6467_6572);
        hasher.write(log.0.as_bytes());
        hasher.write(&position.pack().to_le_bytes());
        Fingerprint(hasher.finish128().as_u128())
    }
}

impl Add for Fingerprint {
    type Output = Fingerprint;
    fn add(self, other: Fingerprint) -> Fingerprint {
        Fingerprint(self.0.wrapping_add(other.0))
    }
}

impl AddAssign for Fingerprint {
    fn add_assign(&mut self, other: Fingerprint) {
        *self = *self + other;
    }
}

impl Sub for Fingerprint {
    type Output = Fingerprint;
    fn sub(self, other: Fingerprint) -> Fingerprint {
        Fingerprint(self.0.wrapping_sub(other.0))
    }
}

impl SubAssign for Fingerprint {
    fn sub_assign(&mut self, other: Fingerprint) {
        *self = *self - other;
    }
}

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        u128::from_str_radix(&text, 16).map(Fingerprint).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tallymark_model::Lane;
    use uuid::Uuid;

    fn at(offset: u64) -> Position {
        Position { lane: Lane::Live, partition: 2, offset }
    }

    #[test]
    fn sums_notice_exchanged_positions_and_wrap() {
        let log = LogId(Uuid::from_u128(1));
        let [a, b, c] = [1, 2, 3].map(|o| Fingerprint::of(log, at(o)));
        assert_eq!(a + b, b + a);
        assert_ne!(a + b, a + c);
        assert_ne!(a + a, a + b);
        assert_eq!(a + b - b, a);
        assert_eq!(Fingerprint(u128::MAX) + Fingerprint(2), Fingerprint(1));
        assert_ne!(a, Fingerprint::of(LogId(Uuid::from_u128(2)), at(1)));
    }

    #[test]
    fn the_text_form_round_trips_and_the_hash_is_the_one_on_disk() {
        let one = Fingerprint::of(LogId(Uuid::from_u128(1)), at(1));
        let text = serde_json::to_string(&one).unwrap();
        assert_eq!(text.len(), 34);
        assert_eq!(serde_json::from_str::<Fingerprint>(&text).unwrap(), one);
        assert_eq!(text, "\"daae2a31cfa2c4bf9d22b8846f8b9ad5\"");
    }
}
