//! AWS Certificate Manager through the SDK.

use std::collections::BTreeSet;

use aws_sdk_acm::Client;
use aws_sdk_acm::primitives::DateTime;
use aws_sdk_acm::types::{
    CertificateDetail, CertificateStatus, CertificateSummary, CertificateType, Filters,
    KeyAlgorithm,
};
use ingress_core::{Arn, normal_host};
use isthmus_runtime::Aws;
use jiff::Timestamp;

use super::Result;
use super::limits::AcmLimits;
use crate::chain::Chain;
use crate::error::AwsError;

/// The most that one page of a list can have.
const PAGE: i32 = 1000;

/// A certificate as ACM tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AcmCertificate {
    pub(super) arn: Arn,
    /// As hosts are compared.
    pub(super) names: BTreeSet<String>,
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
    /// Signed by Amazon's public authorities, which every client knows.
    pub(super) by_amazon: bool,
    /// When it was imported last, if it was: a certificate can be replaced under its ARN.
    pub(super) imported: Option<Timestamp>,
}

/// The client and its rates.
pub(crate) struct Acm {
    client: Client,
    limits: AcmLimits,
}

impl Acm {
    pub(crate) fn new(aws: &Aws) -> Self {
        let config = aws_sdk_acm::config::Builder::from(&aws.sdk)
            .interceptor(aws.interceptor())
            .build();
        Self {
            client: Client::from_conf(config),
            limits: AcmLimits::new(),
        }
    }

    /// What a load balancer can serve, expired certificates too: one that runs out
    /// must not take its load balancer with it. AWS lists only RSA keys of 1024
    /// and 2048 bits unless the key types are named.
    ///
    /// A list tells nearly everything; what it does not (the names after the
    /// first hundred) is asked for.
    pub(super) async fn list(&self) -> Result<Vec<AcmCertificate>> {
        let mut found = Vec::new();
        let mut token = None;
        loop {
            self.limits.list.turn().await;
            let page = self
                .client
                .list_certificates()
                .certificate_statuses(CertificateStatus::Issued)
                .certificate_statuses(CertificateStatus::Expired)
                .includes(
                    Filters::builder()
                        .set_key_types(Some(every_key_type()))
                        .build(),
                )
                .max_items(PAGE)
                .set_next_token(token)
                .send()
                .await
                .map_err(AwsError::of("ListCertificates"))?;
            for summary in page.certificate_summary_list() {
                found.extend(self.listed(summary).await?);
            }
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(found);
            }
        }
    }

    async fn listed(&self, summary: &CertificateSummary) -> Result<Option<AcmCertificate>> {
        let Some(arn) = summary.certificate_arn().map(Arn::new) else {
            return Ok(None);
        };
        match complete(summary) {
            Some(certificate) => Ok(Some(certificate)),
            None => self.describe(&arn).await,
        }
    }

    async fn describe(&self, arn: &Arn) -> Result<Option<AcmCertificate>> {
        self.limits.read.turn().await;
        let answer = self
            .client
            .describe_certificate()
            .certificate_arn(arn.as_str())
            .send()
            .await
            .map_err(AwsError::of("DescribeCertificate"));
        match answer {
            Ok(answer) => Ok(answer.certificate().and_then(detailed)),
            // Deleted since it was listed.
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The certificate and its chain; `None` if it is gone or cannot be read.
    pub(super) async fn chain(&self, arn: &Arn) -> Result<Option<Chain>> {
        self.limits.read.turn().await;
        let answer = self
            .client
            .get_certificate()
            .certificate_arn(arn.as_str())
            .send()
            .await
            .map_err(AwsError::of("GetCertificate"));
        match answer {
            Ok(answer) => {
                let chain = answer.certificate_chain().unwrap_or_default();
                Ok(answer
                    .certificate()
                    .and_then(|certificate| Chain::from_pem(certificate, chain)))
            }
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn has_tag(&self, arn: &Arn, (key, value): &(String, String)) -> Result<bool> {
        self.limits.read.turn().await;
        let answer = self
            .client
            .list_tags_for_certificate()
            .certificate_arn(arn.as_str())
            .send()
            .await
            .map_err(AwsError::of("ListTagsForCertificate"));
        match answer {
            Ok(answer) => Ok(answer
                .tags()
                .iter()
                .any(|tag| tag.key() == key && tag.value().unwrap_or_default() == value)),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn every_key_type() -> Vec<KeyAlgorithm> {
    vec![
        KeyAlgorithm::Rsa1024,
        KeyAlgorithm::Rsa2048,
        KeyAlgorithm::Rsa3072,
        KeyAlgorithm::Rsa4096,
        KeyAlgorithm::EcPrime256v1,
        KeyAlgorithm::EcSecp384r1,
        KeyAlgorithm::EcSecp521r1,
    ]
}

fn time(time: Option<&DateTime>) -> Option<Timestamp> {
    Timestamp::from_second(time?.secs()).ok()
}

/// From a list, if the list tells all that is needed.
fn complete(summary: &CertificateSummary) -> Option<AcmCertificate> {
    if summary.has_additional_subject_alternative_names() != Some(false) {
        return None;
    }
    let names = summary.subject_alternative_name_summaries().iter();
    Some(AcmCertificate {
        arn: Arn::new(summary.certificate_arn()?),
        names: names
            .map(String::as_str)
            .chain(summary.domain_name())
            .map(normal_host)
            .collect(),
        not_before: time(summary.not_before())?,
        not_after: time(summary.not_after())?,
        by_amazon: *summary.r#type()? == CertificateType::AmazonIssued,
        imported: time(summary.imported_at()),
    })
}

/// A certificate with all its dates; one without them cannot be served.
fn detailed(detail: &CertificateDetail) -> Option<AcmCertificate> {
    let servable = matches!(
        detail.status(),
        Some(CertificateStatus::Issued | CertificateStatus::Expired)
    );
    servable.then_some(())?;
    let names = detail.subject_alternative_names().iter();
    Some(AcmCertificate {
        arn: Arn::new(detail.certificate_arn()?),
        names: names
            .map(String::as_str)
            .chain(detail.domain_name())
            .map(normal_host)
            .collect(),
        not_before: time(detail.not_before())?,
        not_after: time(detail.not_after())?,
        by_amazon: detail.r#type() == Some(&CertificateType::AmazonIssued),
        imported: time(detail.imported_at()),
    })
}
