//! Who may come in: bounds on requests and bytes in memory, and the log's own state, asked before a body is read.
//!
//! Refusing early keeps the promise of 503: nothing of the request was accepted.

use crate::config::CollectorConfig;
use crate::names;
use std::sync::Arc;
use tallymark_log::{Admission as Door, LogWriter};
use tallymark_wire::answer::Problem;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bodies are counted in blocks of this size.
const BLOCK_BYTES: usize = 4096;

/// The bounds of this process.
pub(crate) struct Admission {
    requests: Arc<Semaphore>,
    requests_max: usize,
    blocks: Arc<Semaphore>,
    blocks_max: usize,
    /// Decompression and parsing of large bodies, which would otherwise keep every core busy.
    heavy: Arc<Semaphore>,
}

/// A place among the requests in work; given back when dropped.
pub(crate) struct Place {
    _request: OwnedSemaphorePermit,
    bytes: Option<OwnedSemaphorePermit>,
}

impl Admission {
    pub fn new(config: &CollectorConfig) -> Admission {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let blocks_max = (config.buffered_bytes_max / BLOCK_BYTES).clamp(1, Semaphore::MAX_PERMITS);
        metrics::gauge!(names::INFLIGHT_MAX).set(config.requests_max as f64);
        metrics::gauge!(names::BUFFERED_MAX).set(config.buffered_bytes_max as f64);
        Admission {
            requests: Arc::new(Semaphore::new(config.requests_max)),
            requests_max: config.requests_max,
            blocks: Arc::new(Semaphore::new(blocks_max)),
            blocks_max,
            heavy: Arc::new(Semaphore::new(cores)),
        }
    }

    /// A place for one request, if the log takes records and there is room.
    pub fn enter(&self, log: &dyn LogWriter) -> Result<Place, Problem> {
        match log.pressure().admission {
            Door::Open => {}
            Door::Busy => return Err(Problem::Overloaded("the log has a full queue".into())),
            Door::Full => return Err(Problem::Unavailable("the disk of the log is full".into())),
            Door::Closed => return Err(Problem::Unavailable("the log is closed".into())),
        }
        self.enter_beside_the_log()
    }

    /// A place for a request that needs no log.
    pub fn enter_beside_the_log(&self) -> Result<Place, Problem> {
        let request = Arc::clone(&self.requests).try_acquire_owned();
        let request = request.map_err(|_| Problem::Overloaded("too many requests at once".into()))?;
        metrics::gauge!(names::INFLIGHT).set((self.requests_max - self.requests.available_permits()) as f64);
        Ok(Place { _request: request, bytes: None })
    }

    /// True if more than half of the places or of the memory is taken.
    pub fn is_short(&self) -> bool {
        self.requests.available_permits() * 2 <= self.requests_max
            || self.blocks.available_permits() * 2 <= self.blocks_max
    }

    /// What is taken and what there is: requests, then bytes.
    pub fn usage(&self) -> [usize; 4] {
        let requests = self.requests_max - self.requests.available_permits();
        let blocks = self.blocks_max - self.blocks.available_permits();
        [requests, self.requests_max, blocks * BLOCK_BYTES, self.blocks_max * BLOCK_BYTES]
    }

    /// Makes room for `bytes` more of this request.
    pub fn reserve(&self, place: &mut Place, bytes: usize) -> Result<(), Problem> {
        let blocks = u32::try_from(bytes.div_ceil(BLOCK_BYTES)).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.blocks).try_acquire_many_owned(blocks);
        let permit = permit.map_err(|_| Problem::Overloaded("too many bytes in memory".into()))?;
        match &mut place.bytes {
            Some(held) => held.merge(permit),
            None => place.bytes = Some(permit),
        }
        let used = self.blocks_max - self.blocks.available_permits();
        metrics::gauge!(names::BUFFERED).set((used * BLOCK_BYTES) as f64);
        Ok(())
    }

    /// Waits for a turn to do heavy work.
    pub async fn heavy(&self) -> Option<OwnedSemaphorePermit> {
        // Closed never happens; then going on without a turn is right.
        Arc::clone(&self.heavy).acquire_owned().await.ok()
    }
}
