//! The thread that answers pods.

use std::sync::Arc;
use std::thread::Builder;

use isthmus_runtime::StartError;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::haste;
use crate::metrics::ProxyMetrics;
use crate::respond::Responder;
use crate::server;

/// More than a request is ever seen to use.
const STACK: usize = 1024 * 1024;

/// A runtime of one thread. The process has two: see [`serve_pods`].
pub(crate) fn one_thread() -> Result<Runtime, StartError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.map_err(|error| StartError::new(format_args!("tokio: {error}")))
}

/// Answers pods on a thread of its own until `shutdown`; the receiver wakes when
/// it has ended. Neither a long list of pods nor a handshake with STS holds a
/// request up there, and no request is handed from one thread to another, which
/// would cost more than its answer. With `realtime` the thread goes first, as in
/// [`haste`].
pub(crate) fn serve_pods(
    listener: TcpListener,
    responder: Arc<Responder>,
    metrics: ProxyMetrics,
    realtime: bool,
    shutdown: CancellationToken,
) -> Result<oneshot::Receiver<()>, StartError> {
    let failed = |error| StartError::new(format_args!("the thread that answers pods: {error}"));
    let runtime = one_thread()?;
    let listener = listener.into_std().map_err(failed)?;
    let listener = {
        let _within = runtime.enter();
        TcpListener::from_std(listener).map_err(failed)?
    };
    let (ending, ended) = oneshot::channel();
    let serve = async move {
        let haste = realtime.then(|| tokio::spawn(haste::keep(metrics.clone())));
        server::serve(listener, responder, metrics, shutdown).await;
        if let Some(haste) = haste {
            haste.abort();
        }
    };
    let thread = Builder::new().name("pods".to_owned()).stack_size(STACK);
    let thread = thread.spawn(move || {
        let _ending = ending;
        runtime.block_on(serve);
    });
    thread.map(|_| ended).map_err(failed)
}
