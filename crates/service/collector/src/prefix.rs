//! Under which address a client reached us: a first-party path prefix, and what proxies in front say of it.
//!
//! Answers that send a client somewhere (Segment's settings) must name the address that works for that client.
//! Guarantees: what a proxy says is believed only where one is declared, because such an answer may be cached for
//! others; nothing that is not a host or a path gets into an answer.

use http::header::{self, HeaderMap};

const CHARS_MAX: usize = 200;

/// A path such as `/ingest`: whole segments, without a slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPrefix(String);

impl PathPrefix {
    /// The prefix in `text`, with or without a slash at its end; `/` alone is none.
    pub fn parse(text: &str) -> Option<PathPrefix> {
        let text = text.trim();
        let text = text.strip_suffix('/').unwrap_or(text);
        let segments = text.strip_prefix('/')?.split('/');
        let usable = |s: &str| {
            !s.is_empty()
                && s.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~'))
        };
        let fits = text.len() <= CHARS_MAX && segments.clone().all(|s| usable(s) && s != "." && s != "..");
        fits.then(|| PathPrefix(text.to_owned()))
    }

    /// The path below the prefix, if it lies there: `/ingest/e/` is `/e/`, `/ingestion` is not below `/ingest`.
    pub(crate) fn strip<'p>(&self, path: &'p str) -> Option<&'p str> {
        path.strip_prefix(&self.0).filter(|rest| rest.starts_with('/'))
    }
}

/// Where a client found us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reached {
    pub scheme: &'static str,
    /// Host and prefix: `example.com/ingest`.
    pub base: String,
}

impl Reached {
    /// By its own headers; `prefix` is the one its path had here.
    pub fn by(headers: &HeaderMap, prefix: Option<&PathPrefix>, trusted_hops: u8) -> Reached {
        let https = last(headers, "x-forwarded-proto").is_some_and(|v| v.eq_ignore_ascii_case("https"));
        let told = |name| last(headers, name).filter(|_| trusted_hops > 0);
        let own = headers.get(header::HOST).and_then(|v| v.to_str().ok());
        let host = told("x-forwarded-host").or(own).filter(|h| is_host(h)).unwrap_or("localhost");
        // What a proxy took away stands left of what is taken away here.
        let outer = told("x-forwarded-prefix").and_then(PathPrefix::parse);
        let path = [outer.as_ref(), prefix].into_iter().flatten().map(|p| p.0.as_str());
        Reached {
            scheme: if https { "https" } else { "http" },
            base: std::iter::once(host).chain(path).collect(),
        }
    }
}

/// What the nearest hop wrote: the last of a list.
fn last<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get_all(name).iter().next_back()?.to_str().ok()?.rsplit(',').next().map(str::trim)
}

fn is_host(text: &str) -> bool {
    let usable = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']');
    !text.is_empty() && text.len() <= CHARS_MAX && text.bytes().all(usable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    #[test]
    fn a_prefix_is_whole_segments() {
        let prefix = PathPrefix::parse("/t/ingest/").unwrap();
        assert_eq!(prefix, PathPrefix::parse(" /t/ingest").unwrap());
        assert_eq!(prefix.strip("/t/ingest/e/"), Some("/e/"));
        assert_eq!(prefix.strip("/t/ingest/"), Some("/"));
        for path in ["/t/ingest", "/t/ingestion/e", "/e", "/T/ingest/e"] {
            assert_eq!(prefix.strip(path), None, "{path}");
        }
        for text in
            ["", "/", "ingest", "//x", "/a//b", "/..", "/a/./b", "/a b", "/<script>", "/a?b", "https://x/"]
        {
            assert_eq!(PathPrefix::parse(text), None, "{text}");
        }
    }

    fn reached(lines: &[(&'static str, &'static str)], prefix: Option<&str>, hops: u8) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let prefix = prefix.map(|p| PathPrefix::parse(p).unwrap());
        let Reached { scheme, base } = Reached::by(&headers, prefix.as_ref(), hops);
        format!("{scheme}://{base}")
    }

    #[test]
    fn proxies_are_believed_where_they_are_declared() {
        let direct = [("host", "t.example:8000")];
        assert_eq!(reached(&direct, None, 0), "http://t.example:8000");
        assert_eq!(reached(&direct, Some("/in"), 0), "http://t.example:8000/in");
        let told = [
            ("host", "inner:1"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "evil.test, shop.example"),
            ("x-forwarded-prefix", "/ingest/"),
        ];
        assert_eq!(reached(&told, None, 0), "https://inner:1");
        assert_eq!(reached(&told, None, 1), "https://shop.example/ingest");
        assert_eq!(reached(&told, Some("/in"), 1), "https://shop.example/ingest/in");
        let junk = [("host", "a b"), ("x-forwarded-prefix", "\"><x")];
        assert_eq!(reached(&junk, None, 1), "http://localhost");
    }
}
