//! Requests in numbers.

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};

use crate::client::Client;

/// How long requests took.
pub(crate) struct Times {
    sorted: Vec<Duration>,
    whole: Duration,
}

impl Times {
    fn new(mut times: Vec<Duration>, whole: Duration) -> Self {
        times.sort_unstable();
        Self {
            sorted: times,
            whole,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.sorted.len()
    }

    pub(crate) fn quantile(&self, q: f64) -> Duration {
        let at = (self.sorted.len() as f64 * q) as usize;
        self.sorted[at.min(self.sorted.len() - 1)]
    }

    pub(crate) fn per_second(&self) -> f64 {
        self.len() as f64 / self.whole.as_secs_f64()
    }
}

/// Ways to ask.
pub(crate) struct Load;

impl Load {
    /// Each connection asks again as soon as it is answered.
    pub(crate) fn closed(clients: Vec<Client>, requests: usize) -> Result<(Vec<Client>, Times)> {
        let each = requests / clients.len();
        let start = Instant::now();
        let (clients, times) = on_threads(clients, move |client, _| {
            let mut times = Vec::with_capacity(each);
            for _ in 0..each {
                let start = Instant::now();
                expect(client.ask()?)?;
                times.push(start.elapsed());
            }
            Ok(times)
        })?;
        Ok((clients, Times::new(times, start.elapsed())))
    }

    /// Each connection asks at fixed moments. A request that had to wait for the
    /// one before it took that long as well. The clients go before everything
    /// else where that is permitted, because what a busy machine keeps *them*
    /// waiting is not the server's.
    pub(crate) fn open(clients: Vec<Client>, per_second: u32, lasting: Duration) -> Result<Times> {
        let count = u32::try_from(clients.len())?;
        let interval = Duration::from_secs(1) * count / per_second;
        let start = Instant::now() + Duration::from_millis(50);
        let (_, times) = on_threads(clients, move |client, number| {
            go_first();
            let mut times = Vec::new();
            let mut due = start + interval * number / count;
            while due < start + lasting {
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                expect(client.ask()?)?;
                times.push(due.elapsed());
                due += interval;
            }
            Ok(times)
        })?;
        Ok(Times::new(times, lasting))
    }

    /// One connection, again and again: statuses and times. Its client goes first, too.
    pub(crate) fn alone(mut client: Client, requests: usize) -> Result<Vec<(u16, Duration)>> {
        let asking = std::thread::spawn(move || {
            go_first();
            let ask = |_| {
                let start = Instant::now();
                Ok((client.ask()?, start.elapsed()))
            };
            (0..requests).map(ask).collect()
        });
        asking.join().map_err(|_| anyhow!("a client panicked"))?
    }

    /// Eight threads with many connections each: all are asked, then all are read.
    pub(crate) fn broad(clients: Vec<Client>, requests: usize) -> Result<(Vec<Client>, usize)> {
        let rounds = requests.div_ceil(clients.len());
        let count = rounds * clients.len();
        let mut shares: Vec<Vec<Client>> = (0..8).map(|_| Vec::new()).collect();
        for (n, client) in clients.into_iter().enumerate() {
            shares[n % 8].push(client);
        }
        let (shares, _) = on_threads(shares, move |share: &mut Vec<Client>, _| {
            for _ in 0..rounds {
                for client in share.iter_mut() {
                    client.send()?;
                }
                for client in share.iter_mut() {
                    expect(client.receive()?)?;
                }
            }
            Ok(Vec::new())
        })?;
        Ok((shares.into_iter().flatten().collect(), count))
    }
}

fn go_first() {
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::RoundRobin);
    // Refused to all but root.
    let _ = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, policy);
}

fn expect(status: u16) -> Result<()> {
    ensure!(status == 200, "a cached request was answered with {status}");
    Ok(())
}

/// A thread for each of `all`, with its number.
fn on_threads<T: Send + 'static>(
    all: Vec<T>,
    work: impl Fn(&mut T, u32) -> Result<Vec<Duration>> + Clone + Send + 'static,
) -> Result<(Vec<T>, Vec<Duration>)> {
    let threads: Vec<_> = (0..)
        .zip(all)
        .map(|(number, mut one)| {
            let work = work.clone();
            std::thread::spawn(move || work(&mut one, number).map(|times| (one, times)))
        })
        .collect();
    let (mut back, mut times) = (Vec::new(), Vec::new());
    for thread in threads {
        let (one, took) = thread.join().map_err(|_| anyhow!("a client panicked"))??;
        back.push(one);
        times.extend(took);
    }
    Ok((back, times))
}
