//! What the process's role at AWS may not do, as far as AWS has said so.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The actions of IAM that were refused and not carried out since. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rights(Arc<Mutex<Noted>>);

#[derive(Debug, Default)]
struct Noted {
    missing: BTreeSet<String>,
    /// Everything that was ever news: what is allowed for one resource and not
    /// for another would be news for ever.
    told: BTreeSet<String>,
}

impl Rights {
    /// Notes how AWS judged a call, by its error code if it failed with one.
    pub(crate) fn judged(&self, service: &str, operation: &str, code: Option<&str>) {
        match code {
            // By the codes of EC2, of the XML and of the JSON protocols.
            Some("UnauthorizedOperation" | "AccessDenied" | "AccessDeniedException") => {
                self.lock().missing.insert(action(service, operation));
            }
            None | Some(DRY_RUN) => {
                self.lock().missing.remove(&action(service, operation));
            }
            Some(_) => {}
        }
    }

    /// The actions that are missing now, such as `ec2:CreateSubnet`.
    pub(crate) fn missing(&self) -> Vec<String> {
        self.lock().missing.iter().cloned().collect()
    }

    /// Whether an action is missing that was not when this was last asked.
    pub(crate) fn is_news(&self) -> bool {
        let mut noted = self.lock();
        let Noted { missing, told } = &mut *noted;
        let before = told.len();
        told.extend(missing.iter().cloned());
        told.len() > before
    }

    /// A poisoned lock still holds whole values: each write is one call.
    fn lock(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// EC2's answer to a dry run that is allowed.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/CommonParameters.html>
pub(super) const DRY_RUN: &str = "DryRunOperation";

/// The [action of IAM] for an operation: the API's name, under the service's
/// prefix, which has no version.
///
/// [action of IAM]: https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
fn action(service: &str, operation: &str) -> String {
    let service = match service {
        "elasticloadbalancingv2" => "elasticloadbalancing",
        other => other,
    };
    format!("{service}:{operation}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_is_missing_until_it_is_carried_out() {
        let rights = Rights::default();
        rights.judged("ec2", "CreateSubnet", Some("UnauthorizedOperation"));
        rights.judged("route53", "ListHostedZones", Some("AccessDenied"));
        let service = "elasticloadbalancingv2";
        rights.judged(service, "DescribeRules", Some("AccessDenied"));
        rights.judged("ec2", "CreateRoute", Some(DRY_RUN));
        rights.judged("ec2", "DeleteRoute", Some("InvalidRoute.NotFound"));
        rights.judged("ec2", "DescribeVpcs", Some("RequestExpired"));
        let all = [
            "ec2:CreateSubnet",
            "elasticloadbalancing:DescribeRules",
            "route53:ListHostedZones",
        ];
        assert_eq!(rights.missing(), all);
        rights.judged("ec2", "CreateSubnet", Some("InvalidSubnet.Conflict"));
        assert_eq!(rights.missing(), all, "that says nothing of the right");
        rights.judged("ec2", "CreateSubnet", Some(DRY_RUN));
        rights.judged("route53", "ListHostedZones", None);
        assert_eq!(rights.missing(), all[1..2]);
    }

    #[test]
    fn an_action_is_news_once() {
        let rights = Rights::default();
        assert!(!rights.is_news());
        for code in [Some("AccessDenied"), None, Some("AccessDenied")] {
            rights.judged("route53", "ChangeResourceRecordSets", code);
        }
        assert!(rights.is_news());
        assert!(!rights.is_news());
        rights.judged("route53", "GetChange", Some("AccessDenied"));
        assert!(rights.is_news());
    }
}
