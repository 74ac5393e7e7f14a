//! Password hashing: Argon2id with its parameters stored beside each hash (S18).
//!
//! Guarantees: an unknown user costs the same time as a known one; hashes with other parameters than today's are
//! reported, so that a login renews them.
//! Deliberately not here: limits on attempts.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use std::sync::LazyLock;

/// What a password turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Wrong, or there is no such user.
    Wrong,
    /// Right.
    Right,
    /// Right, and the stored hash should be renewed.
    RightButOld,
}

/// Hashes and verifies; blocks for tens of milliseconds.
pub(crate) struct Passwords;

const CHARS_MIN: usize = 10;
const BYTES_MAX: usize = 1024;

impl Passwords {
    /// Why a new password cannot be used, if so.
    pub fn weakness(password: &str) -> Option<&'static str> {
        if password.chars().count() < CHARS_MIN {
            return Some("a password has at least 10 characters");
        }
        if password.len() > BYTES_MAX {
            return Some("a password has at most 1,024 bytes");
        }
        let first = password.chars().next();
        password.chars().all(|c| Some(c) == first).then_some("a password is more than one character repeated")
    }

    /// The PHC string of a password.
    pub fn hash(password: &str) -> Result<String, argon2::password_hash::Error> {
        Ok(argon().hash_password(password.as_bytes())?.to_string())
    }

    /// Compares, in the same time whether or not the user exists.
    pub fn verify(password: &str, stored: Option<&str>) -> Verdict {
        static NOBODY: LazyLock<String> =
            LazyLock::new(|| Passwords::hash("nobody has this password").unwrap_or_default());
        if password.len() > BYTES_MAX {
            return Verdict::Wrong;
        }
        let Ok(parsed) = PasswordHash::new(stored.unwrap_or(&NOBODY)) else { return Verdict::Wrong };
        let right = argon().verify_password(password.as_bytes(), &parsed).is_ok();
        match (right, stored) {
            (true, Some(_)) if is_current(&parsed) => Verdict::Right,
            (true, Some(_)) => Verdict::RightButOld,
            _ => Verdict::Wrong,
        }
    }
}

/// 19 MiB, two passes, one lane: the OWASP recommendation for Argon2id.
fn argon() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::default())
}

fn is_current(hash: &PasswordHash) -> bool {
    let today = Params::default();
    hash.algorithm.as_str() == "argon2id"
        && Params::try_from(hash).is_ok_and(|p| {
            (p.m_cost(), p.t_cost(), p.p_cost()) == (today.m_cost(), today.t_cost(), today.p_cost())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_carry_their_parameters_and_verify() {
        let hash = Passwords::hash("correct horse battery").unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_ne!(hash, Passwords::hash("correct horse battery").unwrap());
        assert_eq!(Passwords::verify("correct horse battery", Some(&hash)), Verdict::Right);
        assert_eq!(Passwords::verify("correct horse", Some(&hash)), Verdict::Wrong);
        assert_eq!(Passwords::verify("nobody has this password", None), Verdict::Wrong);
        assert_eq!(Passwords::verify("x", Some("not a hash")), Verdict::Wrong);
    }

    #[test]
    fn hashes_of_other_parameters_are_renewed() {
        let weak = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8, 1, 1, None).unwrap());
        let old = weak.hash_password(b"correct horse battery").unwrap().to_string();
        assert_eq!(Passwords::verify("correct horse battery", Some(&old)), Verdict::RightButOld);
    }

    #[test]
    fn weak_passwords_are_named() {
        for bad in ["short", "aaaaaaaaaaaaaaaa", &"x1".repeat(600)] {
            assert!(Passwords::weakness(bad).is_some());
        }
        assert_eq!(Passwords::weakness("päßwörter sind gut"), None);
        assert_eq!(Passwords::weakness(&"long enough ".repeat(20)), None);
    }
}
