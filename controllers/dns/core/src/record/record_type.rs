//! Types of record sets.

use std::fmt;
use std::str::FromStr;

/// The type of a record set. The order is the one in which changes are listed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordType {
    /// An IPv4 address, or an alias.
    A,
    /// An IPv6 address, or an alias.
    Aaaa,
    /// Another name for a name.
    Cname,
    /// Mail servers.
    Mx,
    /// Rewriting rules.
    Naptr,
    /// Name servers of a delegation.
    Ns,
    /// The name of an address.
    Ptr,
    /// Hosts and ports of a service.
    Srv,
    /// Text; ownership is recorded in it.
    Txt,
    /// Any other type, by its name.
    Other(String),
}

/// A name of a record type that records of sources can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("A, AAAA, CNAME, MX, NAPTR, NS, PTR, SRV, TXT")]
pub struct UnknownRecordType;

impl RecordType {
    /// The types that a registry name can speak of.
    pub const KNOWN: [Self; 9] = [
        Self::A,
        Self::Aaaa,
        Self::Cname,
        Self::Mx,
        Self::Naptr,
        Self::Ns,
        Self::Ptr,
        Self::Srv,
        Self::Txt,
    ];

    /// The type of a record set that Route 53 lists.
    #[must_use]
    pub fn from_route53(text: &str) -> Self {
        text.parse()
            .unwrap_or_else(|_| Self::Other(text.to_owned()))
    }

    /// The name of the type, in capitals.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Cname => "CNAME",
            Self::Mx => "MX",
            Self::Naptr => "NAPTR",
            Self::Ns => "NS",
            Self::Ptr => "PTR",
            Self::Srv => "SRV",
            Self::Txt => "TXT",
            Self::Other(name) => name,
        }
    }

    /// Whether a host's address is found by it.
    #[must_use]
    pub fn is_address(&self) -> bool {
        matches!(self, Self::A | Self::Aaaa | Self::Cname)
    }
}

impl FromStr for RecordType {
    type Err = UnknownRecordType;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::KNOWN.into_iter();
        let mut found = known.filter(|known| known.as_str().eq_ignore_ascii_case(text));
        found.next().ok_or(UnknownRecordType)
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
