//! The certificates of ACM and IAM as one list, with the word on whom to trust.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use ingress_core::{Arn, Certificate};
use jiff::{SignedDuration, Timestamp};

use super::acm::AcmCertificate;
use super::iam::ServerCertificate;
use super::{Acm, Certificates, Iam, Result};
use crate::chain::{Chain, Leaf};
use crate::trust::Trust;

/// How long a chain that is not trusted is believed to be all there is: what was
/// missing in it may have been added.
const DOUBT: SignedDuration = SignedDuration::from_hours(12);

/// A chain that was fetched.
struct Known {
    /// What tells two certificates under one ARN apart.
    edition: String,
    chain: Chain,
    fetched: Timestamp,
    trusted: bool,
}

/// ACM and IAM.
pub(crate) struct Account {
    pub(crate) acm: Acm,
    pub(crate) iam: Iam,
    pub(crate) trust: Trust,
    chains: Mutex<BTreeMap<Arn, Known>>,
}

impl Account {
    pub(crate) fn new(acm: Acm, iam: Iam, trust: Trust) -> Self {
        Self {
            acm,
            iam,
            trust,
            chains: Mutex::default(),
        }
    }

    /// The chain of a certificate, and when it was fetched, if it need not be fetched again.
    fn known(&self, arn: &Arn, edition: &str, now: Timestamp) -> Option<(Chain, Timestamp)> {
        let chains = self.chains.lock().unwrap_or_else(PoisonError::into_inner);
        let known = chains.get(arn)?;
        let fresh = known.trusted || now.duration_since(known.fetched) < DOUBT;
        (known.edition == edition && fresh).then(|| (known.chain.clone(), known.fetched))
    }

    fn remember(&self, arn: &Arn, known: Known) {
        let mut chains = self.chains.lock().unwrap_or_else(PoisonError::into_inner);
        chains.insert(arn.clone(), known);
    }

    fn forget_all_but(&self, certificates: &[Certificate]) {
        let listed: BTreeSet<&Arn> = certificates.iter().map(|c| &c.arn).collect();
        let mut chains = self.chains.lock().unwrap_or_else(PoisonError::into_inner);
        chains.retain(|arn, _| listed.contains(arn));
    }

    /// What a chain says of its certificate, and whether it is trusted.
    fn judge(
        &self,
        arn: &Arn,
        edition: &str,
        (chain, fetched): (Chain, Timestamp),
        now: Timestamp,
    ) -> Option<(Leaf, bool)> {
        let leaf = chain.leaf()?;
        let trusted = self.trust.vouches_for(&chain, &leaf, now);
        let known = Known {
            edition: edition.to_owned(),
            chain,
            fetched,
            trusted,
        };
        self.remember(arn, known);
        Some((leaf, trusted))
    }

    /// What Amazon signed needs no proof; the chain of everything else is asked for once.
    async fn acm_certificate(&self, listed: AcmCertificate, now: Timestamp) -> Result<Certificate> {
        let trusted = listed.by_amazon || self.vouched(&listed, now).await?;
        Ok(Certificate {
            arn: listed.arn,
            names: listed.names,
            not_before: listed.not_before,
            not_after: listed.not_after,
            trusted,
        })
    }

    async fn vouched(&self, listed: &AcmCertificate, now: Timestamp) -> Result<bool> {
        let (arn, imported) = (&listed.arn, listed.imported.unwrap_or_default());
        let edition = format!("{} {} {imported}", listed.not_before, listed.not_after);
        let chain = match self.known(arn, &edition, now) {
            Some(known) => Some(known),
            None => self.acm.chain(arn).await?.map(|chain| (chain, now)),
        };
        let judged = chain.and_then(|chain| self.judge(arn, &edition, chain, now));
        if judged.is_none() {
            tracing::warn!(certificate = %arn, "its chain cannot be read; it counts as not trusted");
        }
        Ok(judged.is_some_and(|(_, trusted)| trusted))
    }

    async fn iam_certificate(
        &self,
        listed: &ServerCertificate,
        now: Timestamp,
    ) -> Result<Option<Certificate>> {
        let arn = &listed.arn;
        let chain = match self.known(arn, &listed.id, now) {
            Some(known) => Some(known),
            None => self
                .iam
                .chain(&listed.name)
                .await?
                .map(|chain| (chain, now)),
        };
        let judged = chain.and_then(|chain| self.judge(arn, &listed.id, chain, now));
        let Some((leaf, trusted)) = judged else {
            tracing::warn!(certificate = %arn, "it cannot be read and is not used");
            return Ok(None);
        };
        Ok(Some(Certificate {
            arn: arn.clone(),
            names: leaf.names,
            not_before: leaf.not_before,
            not_after: leaf.not_after,
            trusted,
        }))
    }
}

impl Certificates for Account {
    async fn all(&self, tag: Option<&(String, String)>) -> Result<Vec<Certificate>> {
        let now = Timestamp::now();
        let mut found = Vec::new();
        for listed in self.acm.list().await? {
            let wanted = match tag {
                Some(tag) => self.acm.has_tag(&listed.arn, tag).await?,
                None => true,
            };
            if wanted {
                found.push(self.acm_certificate(listed, now).await?);
            }
        }
        for listed in self.iam.list().await? {
            let wanted = match tag {
                Some(tag) => self.iam.has_tag(&listed.name, tag).await?,
                None => true,
            };
            if wanted {
                found.extend(self.iam_certificate(&listed, now).await?);
            }
        }
        self.forget_all_but(&found);
        Ok(found)
    }
}
