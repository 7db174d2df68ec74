//! Whether the thread that answers pods goes before everything else on the node.
//!
//! SDKs give up after a second, and on a busy node an ordinary thread may wait
//! for a good part of that before it runs at all: control groups and niceness
//! divide CPU time and promise nothing about the moment. A
//! [real-time thread](https://man7.org/linux/man-pages/man7/sched.7.html) is run
//! as soon as it has something to do. An answer takes some ten microseconds, so
//! nobody feels that; and lest pods that ask without end take the CPU from others
//! through the proxy, a thread that runs for too long waits its turn again.

use std::fmt::Display;
use std::time::Duration;

use thread_priority::{
    NormalThreadSchedulePolicy, RealtimeThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};

use crate::metrics::ProxyMetrics;

/// It is looked this often how long the thread has run.
const EVERY: Duration = Duration::from_millis(100);
/// Whoever has run for longer in that time does not go first the next time.
const BUDGET: Duration = Duration::from_millis(50);
/// The lowest real-time priority.
const FIRST: u8 = 1;
/// What the crate calls a niceness of 0, on its scale of 0 to 99.
const ORDINARY: u8 = 47;

/// Lets this thread go first, where the kernel permits it, as long as it runs for
/// little. Does not end unless it is not permitted.
pub(crate) async fn keep(metrics: ProxyMetrics) {
    let mut first = true;
    if let Err(error) = go(first) {
        tracing::info!("pods are answered at ordinary priority: {error} (see --realtime)");
        return;
    }
    metrics.realtime(first);
    let mut before = ran();
    loop {
        tokio::time::sleep(EVERY).await;
        let now = ran();
        let next = matches!((before, now), (Some(before), Some(now)) if goes_first(now.saturating_sub(before)));
        before = now;
        if next != first && go(next).is_ok() {
            first = next;
            metrics.realtime(first);
        }
    }
}

fn goes_first(ran: Duration) -> bool {
    ran <= BUDGET
}

fn go(first: bool) -> Result<(), impl Display> {
    let (priority, policy) = match first {
        true => (
            FIRST,
            ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::RoundRobin),
        ),
        false => (
            ORDINARY,
            ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Other),
        ),
    };
    let priority = ThreadPriority::try_from(priority).unwrap_or(ThreadPriority::Min);
    set_thread_priority_and_policy(thread_native_id(), priority, policy)
        .map_err(|error| format!("{error:?}"))
}

/// How long this thread has run in its life.
fn ran() -> Option<Duration> {
    read_ran(&std::fs::read_to_string("/proc/thread-self/schedstat").ok()?)
}

/// The first of the three numbers is nanoseconds on a CPU.
/// <https://docs.kernel.org/scheduler/sched-stats.html>
fn read_ran(schedstat: &str) -> Option<Duration> {
    let nanoseconds = schedstat.split(' ').next()?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_runs_for_half_the_time_waits_its_turn() {
        assert!(goes_first(Duration::from_millis(3)));
        assert!(!goes_first(Duration::from_millis(51)));
    }

    #[test]
    fn schedstat_is_read() {
        let ran = read_ran("1234567890 55 7\n").unwrap();
        assert_eq!(ran, Duration::from_nanos(1_234_567_890));
        assert_eq!(read_ran(""), None);
    }
}
