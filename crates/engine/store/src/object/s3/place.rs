//! Where an S3 store is and how to get in: the URL, and the standard `AWS_*` variables.
//!
//! ```text
//! s3://BUCKET/PREFIX?endpoint=http://127.0.0.1:9000&region=eu-central-1
//! ```
//! What the URL says goes before the variables. Credentials are never taken from the URL: it stands in settings,
//! reports and logs. A server of one's own (an endpoint) is asked by path (`ENDPOINT/BUCKET/KEY`), Amazon by host.
//! Guarantees: what is missing is said before anything is sent.
//! Deliberately not here: requests; profiles of `~/.aws`, which need a library of their own.

use object_store::ClientOptions;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey as Key, S3ConditionalPut};
use object_store::{BackoffConfig, RetryConfig};
use std::collections::BTreeMap;
use std::time::Duration;

/// A server that does not take the connection is tried again after this.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// One request with its body: 8 MiB pass in this time over a line of 1 Mbit/s.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);
const TRIES_AGAIN: usize = 6;
/// Before the second try; tests do not wait.
const FIRST_WAIT: Duration = if cfg!(test) { Duration::from_millis(1) } else { Duration::from_millis(100) };
const TRIES_FOR: Duration = Duration::from_secs(60);

/// An S3 store, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub bucket: String,
    /// Without slashes at its ends; empty: the bucket as a whole.
    pub prefix: String,
    pub endpoint: Option<String>,
    pub region: Option<String>,
}

impl Place {
    /// Reads what follows `s3:`; the prefix is one of our own keys.
    pub fn parse(rest: &str) -> Result<Place, String> {
        let place = Place::parse_foreign(rest)?;
        if !place.prefix.is_empty() && super::super::check_key(&place.prefix).is_err() {
            return Err(format!("the prefix `{}` may hold [A-Za-z0-9._-] and single `/` only", place.prefix));
        }
        Ok(place)
    }

    /// The same for a prefix that somebody else chose, percent-encoded where it holds `?`, `#` or `%`.
    pub fn parse_foreign(rest: &str) -> Result<Place, String> {
        let rest = rest.strip_prefix("//").ok_or("it is written `s3://BUCKET/PREFIX`")?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        if bucket.contains(['@', ':']) {
            return Err("credentials do not belong into a URL: set AWS_ACCESS_KEY_ID and \
                        AWS_SECRET_ACCESS_KEY in the environment"
                .to_owned());
        }
        let named = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'.' | b'-');
        if bucket.len() < 3 || bucket.len() > 63 || !bucket.bytes().all(named) {
            return Err(format!("`{bucket}` is not the name of a bucket"));
        }
        let prefix = percent_decoded(prefix.trim_matches('/'))?;
        let mut place = Place { bucket: bucket.to_owned(), prefix, endpoint: None, region: None };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "endpoint" => place.endpoint = Some(value.into_owned()),
                "region" => place.region = Some(value.into_owned()),
                other => {
                    return Err(format!("`{other}` is not known: only endpoint and region may be given"));
                }
            }
        }
        Ok(place)
    }

    /// What messages call it.
    pub fn shown(&self) -> String {
        let at = self.endpoint.as_ref().map_or(String::new(), |e| format!(" at {e}"));
        format!("the bucket `{}`{at}", self.bucket)
    }

    /// A client's settings; takes over what only the variables say.
    pub fn builder(&mut self, variables: &[(String, String)]) -> Result<AmazonS3Builder, String> {
        let known: BTreeMap<String, (Key, &str)> = variables
            .iter()
            .filter(|(name, value)| name.starts_with("AWS_") && !value.is_empty())
            .filter_map(|(name, value)| {
                let key: Key = name.to_ascii_lowercase().parse().ok()?;
                Some((key.as_ref().to_owned(), (key, value.as_str())))
            })
            .collect();
        let given = |key: Key| known.get(key.as_ref()).map(|(_, value)| (*value).to_owned());
        let own = given(Key::S3Endpoint).or_else(|| given(Key::Endpoint));
        self.endpoint = self.endpoint.take().or(own);
        self.region = self.region.take().or_else(|| given(Key::Region)).or_else(|| given(Key::DefaultRegion));
        self.check(&|key| given(key).is_some())?;

        let by_host = given(Key::VirtualHostedStyleRequest);
        // A bucket with a dot in its name has no certificate that fits.
        let by_host =
            by_host.unwrap_or_else(|| (self.endpoint.is_none() && !self.bucket.contains('.')).to_string());
        let client = ClientOptions::new()
            .with_connect_timeout(CONNECT_TIMEOUT)
            .with_timeout(REQUEST_TIMEOUT)
            .with_allow_http(self.endpoint.as_ref().is_some_and(|e| e.starts_with("http://")));
        let mut builder = AmazonS3Builder::new().with_client_options(client);
        let ours = [Key::S3Endpoint, Key::Endpoint, Key::Region, Key::DefaultRegion, Key::Bucket];
        for (key, value) in known.into_values().filter(|(key, _)| !ours.contains(key)) {
            builder = builder.with_config(key, value);
        }
        builder = builder
            .with_bucket_name(&self.bucket)
            .with_config(Key::VirtualHostedStyleRequest, by_host)
            .with_conditional_put(S3ConditionalPut::ETagMatch)
            .with_retry(retry());
        if let Some(endpoint) = &self.endpoint {
            builder = builder.with_endpoint(endpoint.trim_end_matches('/'));
        }
        Ok(builder.with_region(self.region.as_deref().unwrap_or("us-east-1")))
    }

    fn check(&self, given: &dyn Fn(Key) -> bool) -> Result<(), String> {
        match &self.endpoint {
            Some(e) if !e.starts_with("http://") && !e.starts_with("https://") => {
                return Err(format!("the endpoint `{e}` must begin with https:// or http://"));
            }
            None if self.region.is_none() => {
                return Err("no region: set AWS_REGION, or write `?region=…`; for a server of your own set \
                            AWS_ENDPOINT_URL, or write `?endpoint=…`"
                    .to_owned());
            }
            _ => {}
        }
        let keys = [Key::AccessKeyId, Key::WebIdentityTokenFile, Key::ContainerCredentialsRelativeUri];
        let found = keys.into_iter().chain([Key::ContainerCredentialsFullUri, Key::SkipSignature]).any(given);
        // On a machine of Amazon's, credentials may come from the machine itself; elsewhere there are none.
        if !found && self.endpoint.is_some() {
            return Err(
                "no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment \
                        of the process that does the work (the server's, if one runs)"
                    .to_owned(),
            );
        }
        Ok(())
    }
}

