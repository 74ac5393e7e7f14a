//! The key with which secrets of alert settings are encrypted where they are stored.
//!
//! ```text
//! DIR/secret.key                    32 bytes as base64, mode 0600; made at the first start
//! sealed:1:{key id}:{base64 of nonce, ciphertext, tag}     a secret in settings (ChaCha20-Poly1305)
//! ```
//! Guarantees: what was changed, or sealed with another key, does not open and says which key it was; two processes
//! that make the key at once use the same one; the key is in no backup, no copy and no message.
//! Deliberately not here: which settings are secrets (`stored`).

use crate::MonitorError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Name of the file in the data folder.
pub const KEY_FILE: &str = "secret.key";
/// Says where the key is instead.
pub const KEY_VARIABLE: &str = "TALLYMARK_SECRET_KEY_FILE";
const KEY_BYTES: usize = 32;
const PREFIX: &str = "sealed:1:";
const CONTEXT: &[u8] = b"tallymark alert secret";

/// A key that seals and opens secrets.
#[derive(Clone)]
pub struct SealKey {
    key: std::sync::Arc<LessSafeKey>,
    id: String,
}

impl std::fmt::Debug for SealKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealKey({})", self.id)
    }
}

impl SealKey {
    /// Where the key of a data folder is.
    pub fn place(root: &Path) -> PathBuf {
        std::env::var_os(KEY_VARIABLE)
            .filter(|v| !v.is_empty())
            .map_or_else(|| root.join(KEY_FILE), PathBuf::from)
    }

    /// The key of a data folder; made if there is none. A file that was named must exist.
    pub fn of(root: &Path) -> Result<SealKey, MonitorError> {
        let place = SealKey::place(root);
        if place == root.join(KEY_FILE) { SealKey::open_or_make(&place) } else { SealKey::open(&place) }
    }

    /// Reads a key.
    pub fn open(path: &Path) -> Result<SealKey, MonitorError> {
        let wrong = |reason: String| MonitorError::config(path.display().to_string(), reason);
        let text = fs::read_to_string(path).map_err(|e| wrong(format!("the key of secrets: {e}")))?;
        let bytes = STANDARD.decode(text.trim()).ok().filter(|bytes| bytes.len() == KEY_BYTES);
        let bytes = bytes.ok_or_else(|| {
            wrong(format!("the key of secrets is {KEY_BYTES} bytes as base64 (`openssl rand -base64 32`)"))
        })?;
        if fs::metadata(path).is_ok_and(|m| m.permissions().mode() & 0o077 != 0) {
            tracing::warn!(path = %path.display(), "the key of secrets can be read by others; chmod 600 it");
        }
        SealKey::from_bytes(&bytes)
    }

    fn open_or_make(path: &Path) -> Result<SealKey, MonitorError> {
        if !path.exists() {
            make(path).map_err(|e| MonitorError::config(path.display().to_string(), e.to_string()))?;
        }
        SealKey::open(path)
    }

    fn from_bytes(bytes: &[u8]) -> Result<SealKey, MonitorError> {
        let key = UnboundKey::new(&CHACHA20_POLY1305, bytes)
            .map_err(|_| MonitorError::config("key of secrets", "it has the wrong length"))?;
        let digest = Sha256::digest([b"tallymark key id ".as_slice(), bytes].concat());
        let id = digest[..4].iter().map(|b| format!("{b:02x}")).collect();
        Ok(SealKey { key: std::sync::Arc::new(LessSafeKey::new(key)), id })
    }

