//! A value that must not be shown.
//!
//! Guarantees: neither `Debug` nor serialisation shows it; `env:NAME` and `file:PATH` keep it out of the file.
//! Deliberately not here: encryption (`seal`); a value that is still sealed has no use.

use crate::MonitorError;
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;

/// A secret, or where to find it (`env:NAME`, `file:PATH`).
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Secret {
        Secret(value.into())
    }

    /// The value itself.
    pub fn reveal(&self) -> Result<String, MonitorError> {
        if let Some(name) = self.0.strip_prefix("env:") {
            return std::env::var(name)
                .map_err(|_| MonitorError::config(format!("env:{name}"), "the variable is not set"));
        }
        if let Some(path) = self.0.strip_prefix("file:") {
            return std::fs::read_to_string(path)
                .map(|text| text.trim_end().to_owned())
                .map_err(|e| MonitorError::config(format!("file:{path}"), e.to_string()));
        }
        if super::is_sealed(&self.0) {
            let reason = "it is encrypted with a key that this instance does not have: type it again";
            return Err(MonitorError::config("secret", reason));
        }
        Ok(self.0.clone())
    }

    /// As it was given.
    pub(super) fn stored(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_itself_only_when_asked() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret:?}"), "[redacted]");
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"[redacted]\"");
        assert_eq!(secret.reveal().unwrap(), "hunter2");
    }

    #[test]
    fn a_secret_may_live_in_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "from a file\n").unwrap();
        assert_eq!(Secret::new(format!("file:{}", file.path().display())).reveal().unwrap(), "from a file");
        assert!(Secret::new("file:/nowhere/at/all").reveal().is_err());
        assert!(Secret::new("env:TALLYMARK_NO_SUCH_VARIABLE").reveal().is_err());
    }
}
