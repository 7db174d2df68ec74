//! A certificate with those that vouch for it, read from PEM.

use std::collections::BTreeSet;

use ingress_core::normal_host;
use jiff::Timestamp;
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;
use x509_parser::pem::Pem;

/// DER of a certificate and of the intermediate ones sent with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chain {
    pub(crate) leaf: Vec<u8>,
    pub(crate) intermediates: Vec<Vec<u8>>,
}

/// What a certificate says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Leaf {
    /// Common name and alternative names, as hosts are compared.
    pub(crate) names: BTreeSet<String>,
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
}

impl Chain {
    /// From the certificate's PEM and that of its chain, which may be empty.
    /// `None` if there is no certificate in the first.
    pub(crate) fn from_pem(certificate: &str, chain: &str) -> Option<Self> {
        let mut leaf = certificates(certificate.as_bytes()).into_iter();
        Some(Self {
            leaf: leaf.next()?,
            intermediates: leaf.chain(certificates(chain.as_bytes())).collect(),
        })
    }

    /// `None` if it is no certificate that makes sense.
    pub(crate) fn leaf(&self) -> Option<Leaf> {
        let (_, parsed) = parse_x509_certificate(&self.leaf).ok()?;
        let validity = parsed.validity();
        let mut names: BTreeSet<String> = parsed
            .subject()
            .iter_common_name()
            .filter_map(|name| name.as_str().ok())
            .map(normal_host)
            .collect();
        if let Ok(Some(alternative)) = parsed.subject_alternative_name() {
            let dns = |name: &GeneralName<'_>| match name {
                GeneralName::DNSName(name) => Some(normal_host(name)),
                _ => None,
            };
            names.extend(alternative.value.general_names.iter().filter_map(dns));
        }
        Some(Leaf {
            names,
            not_before: Timestamp::from_second(validity.not_before.timestamp()).ok()?,
            not_after: Timestamp::from_second(validity.not_after.timestamp()).ok()?,
        })
    }
}

/// The DER of every certificate in a PEM; what else is in it is passed over.
pub(crate) fn certificates(pem: &[u8]) -> Vec<Vec<u8>> {
    Pem::iter_from_buffer(pem)
        .map_while(Result::ok)
        .filter(|block| block.label == "CERTIFICATE")
        .map(|block| block.contents)
        .collect()
}
