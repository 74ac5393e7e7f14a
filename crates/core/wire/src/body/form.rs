//! Forms with a `data` field, and base64 as clients send it.

use super::FormHead;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// A form that carries JSON in `data`.
pub(super) struct Form {
    pub data: Vec<u8>,
    pub compression: Option<String>,
    pub api_key: Option<String>,
    pub head: FormHead,
}

const CONFIG: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, CONFIG);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, CONFIG);

/// The form, if the bytes are one and have a `data` field.
pub(super) fn parse(body: &[u8]) -> Option<Form> {
    // A form's first pair is short; JSON and binary data have no `=` there.
    if !body.iter().take(64).any(|b| *b == b'=') {
        return None;
    }
    let mut form = Form { data: Vec::new(), compression: None, api_key: None, head: FormHead::default() };
    let mut found = false;
    for (name, value) in form_urlencoded::parse(body) {
        match name.as_ref() {
            "data" => {
                form.data = value.into_owned().into_bytes();
                found = true;
            }
            "compression" => form.compression = Some(value.to_ascii_lowercase()),
            "api_key" | "token" => form.api_key = Some(value.into_owned()),
            "verbose" => form.head.verbose = Some(value.into_owned()),
            "ip" => form.head.ip = Some(value.into_owned()),
            _ => {}
        }
    }
    found.then_some(form)
}

/// `compression` of a query string, lower case.
pub(super) fn compression(query: &str) -> Option<String> {
    if !query.contains("compression=") {
        return None;
    }
    form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == "compression")
        .map(|(_, value)| value.to_ascii_lowercase())
}

/// The bytes behind base64 text in either alphabet, padded or not. Spaces are the `+` that a form took away
/// (mixpanel-node sends base64 without escaping it).
pub(super) fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let mut clean: Vec<u8> = text.iter().map(|b| if *b == b' ' { b'+' } else { *b }).collect();
    while clean.last().is_some_and(|b| matches!(b, b'\n' | b'\r' | b'+')) && !clean.len().is_multiple_of(4) {
        clean.pop();
    }
    if clean.is_empty() {
        return None;
    }
    STANDARD.decode(&clean).or_else(|_| URL_SAFE.decode(&clean)).ok()
}
