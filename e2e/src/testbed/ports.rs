//! Free loopback ports.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Result, bail};

/// Below the ports that the kernel gives to outgoing connections (32768 and up
/// by default): one of those may be taken between our look and the server's bind.
const FIRST: u16 = 15_000;
const COUNT: u16 = 17_000;

/// A loopback port that nobody listens on now, and that this process has not
/// given out before.
///
/// # Errors
/// If the machine has none left.
pub fn free_port() -> Result<u16> {
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    // Processes that start one after the other begin far apart.
    let start = std::process::id().wrapping_mul(613) % u32::from(COUNT);
    for _ in 0..COUNT {
        let step = u32::from(GIVEN.fetch_add(1, Ordering::Relaxed));
        let port = u32::from(FIRST) + (start + step) % u32::from(COUNT);
        let port = u16::try_from(port)?;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no free loopback port from {FIRST} on")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_given_once() {
        let ports: std::collections::BTreeSet<u16> =
            (0..50).map(|_| free_port().unwrap()).collect();
        assert_eq!(ports.len(), 50);
    }
}
