//! Certificates in ACM.

use anyhow::Result;
use isthmus_e2e::{Certificate, Testbed};

#[tokio::test]
async fn acm_lists_other_keys_than_rsa_only_when_asked_to() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let names = ["a.example.org", "b.example.org"];
    let made = Certificate::import(&testbed, &names).await?;
    let acm = aws_sdk_acm::Client::new(testbed.sdk());
    let all = acm.list_certificates().send().await?;
    assert!(
        all.certificate_summary_list().is_empty(),
        "its key is not RSA"
    );
    let keys = aws_sdk_acm::types::Filters::builder()
        .key_types(aws_sdk_acm::types::KeyAlgorithm::EcPrime256v1)
        .build();
    let listed = acm.list_certificates().includes(keys).send().await?;
    let summary = &listed.certificate_summary_list()[0];
    assert_eq!(summary.certificate_arn(), Some(made.arn.as_str()));
    assert_eq!(summary.subject_alternative_name_summaries(), names);
    assert_eq!(
        summary.has_additional_subject_alternative_names(),
        Some(false)
    );
    Ok(())
}
