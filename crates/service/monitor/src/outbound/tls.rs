//! Encryption towards receivers.
//!
//! Guarantees: certificates are verified against those the machine trusts; there is no way to turn that off.
//! Deliberately not here: connections.

use std::sync::{Arc, OnceLock};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// The connector, made when it is needed first: machines without certificates can still send to `http`.
pub fn connector() -> Result<TlsConnector, String> {
    static MADE: OnceLock<Result<TlsConnector, String>> = OnceLock::new();
    MADE.get_or_init(make).clone()
}

fn make() -> Result<TlsConnector, String> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        return Err(
            "this machine has no trusted certificates; install its `ca-certificates` package".to_owned()
        );
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
