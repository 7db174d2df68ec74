//! From a signal to the end.

use tokio_util::sync::CancellationToken;

use crate::StartError;

/// A token that is cancelled by the first `SIGTERM` or `SIGINT`.
///
/// # Errors
///
/// The process may not install signal handlers.
pub fn on_signals() -> Result<CancellationToken, StartError> {
    use tokio::signal::unix::{SignalKind, signal};
    let install = |kind| {
        signal(kind).map_err(|error| StartError::new(format_args!("signal handler: {error}")))
    };
    let mut terminate = install(SignalKind::terminate())?;
    let mut interrupt = install(SignalKind::interrupt())?;
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        tracing::info!(signal = name, "shutting down");
        cancelled.cancel();
    });
    Ok(token)
}
