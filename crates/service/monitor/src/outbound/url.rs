//! Addresses of receivers.
//!
//! Guarantees: `http` or `https`, a host, no user name (`http://good@evil/` is refused).
//! Deliberately not here: whether the host may be reached (`address`).

use http::Uri;

/// A receiver's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// True for `https`.
    pub tls: bool,
    /// Name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Path and query.
    pub path: String,
}

impl Url {
    /// Reads an address.
    pub fn parse(text: &str) -> Result<Url, String> {
        let uri: Uri = text.trim().parse().map_err(|e| format!("not an address: {e}"))?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err("must begin with https:// or http://".to_owned()),
        };
        let authority = uri.authority().ok_or("has no host")?;
        if authority.as_str().contains('@') {
            return Err("must not hold a user name".to_owned());
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err("has no host".to_owned());
        }
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let path = uri.path_and_query().map_or("/".to_owned(), |p| p.to_string());
        Ok(Url { tls, host, port, path })
    }

    /// Value of the `host` header.
    pub fn host_header(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match (self.tls, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        let url = Url::parse("https://hooks.example.org/a/b?c=d").unwrap();
        assert_eq!(
            (url.tls, url.host.as_str(), url.port, url.path.as_str()),
            (true, "hooks.example.org", 443, "/a/b?c=d")
        );
        let url = Url::parse("http://[::1]:8080").unwrap();
        assert_eq!((url.host.as_str(), url.port, url.host_header().as_str()), ("::1", 8080, "[::1]:8080"));
    }

    #[test]
    fn what_is_no_receiver_is_refused() {
        for wrong in
            ["ftp://x/", "/relative", "http://user@host/", "http://good.example:80@127.0.0.1/", "", "http://"]
        {
            assert!(Url::parse(wrong).is_err(), "{wrong}");
        }
    }
}
