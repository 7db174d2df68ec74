//! Web ACLs of AWS WAF.

use std::fmt;
use std::str::FromStr;

/// A regional [web ACL] of WAF v2, by its ARN.
///
/// [web ACL]: https://docs.aws.amazon.com/waf/latest/APIReference/API_AssociateWebACL.html
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WebAcl(String);

/// A text that is not the ARN of a web ACL that a load balancer can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WrongWebAcl {
    /// The id of WAF Classic, which AWS has shut down.
    #[error(
        "the ARN of a regional web ACL of WAF v2, since AWS has ended WAF Classic; move the rules to WAF v2"
    )]
    Classic,
    /// A web ACL for CloudFront.
    #[error("the ARN of a regional web ACL, since global ones are for CloudFront")]
    Global,
    /// Anything else.
    #[error("arn:aws:wafv2:<region>:<account>:regional/webacl/<name>/<id>")]
    Other,
}

impl WebAcl {
    /// The ARN.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WebAcl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for WebAcl {
    type Err = WrongWebAcl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if is_classic(text) {
            return Err(WrongWebAcl::Classic);
        }
        let parts: Vec<_> = text.splitn(6, ':').collect();
        let ["arn", partition, "wafv2", region, account, resource] = parts[..] else {
            return Err(WrongWebAcl::Other);
        };
        let resource: Vec<_> = resource.split('/').collect();
        let known = partition.starts_with("aws") && !region.is_empty() && !account.is_empty();
        match resource[..] {
            ["global", "webacl", ..] => Err(WrongWebAcl::Global),
            ["regional", "webacl", name, id] if known && !name.is_empty() && !id.is_empty() => {
                Ok(Self(text.to_owned()))
            }
            _ => Err(WrongWebAcl::Other),
        }
    }
}

/// WAF Classic's ids are UUIDs, its ARNs `arn:aws:waf-regional:…`.
fn is_classic(text: &str) -> bool {
    let lengths: Vec<_> = text.split('-').map(str::len).collect();
    let hexadecimal = text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    let service = text.split(':').nth(2);
    (lengths == [8, 4, 4, 4, 12] && hexadecimal) || matches!(service, Some("waf" | "waf-regional"))
}

/// What an Ingress asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WebAclChoice {
    /// What `--aws-waf-web-acl-id` says.
    #[default]
    Default,
    /// None, although there is a default: the empty annotation.
    Without,
    /// Another one than the default.
    Acl(WebAcl),
}

impl WebAclChoice {
    /// The choice, in one way only: who names what he gets anyway has no wish of his own.
    #[must_use]
    pub fn new(annotated: Option<Option<WebAcl>>, default: Option<&WebAcl>) -> Self {
        match annotated {
            None => Self::Default,
            Some(acl) if acl.as_ref() == default => Self::Default,
            Some(None) => Self::Without,
            Some(Some(acl)) => Self::Acl(acl),
        }
    }

    /// The web ACL that follows from it.
    #[must_use]
    pub fn resolve<'a>(&'a self, default: Option<&'a WebAcl>) -> Option<&'a WebAcl> {
        match self {
            Self::Default => default,
            Self::Without => None,
            Self::Acl(acl) => Some(acl),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "arn:aws:wafv2:eu-central-1:123456789012:regional/webacl/web/0a-1b";

    #[test]
    fn regional_ones_of_waf_v2_alone() {
        assert_eq!(GOOD.parse::<WebAcl>().unwrap().as_str(), GOOD);
        for (text, wrong) in [
            ("5f2f1f7d-4f0a-4b1e-9c5e-0123456789ab", WrongWebAcl::Classic),
            (
                "arn:aws:waf-regional:eu-central-1:123456789012:webacl/0a",
                WrongWebAcl::Classic,
            ),
            (
                "arn:aws:wafv2:us-east-1:123456789012:global/webacl/web/0a",
                WrongWebAcl::Global,
            ),
            ("web", WrongWebAcl::Other),
            (
                "arn:aws:wafv2:eu-central-1:123456789012:regional/ipset/web/0a",
                WrongWebAcl::Other,
            ),
            (
                "arn:aws:wafv2::123456789012:regional/webacl/web/0a",
                WrongWebAcl::Other,
            ),
        ] {
            assert_eq!(text.parse::<WebAcl>(), Err(wrong), "{text}");
        }
    }

    #[test]
    fn a_choice_is_made_against_the_default() {
        let acl: WebAcl = GOOD.parse().unwrap();
        let choose = |annotated, default| WebAclChoice::new(annotated, default);
        assert_eq!(choose(None, Some(&acl)), WebAclChoice::Default);
        assert_eq!(choose(Some(None), None), WebAclChoice::Default);
        assert_eq!(
            choose(Some(Some(acl.clone())), Some(&acl)),
            WebAclChoice::Default
        );
        assert_eq!(choose(Some(None), Some(&acl)).resolve(Some(&acl)), None);
        assert_eq!(
            choose(Some(Some(acl.clone())), None).resolve(None),
            Some(&acl)
        );
    }
}
