//! Certificates in ACM.

use anyhow::{Context, Result};
use aws_sdk_acm::primitives::Blob;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

use crate::Testbed;

/// A certificate that was imported into ACM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Its ARN.
    pub arn: String,
    /// Its subject alternative names.
    pub names: Vec<String>,
}

impl Certificate {
    /// Signs a certificate for `names`, valid until 2099, with a root of its own
    /// and imports it.
    ///
    /// # Errors
    /// If the emulator refuses it.
    pub async fn import(testbed: &Testbed, names: &[&str]) -> Result<Self> {
        Self::import_until(testbed, names, (2099, 1, 1)).await
    }

    /// The same, valid until that year, month and day.
    ///
    /// # Errors
    /// If the emulator refuses it.
    pub async fn import_until(
        testbed: &Testbed,
        names: &[&str],
        until: (i32, u8, u8),
    ) -> Result<Self> {
        let root_key = KeyPair::generate()?;
        let mut root = CertificateParams::new(Vec::new())?;
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        root.distinguished_name
            .push(DnType::CommonName, "testbed root");
        let chain = root.self_signed(&root_key)?.pem();
        let issuer = Issuer::new(root, root_key);

        let key = KeyPair::generate()?;
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names.clone())?;
        let common_name = names.first().context("a name")?;
        params
            .distinguished_name
            .push(DnType::CommonName, common_name);
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(until.0, until.1, until.2);
        let certificate = params.signed_by(&key, &issuer)?.pem();

        let imported = aws_sdk_acm::Client::new(testbed.sdk())
            .import_certificate()
            .certificate(Blob::new(certificate))
            .certificate_chain(Blob::new(chain))
            .private_key(Blob::new(key.serialize_pem()))
            .send()
            .await
            .context("import a certificate")?;
        Ok(Self {
            arn: imported.certificate_arn.context("an ARN")?,
            names,
        })
    }
}
