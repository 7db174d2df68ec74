//! A certificate authority of the tests' own.

use anyhow::{Context, Result};
use aws_sdk_acm::primitives::Blob;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

use crate::Testbed;

/// An authority, to be trusted or not.
#[derive(Debug)]
pub struct Authority {
    /// Its certificate.
    pub pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// What it signed.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The certificate.
    pub pem: String,
    /// Its private key.
    pub key: String,
}

impl Authority {
    /// A new one.
    ///
    /// # Errors
    /// If no key can be made.
    pub fn new(name: &str) -> Result<Self> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.distinguished_name.push(DnType::CommonName, name);
        Ok(Self {
            pem: params.self_signed(&key)?.pem(),
            issuer: Issuer::new(params, key),
        })
    }

    /// Signs a certificate for `names`, valid from 2026 until that year, month and day.
    ///
    /// # Errors
    /// If a name is none.
    pub fn issue(&self, names: &[&str], until: (i32, u8, u8)) -> Result<Issued> {
        let key = KeyPair::generate()?;
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names.clone())?;
        let common_name = names.first().context("a name")?;
        params
            .distinguished_name
            .push(DnType::CommonName, common_name);
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(until.0, until.1, until.2);
        Ok(Issued {
            pem: params.signed_by(&key, &self.issuer)?.pem(),
            key: key.serialize_pem(),
        })
    }

    /// Imports a certificate into ACM, with this authority as its chain: its ARN.
    ///
    /// # Errors
    /// If the emulator refuses it.
    pub async fn import(&self, testbed: &Testbed, issued: &Issued) -> Result<String> {
        let imported = aws_sdk_acm::Client::new(testbed.sdk())
            .import_certificate()
            .certificate(Blob::new(issued.pem.clone()))
            .certificate_chain(Blob::new(self.pem.clone()))
            .private_key(Blob::new(issued.key.clone()))
            .send()
            .await
            .context("import a certificate")?;
        imported.certificate_arn.context("an ARN")
    }

    /// Uploads a certificate to IAM under a path and a name: its ARN.
    ///
    /// # Errors
    /// If the emulator refuses it.
    pub async fn upload(
        &self,
        testbed: &Testbed,
        issued: &Issued,
        (path, name): (&str, &str),
    ) -> Result<String> {
        let uploaded = aws_sdk_iam::Client::new(testbed.sdk())
            .upload_server_certificate()
            .path(path)
            .server_certificate_name(name)
            .certificate_body(&issued.pem)
            .certificate_chain(&self.pem)
            .private_key(&issued.key)
            .send()
            .await
            .context("upload a server certificate")?;
        let metadata = uploaded.server_certificate_metadata.context("metadata")?;
        Ok(metadata.arn)
    }
}
