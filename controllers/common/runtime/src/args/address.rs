//! Listen addresses as Go programs write them.

use std::fmt;
use std::str::FromStr;

/// Where a server listens, in the notation of Go's [`net.Listen`]: `:7979` is
/// every address of both families, `127.0.0.1:0` a free port.
///
/// [`net.Listen`]: https://pkg.go.dev/net#Listen
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenAddress {
    /// An IP address without brackets or a host name; empty for every address.
    pub host: String,
    /// 0 for a free port.
    pub port: u16,
}

impl ListenAddress {
    /// Every address, one port.
    #[must_use]
    pub fn port(port: u16) -> Self {
        Self {
            host: String::new(),
            port,
        }
    }

    /// Binds it. Every address means both families where the machine has
    /// IPv6, and IPv4 alone where it has not.
    ///
    /// # Errors
    ///
    /// The port is taken, or the address is not one of this machine.
    pub async fn bind(&self) -> std::io::Result<tokio::net::TcpListener> {
        if !self.host.is_empty() {
            return tokio::net::TcpListener::bind((self.host.as_str(), self.port)).await;
        }
        let both = tokio::net::TcpListener::bind((std::net::Ipv6Addr::UNSPECIFIED, self.port));
        match both.await {
            Err(error) if error.kind() != std::io::ErrorKind::AddrInUse => {
                tokio::net::TcpListener::bind((std::net::Ipv4Addr::UNSPECIFIED, self.port)).await
            }
            bound => bound,
        }
    }
}

/// A text that is not such an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "host:port, where the host may be empty and the port is 0 to 65535, such as :7979 or 127.0.0.1:0"
)]
pub struct ListenAddressError;

impl FromStr for ListenAddress {
    type Err = ListenAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (host, port) = text.rsplit_once(':').ok_or(ListenAddressError)?;
        let bracketed = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        let host = match bracketed {
            Some(v6) if v6.parse::<std::net::Ipv6Addr>().is_ok() => v6,
            None if !host.contains([':', '[', ']', '/', ' ']) => host,
            _ => return Err(ListenAddressError),
        };
        if port.is_empty() || !port.bytes().all(|b| b.is_ascii_digit()) {
            return Err(ListenAddressError);
        }
        Ok(Self {
            host: host.to_owned(),
            port: port.parse().map_err(|_| ListenAddressError)?,
        })
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_notation() {
        for (text, host, port) in [
            (":7979", "", 7979),
            ("127.0.0.1:0", "127.0.0.1", 0),
            ("localhost:80", "localhost", 80),
            ("[::1]:9090", "::1", 9090),
        ] {
            let address: ListenAddress = text.parse().unwrap();
            assert_eq!((address.host.as_str(), address.port), (host, port));
            assert_eq!(address.to_string(), text);
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "7979",
            "",
            ":",
            ":65536",
            ":+1",
            "::1:80",
            "[x]:80",
            "http://a:80",
        ] {
            assert!(text.parse::<ListenAddress>().is_err(), "{text}");
        }
    }

    #[tokio::test]
    async fn a_free_port_on_every_address() {
        let bound = ListenAddress::port(0).bind().await.unwrap();
        assert_ne!(bound.local_addr().unwrap().port(), 0);
    }
}
