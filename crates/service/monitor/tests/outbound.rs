//! Requests to addresses that somebody typed in reach nothing inside.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod receivers;

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderMap;
use receivers::{Http, Reply, Trap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tallymark_monitor::outbound::{AllowList, Outbound, Resolve, SendError};

fn closed() -> Outbound {
    Outbound::new(AllowList::default(), Duration::from_secs(5))
}

fn open() -> Outbound {
    let loopback = AllowList::parse(&["127.0.0.0/8".to_owned()]).unwrap();
    Outbound::new(loopback, Duration::from_secs(5))
}

async fn post(outbound: &Outbound, url: &str) -> Result<u16, SendError> {
    outbound.post(url, HeaderMap::new(), Bytes::from_static(b"{}")).await.map(|a| a.status)
}

/// A name server that answers each question with the next of its answers.
#[derive(Debug)]
struct Answers(Vec<Vec<SocketAddr>>, AtomicUsize);

impl Answers {
    fn new(answers: &[&[SocketAddr]]) -> Arc<Answers> {
        Arc::new(Answers(answers.iter().map(|a| a.to_vec()).collect(), AtomicUsize::new(0)))
    }
}

#[async_trait]
impl Resolve for Answers {
    async fn resolve(&self, _: &str, _: u16) -> std::io::Result<Vec<SocketAddr>> {
        let asked = self.1.fetch_add(1, Ordering::SeqCst);
        Ok(self.0[asked.min(self.0.len() - 1)].clone())
    }
}

#[tokio::test]
async fn loopback_is_refused_however_it_is_written() {
    let trap = Trap::start().await;
    let port = trap.address.port();
    for host in [
        "127.0.0.1",
        "localhost",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "017700000001",
        "0.0.0.0",
        "0",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
    ] {
        let url = format!("http://{host}:{port}/");
        let outcome = post(&closed(), &url).await;
        // Some resolvers do not know the odd spellings; then there is nothing to connect to either.
        assert!(
            matches!(outcome, Err(SendError::Refused(_) | SendError::Unreachable(_))),
            "{url}: {outcome:?}"
        );
        assert!(closed().check(&url).await.is_err(), "{url}");
    }
    let refused = post(&closed(), &format!("http://127.0.0.1:{port}/")).await.unwrap_err().to_string();
    assert!(refused.contains("not public"), "{refused}");
    assert!(post(&closed(), &format!("http://public.example@127.0.0.1:{port}/")).await.is_err());
    assert_eq!(trap.connections(), 0);
}

#[tokio::test]
async fn a_name_with_one_bad_address_is_refused() {
    let trap = Trap::start().await;
    let public: SocketAddr = "203.0.114.1:80".parse().unwrap();
    let answers = Answers::new(&[&[public, trap.address]]);
    let outcome = post(&closed().with_resolver(answers), "http://two.example/").await;
    assert!(matches!(outcome, Err(SendError::Refused(_))), "{outcome:?}");
    assert_eq!(trap.connections(), 0);
}

#[tokio::test]
async fn a_name_that_changes_its_mind_is_checked_again_and_asked_only_once_per_request() {
    let trap = Trap::start().await;
    let public: SocketAddr = "203.0.114.1:80".parse().unwrap();
    let answers = Answers::new(&[&[public], &[trap.address]]);
    let outbound = closed().with_resolver(answers.clone());
    outbound.check("http://rebinds.example/").await.unwrap();
    let outcome = post(&outbound, "http://rebinds.example/").await;
    assert!(matches!(outcome, Err(SendError::Refused(_))), "{outcome:?}");
    assert_eq!((trap.connections(), answers.1.load(Ordering::SeqCst)), (0, 2));
    // Checked and used is the same answer: a second one, were it asked for, would lead elsewhere.
    let (receiver, other) = (Http::start().await, Trap::start().await);
    let answers = Answers::new(&[&[receiver.address], &[other.address]]);
    assert_eq!(post(&open().with_resolver(answers), "http://name.example/").await, Ok(200));
    assert_eq!((receiver.received().len(), other.connections()), (1, 0));
    assert_eq!(receiver.received()[0].header("host"), "name.example");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (receiver, trap) = (Http::start().await, Trap::start().await);
    receiver.reply([Reply::Redirect(format!("http://{}/", trap.address))]);
    assert_eq!(post(&open(), &receiver.url()).await, Err(SendError::Redirect(307)));
    assert_eq!(trap.connections(), 0);
}

#[tokio::test]
async fn a_receiver_that_says_nothing_or_is_not_there_is_an_error() {
    let silent = Http::start().await;
    silent.reply([Reply::Hang]);
    let hasty =
        Outbound::new(AllowList::parse(&["127.0.0.1".to_owned()]).unwrap(), Duration::from_millis(50));
    assert_eq!(post(&hasty, &silent.url()).await, Err(SendError::Timeout));
    let nobody = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    assert!(matches!(post(&open(), &format!("http://{nobody}/")).await, Err(SendError::Unreachable(_))));
}

#[tokio::test]
async fn encryption_is_not_given_up_for_a_receiver_without_it() {
    let receiver = Http::start().await;
    let outcome = post(&open(), &receiver.url().replace("http:", "https:")).await;
    assert!(matches!(outcome, Err(SendError::Unreachable(_))), "{outcome:?}");
    assert_eq!(receiver.received().len(), 0);
}
