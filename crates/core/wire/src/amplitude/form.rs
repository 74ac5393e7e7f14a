//! Amplitude's form bodies: url-encoded, multipart, or JSON with the same names.

use crate::split::{self, Outer};
use bytes::Bytes;

/// The fields of a form by name.
pub(super) struct Fields(Vec<(String, Bytes)>);

impl Fields {
    /// Reads a form of any of the three kinds.
    pub fn parse(body: &Bytes) -> Fields {
        if body.starts_with(b"--") {
            return Fields(multipart(body).unwrap_or_default());
        }
        if split::first_byte(body) == Some(b'{') {
            return Fields(json(body).unwrap_or_default());
        }
        let pairs = form_urlencoded::parse(body);
        Fields(pairs.map(|(name, value)| (name.into_owned(), Bytes::from(value.into_owned()))).collect())
    }

    /// The last field of this name.
    pub fn get(&self, name: &str) -> Option<&Bytes> {
        self.0.iter().rev().find(|(n, _)| n == name).map(|(_, value)| value)
    }

    /// The same as text.
    pub fn text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.get(name)?).ok()
    }
}

fn json(body: &Bytes) -> Option<Vec<(String, Bytes)>> {
    let outer = Outer::parse(body).ok()?;
    let names = ["api_key", "client", "event", "e", "identification", "mapping", "options", "upload_time"];
    let field = |name: &str| {
        let text = match outer.value(name)? {
            tallymark_model::Value::String(text) => Bytes::from(text),
            // Numbers and structures keep the client's bytes.
            _ => outer.text.slice(outer.get(name)?.range.clone()),
        };
        Some((name.to_owned(), text))
    };
    // `event` and friends may be broken inside: then they are passed on as they are.
    let raw = |name: &str| Some((name.to_owned(), outer.text.slice(outer.get(name)?.range.clone())));
    Some(names.iter().filter_map(|name| field(name).or_else(|| raw(name))).collect())
}

/// Parts of `multipart/form-data`; the boundary is the body's first line.
fn multipart(body: &Bytes) -> Option<Vec<(String, Bytes)>> {
    let boundary_end = find(body, b"\r\n", 0)?;
    let delimiter = [b"\r\n", &body[..boundary_end]].concat();
    let mut fields = Vec::new();
    let mut at = boundary_end + 2;
    while let Some(head_end) = find(body, b"\r\n\r\n", at) {
        let end = find(body, &delimiter, head_end + 2)?;
        let head = String::from_utf8_lossy(&body[at..head_end]);
        let name = head.split("name=\"").nth(1).and_then(|rest| rest.split('"').next());
        if let Some(name) = name {
            fields.push((name.to_owned(), body.slice((head_end + 4).min(end)..end)));
        }
        at = (end + delimiter.len() + 2).min(body.len());
    }
    Some(fields)
}

fn find(text: &[u8], needle: &[u8], from: usize) -> Option<usize> {
    text.get(from..)?.windows(needle.len()).position(|w| w == needle).map(|i| i + from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_three_kinds_give_the_same_fields() {
        let multipart = "--xYz\r\nContent-Disposition: form-data; name=\"api_key\"\r\n\r\nk1\r\n--xYz\r\n\
            Content-Disposition: form-data; name=\"event\"\r\nContent-Type: text/plain\r\n\r\n[{\"a\":1}]\r\n--xYz--\r\n";
        for body in
            ["api_key=k1&event=%5B%7B%22a%22%3A1%7D%5D", multipart, r#"{"api_key":"k1","event":[{"a":1}]}"#]
        {
            let fields = Fields::parse(&Bytes::from(body));
            assert_eq!(fields.text("api_key"), Some("k1"), "{body}");
            assert_eq!(fields.text("event"), Some(r#"[{"a":1}]"#), "{body}");
            assert_eq!(fields.text("nothing"), None);
        }
    }

    #[test]
    fn broken_multipart_has_no_fields() {
        for body in ["--", "--x\r\n", "--x\r\nname=\"a\"\r\n\r\n", "--x\r\nname=\"a\"\r\n\r\nv"] {
            assert!(Fields::parse(&Bytes::from(body)).get("a").is_none(), "{body:?}");
        }
    }
}
