//! How long the API server may keep somebody waiting.
//!
//! A connection that dies silently (a NAT or a load balancer that forgot it, a
//! node that is gone, a server that hangs) gives no error: whoever waits on it
//! waits for ever, and a watch shows a past that nobody doubts.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::{Request, Response};
use tokio::time::{Instant, Sleep, sleep, timeout};
use tower::{BoxError, Layer, Service};

/// The limits of every request, and the layer that keeps them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// For the head of an answer, connecting included. The API server itself gives
    /// a request up after a minute.
    pub(super) answer: Duration,
    /// For what comes next of an answer that has begun. In a watch the API server
    /// says something every minute, if only a bookmark; without it the watch is
    /// taken up again where it was, which costs one request.
    pub(super) silence: Duration,
    /// Before a request that was refused for now (429, 503, 504) is made again,
    /// the first time; it is made three times more.
    pub(super) pause: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(65),
            silence: Duration::from_secs(90),
            pause: Duration::from_millis(250),
        }
    }
}

/// No head of an answer came in time.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {} s", .0.as_secs())]
struct NoAnswer(Duration);

impl<S> Layer<S> for Limits {
    type Service = Limited<S>;

    fn layer(&self, inner: S) -> Limited<S> {
        Limited {
            inner,
            limits: *self,
        }
    }
}

/// A service whose answers come in time or not at all.
#[derive(Clone, Debug)]
pub(super) struct Limited<S> {
    inner: S,
    limits: Limits,
}

impl<S, A, B> Service<Request<A>> for Limited<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
{
    type Response = Response<Audible<B>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let limits = self.limits;
        let answer = timeout(limits.answer, self.inner.call(request));
        Box::pin(async move {
            match answer.await {
                Ok(answer) => answer
                    .map(|answer| answer.map(|body| Audible::new(body, limits.silence)))
                    .map_err(Into::into),
                Err(_) => Err(NoAnswer(limits.answer).into()),
            }
        })
    }
}

/// The body of an answer, which breaks off where nothing comes any more.
#[derive(Debug)]
pub(super) struct Audible<B> {
    body: B,
    silence: Duration,
    until: Pin<Box<Sleep>>,
}

impl<B> Audible<B> {
    fn new(body: B, silence: Duration) -> Self {
        Self {
            body,
            silence,
            until: Box::pin(sleep(silence)),
        }
    }
}

impl<B> Body for Audible<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            this.until.as_mut().reset(Instant::now() + this.silence);
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        ready!(this.until.as_mut().poll(context));
        // An end that was not expected: kube takes a watch up again after it.
        let end = io::Error::new(io::ErrorKind::UnexpectedEof, "nothing comes any more");
        Poll::Ready(Some(Err(end.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
