//! Work that several testbeds share.

use std::ops::AsyncFn;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;

use super::Testbed;

impl Testbed {
    /// Does `work` for each of the items, here and on the testbeds of the pool that
    /// are free now: much of it may be waiting. Each testbed is prepared once,
    /// before the first item it takes.
    ///
    /// # Errors
    /// The first of `prepare` or `work`; the rest is given up then.
    pub async fn share<T, S>(
        &self,
        items: &[T],
        prepare: impl AsyncFn(&Self) -> Result<S>,
        work: impl AsyncFn(&Self, &S, &T) -> Result<()>,
    ) -> Result<()> {
        let mut free = Vec::new();
        while free.len() + 1 < items.len() {
            match Self::try_acquire().await? {
                Some(another) => free.push(another),
                None => break,
            }
        }
        let next = AtomicUsize::new(0);
        let take = || items.get(next.fetch_add(1, Ordering::Relaxed));
        let worker = async |testbed: &Self| {
            let Some(mut item) = take() else {
                return Ok(());
            };
            let prepared = prepare(testbed).await?;
            loop {
                work(testbed, &prepared, item).await?;
                match take() {
                    Some(another) => item = another,
                    None => return anyhow::Ok(()),
                }
            }
        };
        let all = std::iter::once(self).chain(&free);
        futures::future::try_join_all(all.map(worker)).await?;
        Ok(())
    }
}
