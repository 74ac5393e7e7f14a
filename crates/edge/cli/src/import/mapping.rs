//! Mappings on the command line: files, and `field=expression` pairs.

use std::path::Path;
use tallymark_mapping::{MappingError, MappingText};

/// A mapping that cannot be read or used.
#[derive(Debug, thiserror::Error)]
pub enum ArgumentError {
    /// The mapping file cannot be read.
    #[error("cannot read the mapping {path}: {why}")]
    Read {
        /// The file.
        path: String,
        /// The reason.
        why: String,
    },
    /// The mapping itself.
    #[error(transparent)]
    Mapping(#[from] MappingError),
}

/// Reads `--map` arguments: files (TOML or JSON) and `key=expression` pairs, later ones winning.
pub fn from_arguments(arguments: &[String]) -> Result<MappingText, ArgumentError> {
    let mut text = MappingText::default();
    for argument in arguments {
        match argument.split_once('=') {
            Some((key, expression)) if !Path::new(argument).exists() => {
                text.set(key.trim(), expression.trim())?
            }
            _ => text = read_file(Path::new(argument))?,
        }
    }
    Ok(text)
}

fn read_file(path: &Path) -> Result<MappingText, ArgumentError> {
    let fail = |why: String| ArgumentError::Read { path: path.display().to_string(), why };
    let text = std::fs::read_to_string(path).map_err(|e| fail(e.to_string()))?;
    if path.extension().is_some_and(|e| e == "json") {
        serde_json::from_str(&text).map_err(|e| fail(e.to_string()))
    } else {
        toml::from_str(&text).map_err(|e| fail(e.to_string()))
    }
}