fn percent_decoded(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, more)) = rest.split_first() {
        let hex = |b: u8| char::from(b).to_digit(16).map(|d| d as u8);
        match (first, more) {
            (b'%', [high, low, after @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    bytes.push(high << 4 | low);
                    rest = after;
                }
                _ => return Err(format!("`{text}` has a `%` that is followed by no hexadecimal number")),
            },
            (b'%', _) => return Err(format!("`{text}` ends with a `%`")),
            _ => {
                bytes.push(first);
                rest = more;
            }
        }
    }
    String::from_utf8(bytes).map_err(|_| format!("`{text}` is not UTF-8"))
}

/// Connection failures, 5xx and 429 are tried again; the waits double, with jitter.
fn retry() -> RetryConfig {
    let backoff = BackoffConfig { init_backoff: FIRST_WAIT, max_backoff: FIRST_WAIT * 100, base: 2.0 };
    RetryConfig { backoff, max_retries: TRIES_AGAIN, retry_timeout: TRIES_FOR }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn a_url_says_bucket_prefix_endpoint_and_region() {
        let place = Place::parse("//bucket/a/b/?endpoint=http%3A%2F%2F127.0.0.1:9000&region=eu-1").unwrap();
        assert_eq!((place.bucket.as_str(), place.prefix.as_str()), ("bucket", "a/b"));
        assert_eq!(place.endpoint.as_deref(), Some("http://127.0.0.1:9000"));
        assert_eq!(place.region.as_deref(), Some("eu-1"));
        assert_eq!(Place::parse("//bucket").unwrap().prefix, "");
        for wrong in ["bucket", "//", "//B/x", "//bucket/../x", "//bucket/a b", "//bucket/x?acl=public"] {
            assert!(Place::parse(wrong).is_err(), "{wrong}");
        }
        let foreign = Place::parse_foreign("//bucket/logs/ds=1/a%231 b%2A/").unwrap();
        assert_eq!(foreign.prefix, "logs/ds=1/a#1 b*");
        assert!(Place::parse("//bucket/logs/ds=1").is_err() && Place::parse_foreign("//bucket/%zz").is_err());
        assert!(Place::parse("//key:secret@bucket/x").unwrap_err().contains("do not belong"));
    }

    #[test]
    fn what_is_missing_is_said_at_once_and_the_url_goes_before_the_variables() {
        let keys = [("AWS_ACCESS_KEY_ID", "k"), ("AWS_SECRET_ACCESS_KEY", "s")];
        let none = Place::parse("//bucket").unwrap().builder(&variables(&keys)).unwrap_err();
        assert!(none.contains("AWS_REGION"), "{none}");
        let local = "//bucket?endpoint=http://127.0.0.1:9";
        let none = Place::parse(local).unwrap().builder(&variables(&[("AWS_REGION", "")])).unwrap_err();
        assert!(none.contains("AWS_ACCESS_KEY_ID"), "{none}");
        let odd = Place::parse("//bucket?endpoint=ftp://x").unwrap().builder(&variables(&keys)).unwrap_err();
        assert!(odd.contains("https://"), "{odd}");

        let mut all = keys.to_vec();
        all.extend([("AWS_ENDPOINT_URL", "http://one"), ("AWS_ENDPOINT_URL_S3", "http://two")]);
        all.extend([("AWS_DEFAULT_REGION", "r1"), ("AWS_REGION", "r2")]);
        let mut place = Place::parse("//bucket").unwrap();
        place.builder(&variables(&all)).unwrap();
        assert_eq!((place.endpoint.as_deref(), place.region.as_deref()), (Some("http://two"), Some("r2")));
        let mut place = Place::parse(&format!("{local}&region=r3")).unwrap();
        place.builder(&variables(&all)).unwrap();
        assert_eq!(
            (place.endpoint.as_deref(), place.region.as_deref()),
            (Some("http://127.0.0.1:9"), Some("r3"))
        );
    }

    #[test]
    fn amazon_is_asked_by_host_and_a_server_of_ones_own_by_path() {
        let shape = |url: &str| {
            let keys = variables(&[("AWS_ACCESS_KEY_ID", "k"), ("AWS_SECRET_ACCESS_KEY", "s")]);
            let builder = Place::parse(url).unwrap().builder(&keys).unwrap();
            builder.get_config_value(&Key::VirtualHostedStyleRequest).unwrap()
        };
        assert_eq!(shape("//bucket?region=eu-1"), "true");
        assert_eq!(shape("//with.dots?region=eu-1"), "false");
        assert_eq!(shape("//bucket?endpoint=http://minio:9000"), "false");
    }
}
