//! The listener for pods: HTTP/1.1, with limits on everything.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::metrics::ProxyMetrics;
use crate::respond::{Peer, Responder};

/// Request line and headers together, in bytes.
const LARGEST_HEAD: usize = 8 * 1024;
/// hyper's read buffer, which pipelined requests share.
const BUFFER: usize = 16 * 1024;
/// For a head to come in, and for a connection to be idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// No connection lives longer: one that is never read from must end some day.
const LONGEST_CONNECTION: Duration = Duration::from_secs(300);
/// For answers that are under way when the process or the connection's time ends.
pub(crate) const GRACE: Duration = Duration::from_secs(2);
/// Connections in all, and from one pod's address.
const CONNECTIONS: usize = 4096;
const CONNECTIONS_OF_ONE: usize = 1024;
/// Connections of those whom the watch has not shown (yet): in all, and from one address.
const CONNECTIONS_OF_UNKNOWN: usize = 1024;
const CONNECTIONS_OF_ONE_UNKNOWN: usize = 64;

/// Accepts until `shutdown`, then waits for the answers under way.
pub(crate) async fn serve(
    listener: TcpListener,
    responder: Arc<Responder>,
    metrics: ProxyMetrics,
    shutdown: CancellationToken,
) {
    let counts = Arc::new(Counts::default());
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let address = peer.ip().to_canonical();
                let Some(place) = Place::take(&counts, address, responder.knows(address)) else {
                    metrics.turned_away();
                    continue;
                };
                let connected = metrics.connected();
                let connection = welcome(stream, peer, responder.clone(), shutdown.clone());
                connections.spawn(async move {
                    let _held = (place, connected);
                    connection.await;
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely: let some be closed.
                tracing::warn!(%error, "cannot accept connections");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

async fn welcome(
    stream: TcpStream,
    peer: SocketAddr,
    responder: Arc<Responder>,
    shutdown: CancellationToken,
) {
    let Ok(local) = stream.local_addr() else {
        return;
    };
    let _ = stream.set_nodelay(true);
    let peer = Peer {
        address: peer.ip().to_canonical(),
        local: local.ip().to_canonical(),
    };
    connection(stream, peer, responder, shutdown).await;
}

/// One connection, to its end.
async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: Peer,
    responder: Arc<Responder>,
    shutdown: CancellationToken,
) {
    let service = service_fn(|request| {
        let responder = responder.clone();
        async move { Ok::<_, Infallible>(responder.respond(peer, &request).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_header_size(LARGEST_HEAD)
        .max_buf_size(BUFFER)
        .half_close(false)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = tokio::time::sleep(LONGEST_CONNECTION) => None,
        () = shutdown.cancelled() => None,
    };
    let ended = match ended {
        Some(ended) => Ok(ended),
        None => {
            connection.as_mut().graceful_shutdown();
            tokio::time::timeout(GRACE, connection).await
        }
    };
    if let Ok(Err(error)) = ended {
        tracing::debug!(peer = %peer.address, %error, "connection");
    }
}

/// Open connections.
#[derive(Debug, Default)]
struct Open {
    all: usize,
    unknown: usize,
    by_address: HashMap<IpAddr, usize>,
}

#[derive(Debug, Default)]
struct Counts(Mutex<Open>);

/// One open connection's place in the count.
struct Place {
    counts: Arc<Counts>,
    address: IpAddr,
    known: bool,
}

impl Place {
    fn take(counts: &Arc<Counts>, address: IpAddr, known: bool) -> Option<Self> {
        let mut open = counts.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_one = open.by_address.get(&address).copied().unwrap_or_default();
        let full = match known {
            true => of_one >= CONNECTIONS_OF_ONE,
            false => of_one >= CONNECTIONS_OF_ONE_UNKNOWN || open.unknown >= CONNECTIONS_OF_UNKNOWN,
        };
        if full || open.all >= CONNECTIONS {
            return None;
        }
        open.all += 1;
        open.unknown += usize::from(!known);
        open.by_address.insert(address, of_one + 1);
        Some(Self {
            counts: counts.clone(),
            address,
            known,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.counts.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.all = open.all.saturating_sub(1);
        open.unknown = open.unknown.saturating_sub(usize::from(!self.known));
        if let Some(of_one) = open.by_address.get_mut(&self.address) {
            *of_one -= 1;
            if *of_one == 0 {
                open.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
