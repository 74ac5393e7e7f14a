//! The accept loop, and stopping without losing anybody's batch.

use crate::config::CollectorConfig;
use crate::connection::{self, Stop};
use crate::route::{Collector, router};
use crate::{control, names, throttle_tasks};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tallymark_log::LogWriter;
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Pause after the system could not accept (no file descriptors left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Pause before the control socket is tried again.
const BIND_PAUSE: Duration = Duration::from_secs(5);
/// Requests on the control socket get this time to finish.
const CONTROL_DRAIN: Duration = Duration::from_secs(2);

/// Serves the public port until `shutdown`; then takes no more connections, lets requests finish, and returns.
pub async fn serve(
    listener: TcpListener,
    log: Arc<dyn LogWriter>,
    config: CollectorConfig,
    shutdown: CancellationToken,
) -> io::Result<()> {
    serve_collector(listener, Arc::new(Collector::new(log, config)), shutdown).await
}

/// The same with a collector that was built before.
pub async fn serve_collector(
    listener: TcpListener,
    collector: Arc<Collector>,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let stop = Stop { drain: shutdown.clone(), close: CancellationToken::new() };
    let connections = TaskTracker::new();
    let places = Arc::new(Semaphore::new(collector.config.connections_max));
    let writer = tokio::spawn(write_refused_regularly(Arc::clone(&collector), shutdown.clone()));
    let throttling = tokio::spawn(throttle_tasks::run(Arc::clone(&collector), shutdown.clone()));
    let controls = control_socket(&collector, stop.close.clone());
    let routes = router(Arc::clone(&collector));
    let spawn = |stream: TcpStream, peer: SocketAddr, place: Option<OwnedSemaphorePermit>| {
        let _ = stream.set_nodelay(true);
        let (collector, routes, stop) = (Arc::clone(&collector), routes.clone(), stop.clone());
        connections.spawn(async move {
            metrics::gauge!(names::CONNECTIONS).increment(1);
            connection::run(stream, peer, routes, &collector.config, stop).await;
            metrics::gauge!(names::CONNECTIONS).decrement(1);
            drop(place);
        });
    };
    loop {
        let place = tokio::select! {
            () = shutdown.cancelled() => break,
            place = Arc::clone(&places).acquire_owned() => place.ok(),
        };
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => spawn(stream, peer, place),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    // Connections that the system took for us would be reset with the listener, and their batches lost.
    let last = tokio::time::Instant::now() + ACCEPT_PAUSE;
    while let Ok(Ok((stream, peer))) = tokio::time::timeout_at(last, listener.accept()).await {
        spawn(stream, peer, None);
    }
    drop(listener);
    connections.close();
    let _ = tokio::time::timeout(collector.config.drain_timeout, connections.wait()).await;
    stop.close.cancel();
    connections.wait().await;
    if let Some((served, path)) = controls {
        let _ = served.await;
        let _ = std::fs::remove_file(path);
    }
    let _ = tokio::join!(writer, throttling);
    collector.write_refused().await;
    throttle_tasks::finish(&collector).await;
    Ok(())
}

/// Serves the control socket, if there is to be one, until `close`. Taking events does not depend on it: a socket
/// that cannot be made is tried again and again.
fn control_socket(collector: &Arc<Collector>, close: CancellationToken) -> Option<(JoinHandle<()>, PathBuf)> {
    let path = collector.config.control_socket.clone()?;
    let routes = control::router(Arc::clone(collector));
    let served = tokio::spawn({
        let path = path.clone();
        async move {
            let Some(listener) = close.run_until_cancelled(bind_patiently(&path)).await else { return };
            let server =
                axum::serve(listener, routes).with_graceful_shutdown(close.clone().cancelled_owned());
            let bound = async {
                close.cancelled().await;
                tokio::time::sleep(CONTROL_DRAIN).await;
            };
            tokio::select! {
                ended = server.into_future() => {
                    if let Err(error) = ended {
                        tracing::warn!(%error, "the control socket ended");
                    }
                }
                () = bound => {}
            }
        }
    });
    Some((served, path))
}

async fn bind_patiently(path: &Path) -> UnixListener {
    loop {
        match control::bind(path) {
            Ok(listener) => return listener,
            Err(why) => {
                tracing::error!(path = %path.display(), %why, "no control socket: rules cannot be changed")
            }
        }
        tokio::time::sleep(BIND_PAUSE).await;
    }
}

async fn write_refused_regularly(collector: Arc<Collector>, shutdown: CancellationToken) {
    let mut every = tokio::time::interval(collector.config.refused_interval);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = every.tick() => collector.write_refused().await,
        }
    }
}
