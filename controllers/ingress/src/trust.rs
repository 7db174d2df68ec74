//! Whether clients can be expected to trust a certificate.

use std::time::Duration;

use jiff::Timestamp;
use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use crate::chain::{Chain, Leaf};

/// The authorities that count.
pub(crate) struct Trust(Vec<TrustAnchor<'static>>);

impl Trust {
    /// Those of the system (`SSL_CERT_FILE` and `SSL_CERT_DIR` name others) and
    /// those of `--cert-ca-bundle`.
    pub(crate) fn load(bundle: &[Vec<u8>]) -> Self {
        let system = rustls_native_certs::load_native_certs();
        for error in &system.errors {
            tracing::warn!("the system's certificate authorities: {error}");
        }
        let trust = Self::new(
            system
                .certs
                .iter()
                .map(AsRef::as_ref)
                .chain(bundle.iter().map(Vec::as_slice)),
        );
        if trust.0.is_empty() {
            tracing::warn!(
                "no certificate authority is known: imported certificates count as trusted, whoever signed them"
            );
        }
        trust
    }

    fn new<'a>(authorities: impl Iterator<Item = &'a [u8]>) -> Self {
        let anchor = |der: &[u8]| {
            let der = CertificateDer::from(der);
            anchor_from_trusted_cert(&der)
                .ok()
                .map(|anchor| anchor.to_owned())
        };
        Self(authorities.filter_map(anchor).collect())
    }

    /// Whether the chain leads to an authority. That the certificate itself has
    /// run out, or is not valid yet, is not asked here: it is looked at as of a
    /// time at which it is valid. An intermediate one that has run out counts.
    pub(crate) fn vouches_for(&self, chain: &Chain, leaf: &Leaf, now: Timestamp) -> bool {
        if self.0.is_empty() {
            return true;
        }
        let at = now.clamp(leaf.not_before, leaf.not_after.max(leaf.not_before));
        let seconds = u64::try_from(at.as_second()).unwrap_or_default();
        let certificate = CertificateDer::from(chain.leaf.as_slice());
        let intermediates: Vec<_> = chain
            .intermediates
            .iter()
            .map(|der| CertificateDer::from(der.as_slice()))
            .collect();
        let Ok(end) = EndEntityCert::try_from(&certificate) else {
            return false;
        };
        end.verify_for_usage(
            ALL_VERIFICATION_ALGS,
            &self.0,
            &intermediates,
            UnixTime::since_unix_epoch(Duration::from_secs(seconds)),
            KeyUsage::server_auth(),
            None,
            None,
        )
        .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};

    struct Authority {
        pem: String,
        issuer: Issuer<'static, KeyPair>,
    }

    fn authority(name: &str) -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        let pem = params.self_signed(&key).unwrap().pem();
        Authority {
            pem,
            issuer: Issuer::new(params, key),
        }
    }

    /// Valid in 2026 alone.
    fn signed_by(authority: &Authority, names: &[&str]) -> String {
        let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(2027, 1, 1);
        let key = KeyPair::generate().unwrap();
        params.signed_by(&key, &authority.issuer).unwrap().pem()
    }

    fn trusted(trust: &Trust, pem: &str, chain: &str, now: &str) -> bool {
        let chain = Chain::from_pem(pem, chain).unwrap();
        let leaf = chain.leaf().unwrap();
        trust.vouches_for(&chain, &leaf, now.parse().unwrap())
    }

    #[test]
    fn only_what_leads_to_an_authority_is_trusted() {
        let (known, other) = (authority("known"), authority("other"));
        let known_der = crate::chain::certificates(known.pem.as_bytes());
        let trust = Trust::new(known_der.iter().map(Vec::as_slice));
        let good = signed_by(&known, &["shop.example.org"]);
        let bad = signed_by(&other, &["shop.example.org"]);
        for now in [
            "2025-06-01T00:00:00Z",
            "2026-06-01T00:00:00Z",
            "2030-06-01T00:00:00Z",
        ] {
            assert!(trusted(&trust, &good, "", now), "{now}");
            assert!(trusted(&trust, &good, &known.pem, now), "{now}");
            assert!(!trusted(&trust, &bad, &other.pem, now), "{now}");
        }
        let nobody = Trust::new(std::iter::empty());
        assert!(trusted(&nobody, &bad, "", "2026-06-01T00:00:00Z"));
    }

    #[test]
    fn a_chain_is_read_with_its_names_and_dates() {
        let authority = authority("one");
        let pem = signed_by(&authority, &["Shop.example.org", "*.example.org"]);
        let chain = Chain::from_pem(&pem, &authority.pem).unwrap();
        assert_eq!(chain.intermediates.len(), 1);
        let leaf = chain.leaf().unwrap();
        assert!(leaf.names.contains("shop.example.org") && leaf.names.contains("*.example.org"));
        assert_eq!(leaf.not_after.to_string(), "2027-01-01T00:00:00Z");
        assert_eq!(Chain::from_pem("no PEM", ""), None);
        let broken = Chain {
            leaf: vec![1, 2, 3],
            intermediates: Vec::new(),
        };
        assert_eq!(broken.leaf(), None);
    }
}
