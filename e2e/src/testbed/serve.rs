//! A loopback HTTP/1.1 server of the testbed.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use anyhow::Result;
use hyper::body::{Bytes, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

/// The client's connection is to be cut without an answer.
#[derive(Debug)]
pub(crate) struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection is cut")
    }
}

impl std::error::Error for Cut {}

impl From<Infallible> for Cut {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// A body that is there at once, or the beginning of one after which the
/// connection is cut.
#[derive(Debug)]
pub(crate) struct Body {
    data: Option<Bytes>,
    /// How much is announced but never sent.
    missing: u64,
}

impl Body {
    /// All of it.
    pub(crate) fn whole(data: impl Into<Bytes>) -> Self {
        Self {
            data: Some(data.into()),
            missing: 0,
        }
    }

    /// The first half, announced as the whole.
    pub(crate) fn half(data: &Bytes) -> Self {
        let half = data.slice(..data.len() / 2);
        Self {
            missing: (data.len() - half.len()) as u64,
            data: Some(half),
        }
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        Poll::Ready(match self.data.take() {
            Some(data) => Some(Ok(Frame::data(data))),
            None if self.missing > 0 => Some(Err(Cut)),
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.missing == 0 && self.data.as_ref().is_none_or(Bytes::is_empty)
    }

    fn size_hint(&self) -> SizeHint {
        let there = self.data.as_ref().map_or(0, Bytes::len) as u64;
        SizeHint::with_exact(there + self.missing)
    }
}

/// Serves `handler` on a free port, on the current runtime, for as long as the
/// runtime lives. Returns `http://127.0.0.1:<port>`.
pub(crate) async fn serve<H, F>(handler: H) -> Result<String>
where
    H: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<Response<Body>, Cut>> + Send + 'static,
{
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                continue;
            };
            let handler = handler.clone();
            tokio::spawn(async move {
                let connection = hyper::server::conn::http1::Builder::new()
                    .timer(TokioTimer::new())
                    .serve_connection(TokioIo::new(stream), service_fn(handler));
                // An error here is a client that went away, or a cut by design.
                let _ = connection.await;
            });
        }
    });
    Ok(url)
}
