//! AWS Certificate Manager through the SDK.

use aws_sdk_acm::Client;
use aws_sdk_acm::types::{
    CertificateDetail, CertificateStatus, CertificateType, Filters, KeyAlgorithm,
};
use ingress_core::{Arn, Certificate, normal_host};
use isthmus_runtime::Aws;
use jiff::Timestamp;

use super::limits::AcmLimits;
use super::{Certificates, Result};
use crate::error::AwsError;

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
    async fn list(&self) -> Result<Vec<Arn>> {
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
                .set_next_token(token)
                .send()
                .await
                .map_err(AwsError::of("ListCertificates"))?;
            let arns = page.certificate_summary_list().iter();
            found.extend(arns.filter_map(|summary| summary.certificate_arn().map(Arn::new)));
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(found);
            }
        }
    }

    async fn describe(&self, arn: &Arn) -> Result<Option<Certificate>> {
        self.limits.read.turn().await;
        let answer = self
            .client
            .describe_certificate()
            .certificate_arn(arn.as_str())
            .send()
            .await
            .map_err(AwsError::of("DescribeCertificate"));
        match answer {
            Ok(answer) => Ok(answer.certificate().and_then(certificate)),
            // Deleted since it was listed.
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn has_tag(&self, arn: &Arn, (key, value): &(String, String)) -> Result<bool> {
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

impl Certificates for Acm {
    async fn all(&self, tag: Option<&(String, String)>) -> Result<Vec<Certificate>> {
        let mut found = Vec::new();
        for arn in self.list().await? {
            if let Some(tag) = tag
                && !self.has_tag(&arn, tag).await?
            {
                continue;
            }
            found.extend(self.describe(&arn).await?);
        }
        Ok(found)
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

/// A certificate with all its dates; one without them cannot be served.
///
/// Of an imported certificate ACM does not say whether its issuer is known to
/// clients: it passes for trusted. One of a private CA is known not to be.
fn certificate(detail: &CertificateDetail) -> Option<Certificate> {
    let time = |time: Option<&aws_sdk_acm::primitives::DateTime>| {
        Timestamp::from_second(time?.secs()).ok()
    };
    let names = detail
        .subject_alternative_names()
        .iter()
        .map(String::as_str);
    let servable = matches!(
        detail.status(),
        Some(CertificateStatus::Issued | CertificateStatus::Expired)
    );
    servable.then_some(())?;
    Some(Certificate {
        arn: Arn::new(detail.certificate_arn()?),
        names: names.chain(detail.domain_name()).map(normal_host).collect(),
        not_before: time(detail.not_before())?,
        not_after: time(detail.not_after())?,
        trusted: detail.r#type() != Some(&CertificateType::Private),
    })
}
