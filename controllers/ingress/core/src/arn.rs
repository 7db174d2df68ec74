use std::fmt;

use serde::{Deserialize, Serialize};

/// An [Amazon resource name](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Arn(String);

impl Arn {
    /// As AWS wrote it.
    pub fn new(arn: impl Into<String>) -> Self {
        Self(arn.into())
    }

    /// An ACM certificate's ARN as a user wrote it; `None` for anything else.
    #[must_use]
    pub fn acm_certificate(text: &str) -> Option<Self> {
        let parts: Vec<_> = text.splitn(6, ':').collect();
        let ["arn", partition, "acm", _, _, resource] = parts[..] else {
            return None;
        };
        let id = resource.strip_prefix("certificate/")?;
        (partition.starts_with("aws") && !id.is_empty()).then(|| Self(text.to_owned()))
    }

    /// The whole of it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What follows the last `/`: enough to tell certificates apart in a line.
    #[must_use]
    pub fn id(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_acm_certificates_are_taken() {
        let good = "arn:aws:acm:eu-central-1:123456789012:certificate/0a-1b";
        assert_eq!(Arn::acm_certificate(good).unwrap().id(), "0a-1b");
        assert!(Arn::acm_certificate("arn:aws-cn:acm:cn-north-1:1:certificate/x").is_some());
        for bad in [
            "",
            "0a-1b",
            "arn:aws:acm:eu-central-1:123456789012:certificate/",
            "arn:aws:iam::123456789012:server-certificate/x",
            "arn:other:acm:eu-central-1:1:certificate/x",
        ] {
            assert_eq!(Arn::acm_certificate(bad), None, "{bad}");
        }
    }
}