    /// What messages and sealed texts call it; says nothing about the key.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Encrypts a secret.
    pub fn seal(&self, secret: &str) -> Result<String, MonitorError> {
        let failed = |_| MonitorError::config("key of secrets", "the system gives no random numbers");
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(failed)?;
        let mut sealed = secret.as_bytes().to_vec();
        // 96 random bits: a nonce comes twice once in 2^48 secrets, and an instance has a handful.
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(CONTEXT), &mut sealed)
            .map_err(failed)?;
        Ok(format!("{PREFIX}{}:{}", self.id, STANDARD.encode([nonce.as_slice(), &sealed].concat())))
    }

    /// Decrypts what [`SealKey::seal`] gave; says why not in words for whoever must type it again.
    pub fn open_sealed(&self, text: &str) -> Result<String, String> {
        let (id, encoded) =
            text.strip_prefix(PREFIX).and_then(|rest| rest.split_once(':')).unwrap_or_default();
        if id != self.id {
            return Err(format!(
                "it was encrypted with the key {id}, this instance has the key {}: put the old key file back, or \
                 type the secret again",
                self.id
            ));
        }
        let changed = || "it was changed since it was encrypted: type the secret again".to_owned();
        let mut bytes = STANDARD.decode(encoded).map_err(|_| changed())?;
        if bytes.len() < NONCE_LEN {
            return Err(changed());
        }
        let mut sealed = bytes.split_off(NONCE_LEN);
        let nonce = Nonce::try_assume_unique_for_key(&bytes).map_err(|_| changed())?;
        let opened = self.key.open_in_place(nonce, Aad::from(CONTEXT), &mut sealed).map_err(|_| changed())?;
        String::from_utf8(opened.to_vec()).map_err(|_| changed())
    }
}

/// True if this is a sealed secret.
pub fn is_sealed(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// Makes a key file that is there as a whole or not at all; if somebody else was quicker, theirs stays.
fn make(path: &Path) -> io::Result<()> {
    let mut bytes = [0; KEY_BYTES];
    SystemRandom::new().fill(&mut bytes).map_err(|_| io::Error::other("no random numbers"))?;
    let fresh = path.with_extension(format!("new-{}", uuid::Uuid::new_v4().simple()));
    let work = || -> io::Result<()> {
        let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&fresh)?;
        writeln!(file, "{}", STANDARD.encode(bytes))?;
        file.sync_all()?;
        match fs::hard_link(&fresh, path) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            other => other?,
        }
        path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    };
    let done = work();
    // The other name of the same file, or a half-written one.
    let _ = fs::remove_file(&fresh);
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_opens_with_the_same_key_only_and_not_if_a_byte_changed() {
        let dir = tempfile::tempdir().unwrap();
        let key = SealKey::open_or_make(&dir.path().join("a")).unwrap();
        let other = SealKey::open_or_make(&dir.path().join("b")).unwrap();
        let sealed = key.seal("hunter22").unwrap();
        assert!(is_sealed(&sealed) && !sealed.contains("hunter22"));
        assert_ne!(sealed, key.seal("hunter22").unwrap(), "equal secrets do not look equal");
        assert_eq!(key.open_sealed(&sealed).unwrap(), "hunter22");
        let why = other.open_sealed(&sealed).unwrap_err();
        assert!(why.contains(key.id()) && why.contains(other.id()) && why.contains("type the secret again"));
        let from = PREFIX.len() + key.id().len() + 1;
        for at in from..sealed.len() - 2 {
            let mut changed = sealed.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(key.open_sealed(&changed).is_err(), "{at}");
        }
        for odd in ["", "sealed:1:", "sealed:1:x", &format!("sealed:1:{}:", key.id())] {
            assert!(key.open_sealed(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn the_key_is_made_once_for_its_owner_only_and_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(KEY_FILE);
        let ids: Vec<String> = std::thread::scope(|threads| {
            let made: Vec<_> = (0..4)
                .map(|_| threads.spawn(|| SealKey::open_or_make(&path).unwrap().id().to_owned()))
                .collect();
            made.into_iter().map(|t| t.join().unwrap()).collect()
        });
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no other name stays");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(SealKey::open_or_make(&path).unwrap().id(), ids[0]);
        fs::write(&path, "too short").unwrap();
        let error = SealKey::open_or_make(&path).unwrap_err().to_string();
        assert!(error.contains("base64") && !error.contains("too short"), "{error}");
    }
}
