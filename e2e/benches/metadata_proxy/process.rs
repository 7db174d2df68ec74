//! What the kernel says of a process.

use std::fs;

use anyhow::{Context, Result};

/// `USER_HZ`, which is 100 on every Linux that Rust supports.
const TICKS: f64 = 100.0;

/// A process by its id.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    pid: u32,
}

impl Watched {
    /// The process of `binary` that has `arg` on its command line.
    pub(crate) fn find(binary: &str, arg: &str) -> Result<Self> {
        let processes = fs::read_dir("/proc")?.filter_map(|entry| {
            let name = entry.ok()?.file_name();
            name.to_str()?.parse().ok()
        });
        let is_it = |pid: &u32| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let mut words = line.split(|byte| *byte == 0);
            words
                .next()
                .is_some_and(|program| program.ends_with(binary.as_bytes()))
                && words.any(|word| word == arg.as_bytes())
        };
        let pid = processes.into_iter().find(is_it);
        Ok(Self {
            pid: pid.with_context(|| format!("no process {binary} {arg}"))?,
        })
    }

    /// Seconds of CPU so far, in the kernel and outside of it.
    pub(crate) fn cpu(&self) -> Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid))?;
        // Behind the name, which may hold anything: state is field 3, utime 14, stime 15.
        let (_, fields) = stat.rsplit_once(')').context("a name")?;
        let mut ticks = 0.0;
        for field in fields.split_whitespace().skip(11).take(2) {
            ticks += field.parse::<f64>()?;
        }
        Ok(ticks / TICKS)
    }

    /// Memory that is resident now, in MB of a million bytes: all of it, pages
    /// of the binary and of libraries included.
    pub(crate) fn rss(&self) -> Result<f64> {
        self.megabytes("VmRSS:")
    }

    /// The part of it that is of no file, which the kernel cannot drop and other
    /// processes do not share.
    pub(crate) fn anonymous(&self) -> Result<f64> {
        self.megabytes("RssAnon:")
    }

    fn megabytes(&self, field: &str) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        let kib: f64 = line
            .and_then(|line| line.split_whitespace().next())
            .with_context(|| field.to_owned())?
            .parse()?;
        Ok(kib * 1024.0 / 1e6)
    }
}
