//! Managed policies that narrow a session: `isthmus.dev/session-policy-arns`.

use std::collections::BTreeSet;
use std::fmt;

use crate::role::is_role_byte;

/// The annotation of a pod that lists them.
pub const SESSION_POLICIES: &str = "isthmus.dev/session-policy-arns";

/// [Session policies](https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies.html#policies_session):
/// the session may do what the role may do **and** these allow. In the order of the annotation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct PolicyArns(Vec<String>);

/// A list that cannot be used. The session is not made without it: it would allow more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyArnsError {
    /// No entry, or an empty one.
    #[error(
        "{SESSION_POLICIES} has an empty entry; allowed: 1 to 10 ARNs of managed policies, separated by commas"
    )]
    Empty,
    /// An entry that is no policy's ARN.
    #[error(
        "{SESSION_POLICIES}: {0:?} is not the ARN of a managed policy; allowed: arn:<partition>:iam::<account or aws>:policy/<path and name>"
    )]
    NotAPolicy(String),
    /// The same one again.
    #[error("{SESSION_POLICIES} names {0} twice")]
    Twice(String),
    /// More than STS takes.
    #[error("{SESSION_POLICIES} has {0} entries; allowed: 1 to 10")]
    TooMany(usize),
}

/// What [STS takes](https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html).
const MOST: usize = 10;
const LONGEST: usize = 2048;

impl PolicyArns {
    /// Reads the annotation: ARNs separated by commas, with spaces around them or without.
    ///
    /// # Errors
    ///
    /// [`PolicyArnsError`] for the first thing that is wrong.
    pub fn parse(annotation: &str) -> Result<Self, PolicyArnsError> {
        let arns: Vec<&str> = annotation.split(',').map(str::trim).collect();
        if arns.iter().any(|arn| arn.is_empty()) {
            return Err(PolicyArnsError::Empty);
        }
        if arns.len() > MOST {
            return Err(PolicyArnsError::TooMany(arns.len()));
        }
        let mut seen = BTreeSet::new();
        for arn in &arns {
            if !is_policy_arn(arn) {
                return Err(PolicyArnsError::NotAPolicy((*arn).to_owned()));
            }
            if !seen.insert(*arn) {
                return Err(PolicyArnsError::Twice((*arn).to_owned()));
            }
        }
        Ok(Self(arns.into_iter().map(str::to_owned).collect()))
    }

    /// Each ARN.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether there is none: the session may do what the role may do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for PolicyArns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

/// `arn:<partition>:iam::<account or aws>:policy/<path and name>`, as
/// [IAM writes it](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html).
fn is_policy_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let [scheme, partition, service, region, account, tail] = parts[..] else {
        return false;
    };
    let name = tail.strip_prefix("policy/").unwrap_or_default();
    let digits = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    text.len() <= LONGEST
        && scheme == "arn"
        && !partition.is_empty()
        && partition
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b == b'-')
        && service == "iam"
        && region.is_empty()
        && (digits || account == "aws")
        && name
            .split('/')
            .all(|segment| !segment.is_empty() && segment.bytes().all(is_role_byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_in_their_order() {
        let text = "arn:aws:iam::123456789012:policy/team/read , arn:aws:iam::aws:policy/ReadOnlyAccess,arn:aws-cn:iam::aws:policy/x";
        let arns = PolicyArns::parse(text).unwrap();
        assert_eq!(
            Vec::from_iter(arns.iter()),
            [
                "arn:aws:iam::123456789012:policy/team/read",
                "arn:aws:iam::aws:policy/ReadOnlyAccess",
                "arn:aws-cn:iam::aws:policy/x"
            ]
        );
        assert!(!arns.is_empty() && PolicyArns::default().is_empty());
    }

    #[test]
    fn whatever_is_not_such_a_list_is_refused() {
        let x = |name: &str| format!("arn:aws:iam::aws:policy/{name}");
        for empty in [
            "",
            " ",
            ",",
            &format!("{},", x("a")),
            &format!("{},,{}", x("a"), x("b")),
        ] {
            assert_eq!(
                PolicyArns::parse(empty),
                Err(PolicyArnsError::Empty),
                "{empty:?}"
            );
        }
        for wrong in [
            "ReadOnlyAccess",
            "arn:aws:iam::aws:role/x",
            "arn:aws:iam::12:policy/x",
            "arn:aws:iam::aws:policy/",
            "arn:aws:iam::aws:policy//x",
            "arn:aws:iam:eu-central-1:aws:policy/x",
            "arn:aws:s3::aws:policy/x",
            "ARN:aws:iam::aws:policy/x",
            "arn::iam::aws:policy/x",
            "arn:aws:iam::aws:policy/x y",
        ] {
            assert_eq!(
                PolicyArns::parse(wrong),
                Err(PolicyArnsError::NotAPolicy(wrong.into()))
            );
        }
        let twice = format!("{},{}", x("a"), x("a"));
        assert_eq!(
            PolicyArns::parse(&twice),
            Err(PolicyArnsError::Twice(x("a")))
        );
        let list = |n: usize| {
            (0..n)
                .map(|i| x(&i.to_string()))
                .collect::<Vec<_>>()
                .join(",")
        };
        assert_eq!(PolicyArns::parse(&list(10)).unwrap().iter().count(), 10);
        assert_eq!(
            PolicyArns::parse(&list(11)),
            Err(PolicyArnsError::TooMany(11))
        );
    }
}
