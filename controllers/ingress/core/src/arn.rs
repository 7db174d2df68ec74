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

    /// The ARN of a certificate of ACM or of a server certificate of IAM, as a user
    /// wrote it; `None` for anything else.
    #[must_use]
    pub fn certificate(text: &str) -> Option<Self> {
        let parts: Vec<_> = text.splitn(6, ':').collect();
        let ["arn", partition, service, _, _, resource] = parts[..] else {
            return None;
        };
        let id = match service {
            "acm" => resource.strip_prefix("certificate/")?,
            "iam" => resource.strip_prefix("server-certificate/")?,
            _ => return None,
        };
        let legal = !id.is_empty() && id.bytes().all(|b| b.is_ascii_graphic());
        (partition.starts_with("aws") && legal).then(|| Self(text.to_owned()))
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
    fn only_certificates_are_taken() {
        let good = "arn:aws:acm:eu-central-1:123456789012:certificate/0a-1b";
        assert_eq!(Arn::certificate(good).unwrap().id(), "0a-1b");
        assert!(Arn::certificate("arn:aws-cn:acm:cn-north-1:1:certificate/x").is_some());
        let iam = "arn:aws:iam::123456789012:server-certificate/old/shop";
        assert_eq!(Arn::certificate(iam).unwrap().id(), "shop");
        for bad in [
            "",
            "0a-1b",
            "arn:aws:acm:eu-central-1:123456789012:certificate/",
            "arn:aws:iam::123456789012:role/x",
            "arn:aws:acm:eu-central-1:123456789012:certificate/a b",
            "arn:other:acm:eu-central-1:1:certificate/x",
        ] {
            assert_eq!(Arn::certificate(bad), None, "{bad}");
        }
    }
}
