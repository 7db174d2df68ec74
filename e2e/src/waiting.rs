//! Waiting for what becomes true in its own time.

use std::time::Duration;

use anyhow::{Context as _, Result};

/// How long a test waits for what must come. It is long because only a failing
/// test waits it out: on a machine that is busy with other things, programs may
/// stand still for tens of seconds.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// Waits until `done` gives something.
///
/// What a controller does is seen in more than one place (readiness, AWS, the
/// status, Events), and never in all of them at once: whoever has seen one and
/// asks for another must wait for that as well.
///
/// # Errors
/// That of `done`; after [`PATIENCE`], with `what` it waited for.
pub async fn eventually<T>(what: &str, done: impl AsyncFn() -> Result<Option<T>>) -> Result<T> {
    let wait = async {
        loop {
            if let Some(found) = done().await? {
                return anyhow::Ok(found);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait)
        .await
        .with_context(|| format!("waited in vain for {what}"))?
}
