//! From the bytes on the wire to the JSON that a protocol room reads: one algorithm for all ingestion paths.
//!
//! 1. Layers named by `Content-Encoding` are undone, last one first.
//! 2. Bytes that begin like gzip are gunzipped whatever the headers say (posthog-js sends gzip as `text/plain`
//!    without any header).
//! 3. A form with a `data` field gives that field; `compression` may stand in the form or the query.
//! 4. What is then base64 (or lz-string, if `compression` says so) is decoded, and gunzipped again if it is gzip.
//!
//! `Content-Type` is ignored: SDKs send JSON as `text/plain`, as a form, and as nothing.
//! Size and growth are checked while decompressing: a bomb is stopped at its limit, not after it went off.

mod form;
mod inflate;
mod lz;

use crate::answer::Problem;
use crate::{limits, split};
use bytes::Bytes;

/// How the body says it is packed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Packing<'a> {
    /// The `Content-Encoding` header.
    pub content_encoding: Option<&'a str>,
    /// The query string without `?`.
    pub query: &'a str,
}

/// A body ready for a protocol room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// The JSON, or a form that has no `data` field.
    pub body: Bytes,
    /// `api_key` of the form around it.
    pub form_key: Option<String>,
    /// What else the form around it says, if there is one.
    pub form: Option<FormHead>,
}

/// Fields beside `data` of a form, as Mixpanel's clients send them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FormHead {
    /// `verbose`.
    pub verbose: Option<String>,
    /// `ip`.
    pub ip: Option<String>,
}

/// Why a body could not be unpacked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Larger than its limit once unpacked.
    #[error("the body is larger than {limit} bytes after decompression")]
    TooLarge {
        /// Most bytes.
        limit: usize,
    },
    /// Grows too much to be honest data.
    #[error("the body grows more than {} times when decompressed", limits::RATIO)]
    Ratio,
    /// An encoding that nobody here speaks.
    #[error("Content-Encoding '{0}' is not supported")]
    Unknown(String),
    /// Packed more often than any client does.
    #[error("the body has more than {} layers of compression", limits::LAYERS)]
    Layers,
    /// Not what it claims to be.
    #[error("the body is not valid {0}")]
    Corrupt(&'static str),
}

impl BodyError {
    /// The same as a problem of the request.
    pub fn problem(&self) -> Problem {
        match self {
            BodyError::TooLarge { limit } => Problem::TooLarge { limit: *limit, decoded: true },
            BodyError::Ratio => Problem::TooLarge { limit: limits::RATIO_FREE_BYTES, decoded: true },
            other => Problem::Encoding(other.to_string()),
        }
    }
}

/// Unpacks a body to at most `limit` bytes. For `GET`, `raw` is the query string: it is a form too.
pub fn decode(raw: Bytes, packing: Packing<'_>, limit: usize) -> Result<Decoded, BodyError> {
    let mut layers = 0;
    let mut body = raw;
    for encoding in packing.content_encoding.unwrap_or("").rsplit(',').map(str::trim) {
        if encoding.is_empty() || encoding.eq_ignore_ascii_case("identity") {
            continue;
        }
        layers += 1;
        if layers > limits::LAYERS {
            return Err(BodyError::Layers);
        }
        body = inflate::encoded(&body, encoding, limit)?;
    }
    body = gunzip_if_gzip(body, &mut layers, limit)?;
    if body.len() > limit {
        return Err(BodyError::TooLarge { limit });
    }
    if is_json(&body) {
        return Ok(Decoded { body, form_key: None, form: None });
    }
    let form = form::parse(&body);
    let (body, form_key, head, hint) = match form {
        Some(form) => {
            let hint = form.compression.or_else(|| form::compression(packing.query));
            (Bytes::from(form.data), form.api_key, Some(form.head), hint)
        }
        None => (body, None, None, form::compression(packing.query)),
    };
    if is_json(&body) {
        return Ok(Decoded { body, form_key, form: head });
    }
    let body = match hint.as_deref() {
        Some("lz64" | "lz-string") => Bytes::from(lz::decompress_base64(&body, limit)?),
        _ => match form::base64(&body) {
            Some(plain) => gunzip_if_gzip(Bytes::from(plain), &mut layers, limit)?,
            None => body,
        },
    };
    Ok(Decoded { body, form_key, form: head })
}

fn gunzip_if_gzip(mut body: Bytes, layers: &mut usize, limit: usize) -> Result<Bytes, BodyError> {
    while body.starts_with(&[0x1f, 0x8b]) {
        *layers += 1;
        if *layers > limits::LAYERS {
            return Err(BodyError::Layers);
        }
        body = inflate::encoded(&body, "gzip", limit)?;
    }
    Ok(body)
}

fn is_json(body: &[u8]) -> bool {
    matches!(split::first_byte(body), Some(b'{' | b'[') | None)
}

#[cfg(test)]
mod tests;
