//! Encrypted receivers: an unknown certificate is refused, a trusted one is used, under the right name only.
//!
//! Which authorities are trusted is the machine's business (`SSL_CERT_FILE`), and is read once per process: the tests
//! run themselves again in a child process for each answer, with certificates made for the occasion.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderMap;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tallymark_monitor::outbound::{AllowList, Outbound, Resolve, SendError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

const FOLDER: &str = "TALLYMARK_TEST_CERTIFICATES";

fn file(name: &str) -> PathBuf {
    PathBuf::from(std::env::var(FOLDER).unwrap()).join(name)
}

#[derive(Debug)]
struct To(SocketAddr);

#[async_trait]
impl Resolve for To {
    async fn resolve(&self, _: &str, _: u16) -> std::io::Result<Vec<SocketAddr>> {
        Ok(vec![self.0])
    }
}

/// A receiver that is `hooks.example`.
async fn receiver() -> SocketAddr {
    let certificate = CertificateDer::from_pem_file(file("receiver.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(file("receiver.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = [0; 4_096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
            let _ = stream.shutdown().await;
        }
    });
    address
}

async fn post(host: &str) -> Result<u16, SendError> {
    let allow = AllowList::parse(&["127.0.0.1".to_owned()]).unwrap();
    let outbound =
        Outbound::new(allow, Duration::from_secs(10)).with_resolver(Arc::new(To(receiver().await)));
    outbound.post(&format!("https://{host}/"), HeaderMap::new(), Bytes::new()).await.map(|a| a.status)
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Makes certificates, and runs a test again in a process that trusts this authority.
fn in_a_process_that_trusts(trusted: &str, test: &str) {
    let folder = tempfile::tempdir().unwrap();
    let (known, stranger) = (authority("known.example"), authority("stranger.example"));
    let key = KeyPair::generate().unwrap();
    let receiver = CertificateParams::new(vec!["hooks.example".to_owned()]).unwrap();
    let receiver = receiver.signed_by(&key, &known).unwrap();
    for (name, text) in [
        ("known.pem", known.pem()),
        ("stranger.pem", stranger.pem()),
        ("receiver.pem", receiver.pem()),
        ("receiver.key", key.serialize_pem()),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let ran = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test])
        .env(FOLDER, folder.path())
        .env("SSL_CERT_FILE", folder.path().join(trusted))
        .env_remove("SSL_CERT_DIR")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    // A name that fits no test would succeed as well.
    assert!(ran.status.success() && said.contains("1 passed"), "{said}");
}

/// True in the process that was started to ask.
fn is_child() -> bool {
    std::env::var_os(FOLDER).is_some()
}

#[tokio::test]
async fn a_trusted_receiver_gets_what_is_sent_under_its_own_name() {
    if !is_child() {
        return in_a_process_that_trusts(
            "known.pem",
            "a_trusted_receiver_gets_what_is_sent_under_its_own_name",
        );
    }
    assert_eq!(post("hooks.example").await, Ok(204));
    let other = post("other.example").await.unwrap_err().to_string();
    assert!(other.contains("certificate"), "{other}");
}

#[tokio::test]
async fn an_unknown_receiver_gets_nothing() {
    if !is_child() {
        return in_a_process_that_trusts("stranger.pem", "an_unknown_receiver_gets_nothing");
    }
    let refused = post("hooks.example").await.unwrap_err().to_string();
    assert!(refused.contains("certificate"), "{refused}");
}
