//! Settings of the collector, each with a default that fits one machine.

use crate::prefix::PathPrefix;
use std::path::PathBuf;
use std::time::Duration;

/// Settings of the collector.
#[derive(Debug, Clone)]
pub struct CollectorConfig {
    /// Socket of the web process; without one, paths that are not ingestion answer 503.
    pub web_socket: Option<PathBuf>,
    /// Socket of the processor, only asked whether someone listens, for `/health/ready`.
    pub process_socket: Option<PathBuf>,
    /// Most connections at once; more wait in the operating system's queue.
    pub connections_max: usize,
    /// Most ingestion requests at once; more are answered 503.
    pub requests_max: usize,
    /// Most bytes of bodies held at once; more are answered 503.
    pub buffered_bytes_max: usize,
    /// A request's head must arrive within this time after its first byte.
    pub head_timeout: Duration,
    /// A body must arrive within this time.
    pub body_timeout: Duration,
    /// A connection without any request is closed after this time. Long on purpose: some SDKs lose a batch
    /// when a connection closes under them.
    pub idle_timeout: Duration,
    /// After the order to stop, connections get this time to finish; each answer then says `Connection: close`.
    pub drain_timeout: Duration,
    /// How long `?wait=visible` waits at most.
    pub visible_timeout: Duration,
    /// How often counts of refused events are written to the log.
    pub refused_interval: Duration,
    /// How many hops in front are ours and set `X-Forwarded-For`: the client's address is taken that many places
    /// from the right. 0: nobody is believed.
    pub trusted_hops: u8,
    /// A first-party path under which SDKs reach ingestion as well (`/ingest`); everything else keeps its path.
    pub path_prefix: Option<PathPrefix>,
    /// Shared secrets of Segment's webhook destinations: if there is one, `/webhooks/segment` takes only what one of
    /// them signed.
    pub webhook_secrets: Vec<String>,
    /// Rules of throttling; without a file the built-in rules hold.
    pub throttle_rules: Option<PathBuf>,
    /// Where throttling keeps what a restart must not forgive.
    pub throttle_state: Option<PathBuf>,
    /// Socket over which other processes of this machine hand in control records and throttle rules.
    pub control_socket: Option<PathBuf>,
    /// How often counts of throttled events are written to the log and the rules file is looked at; the state is
    /// saved every other time, while somebody is throttled.
    pub throttle_interval: Duration,
}

impl Default for CollectorConfig {
    fn default() -> CollectorConfig {
        CollectorConfig {
            web_socket: None,
            process_socket: None,
            connections_max: 10_000,
            requests_max: 1024,
            buffered_bytes_max: 256 << 20,
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(600),
            drain_timeout: Duration::from_secs(3),
            visible_timeout: Duration::from_secs(20),
            refused_interval: Duration::from_secs(10),
            trusted_hops: 0,
            path_prefix: None,
            webhook_secrets: Vec::new(),
            throttle_rules: None,
            throttle_state: None,
            control_socket: None,
            throttle_interval: Duration::from_secs(1),
        }
    }
}
