//! Which `Host` headers are answered.

use std::net::{IpAddr, Ipv6Addr};

/// The names under which clients may reach the proxy.
///
/// A browser or a library that was led here by a DNS name of an attacker (DNS
/// rebinding) sends that name: only the addresses of the service, the address
/// that the client did connect to and names an operator gave are answered.
#[derive(Clone, Debug, Default)]
pub struct AllowedHosts {
    names: Vec<String>,
    addresses: Vec<IpAddr>,
}

/// `169.254.169.254`, the address of [IMDS](https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html).
pub const IMDS_V4: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(169, 254, 169, 254));

/// `fd00:ec2::254`, its IPv6 address.
pub const IMDS_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254));

/// The address of the container endpoint of
/// [EKS Pod Identity](https://docs.aws.amazon.com/eks/latest/userguide/pod-id-how-it-works.html),
/// which SDKs take in `AWS_CONTAINER_CREDENTIALS_FULL_URI`.
pub const CONTAINER_V4: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(169, 254, 170, 23));

/// `fd00:ec2::23`, its IPv6 address.
pub const CONTAINER_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23));

impl AllowedHosts {
    /// The service's own addresses and `others`: addresses or names, without a port.
    #[must_use]
    pub fn new(others: impl IntoIterator<Item = String>) -> Self {
        let mut hosts = Self {
            names: Vec::new(),
            addresses: vec![IMDS_V4, IMDS_V6, CONTAINER_V4, CONTAINER_V6],
        };
        for other in others {
            match other.parse::<IpAddr>() {
                Ok(address) => hosts.addresses.push(address.to_canonical()),
                Err(_) => hosts.names.push(other.to_ascii_lowercase()),
            }
        }
        hosts
    }

    /// Whether a request with this `Host` that came in at `local` is answered.
    #[must_use]
    pub fn allows(&self, host: &[u8], local: IpAddr) -> bool {
        let Some(name) = std::str::from_utf8(host).ok().and_then(without_port) else {
            return false;
        };
        let local = local.to_canonical();
        let address = match name
            .strip_prefix('[')
            .and_then(|name| name.strip_suffix(']'))
        {
            Some(v6) => v6.parse::<Ipv6Addr>().map(IpAddr::V6).ok(),
            None => name.parse::<std::net::Ipv4Addr>().map(IpAddr::V4).ok(),
        };
        match address.map(|address| address.to_canonical()) {
            Some(address) => address == local || self.addresses.contains(&address),
            None => {
                let name = name.to_ascii_lowercase();
                (name == "localhost" && local.is_loopback()) || self.names.contains(&name)
            }
        }
    }
}

/// The host of `host[:port]`; `None` if what follows the colon is no port.
fn without_port(text: &str) -> Option<&str> {
    let end_of_v6 = text.rfind(']').map_or(0, |at| at + 1);
    let (name, rest) = match text[end_of_v6..].find(':') {
        Some(at) => text.split_at(end_of_v6 + at),
        None => (text, ""),
    };
    let port = rest.strip_prefix(':').unwrap_or("0");
    let legal = !name.is_empty()
        && port.len() <= 5
        && !port.is_empty()
        && port.bytes().all(|b| b.is_ascii_digit());
    legal.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::ip;
    use proptest::prelude::*;

    #[test]
    fn only_known_hosts() {
        let hosts = AllowedHosts::new(["10.0.0.9".to_owned(), "Metadata.internal".to_owned()]);
        for (host, local, allowed) in [
            ("169.254.169.254", "10.0.0.9", true),
            ("169.254.169.254:80", "10.0.0.9", true),
            ("[fd00:ec2::254]", "10.0.0.9", true),
            ("169.254.170.23", "10.0.0.9", true),
            ("[fd00:ec2::23]:80", "10.0.0.9", true),
            ("169.254.170.24", "10.0.0.9", false),
            ("[fd00:ec2:0::254]:80", "10.0.0.9", true),
            ("10.0.0.9:8181", "127.0.0.1", true),
            ("metadata.INTERNAL", "127.0.0.1", true),
            ("127.0.0.1:8181", "127.0.0.1", true),
            ("127.0.0.1:8181", "::ffff:127.0.0.1", true),
            ("127.0.0.2:8181", "127.0.0.1", false),
            ("localhost:8181", "127.0.0.1", true),
            ("localhost:8181", "10.0.0.9", false),
            ("evil.example", "127.0.0.1", false),
            ("169.254.169.254.evil.example", "127.0.0.1", false),
            ("a@169.254.169.254", "127.0.0.1", false),
            ("169.254.169.254:", "127.0.0.1", false),
            ("169.254.169.254:80:80", "127.0.0.1", false),
            ("169.254.169.254:x", "127.0.0.1", false),
            ("169.254.43518", "127.0.0.1", false),
            ("2852039166", "127.0.0.1", false),
            ("fd00:ec2::254", "127.0.0.1", false),
            ("[169.254.169.254]", "127.0.0.1", false),
            ("[fd00:ec2::254", "127.0.0.1", false),
            ("", "127.0.0.1", false),
            (":80", "127.0.0.1", false),
        ] {
            assert_eq!(
                hosts.allows(host.as_bytes(), ip(local)),
                allowed,
                "{host} at {local}"
            );
        }
        assert!(!hosts.allows(b"\xff", ip("127.0.0.1")));
    }

    proptest! {
        #[test]
        fn never_panics(host in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = AllowedHosts::new([]).allows(&host, ip("127.0.0.1"));
        }
    }
}
