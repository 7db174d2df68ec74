//! Certificates that are served, and those of them that run out.

use std::collections::BTreeMap;

use isthmus_core::ObjectRef;
use jiff::{SignedDuration, Timestamp};

use crate::{Arn, Certificate, Desired, Fate};

/// How long before its end a served certificate is warned of.
pub const WARN_BEFORE: SignedDuration = SignedDuration::from_hours(14 * 24);

/// A warning to someone whose certificate runs out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiring {
    /// Who is served with it.
    pub object: ObjectRef,
    /// What to say.
    pub message: String,
}

/// The certificates that load balancers serve, and until when they are valid.
#[must_use]
pub fn served_certificates<'a>(
    desired: &'a Desired,
    certificates: &[Certificate],
) -> BTreeMap<&'a Arn, Timestamp> {
    let ends: BTreeMap<&Arn, Timestamp> = certificates
        .iter()
        .map(|certificate| (&certificate.arn, certificate.not_after))
        .collect();
    let balancers = desired.load_balancers.values();
    balancers
        .flat_map(|balancer| &balancer.certificates)
        .filter_map(|arn| Some((arn, *ends.get(arn)?)))
        .collect()
}

/// Whom to warn: [`WARN_BEFORE`] the end of a certificate, and after it.
#[must_use]
pub fn expiring(
    desired: &Desired,
    served: &BTreeMap<&Arn, Timestamp>,
    now: Timestamp,
) -> Vec<Expiring> {
    let soon: BTreeMap<&Arn, Timestamp> = served
        .iter()
        .filter(|(_, end)| end.duration_since(now) <= WARN_BEFORE)
        .map(|(arn, end)| (*arn, *end))
        .collect();
    let mut found = Vec::new();
    if soon.is_empty() {
        return found;
    }
    for ingress in &desired.ingresses {
        let Fate::On { certificates, .. } = &ingress.fate else {
            continue;
        };
        for arn in certificates {
            if let Some(end) = soon.get(arn) {
                found.push(Expiring {
                    object: ingress.object.clone(),
                    message: message(arn, *end, now),
                });
            }
        }
    }
    found
}

fn message(arn: &Arn, end: Timestamp, now: Timestamp) -> String {
    let verb = if end <= now { "ran out" } else { "runs out" };
    format!(
        "the certificate {arn} that serves it {verb} at {end} and no better one names its hosts; renew it or add another one"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Served;
    use std::collections::BTreeSet;

    fn now() -> Timestamp {
        "2026-11-01T00:00:00Z".parse().unwrap()
    }

    #[test]
    fn warned_two_weeks_before() {
        let arn = |id: &str| Arn::new(format!("arn:aws:acm:eu-central-1:1:certificate/{id}"));
        let object = |name: &str| ObjectRef::new("networking.k8s.io/v1", "Ingress", "a", name);
        let on = |name: &str, id: &str| Served {
            object: object(name),
            status: Vec::new(),
            fate: Fate::On {
                load_balancer: "lb".into(),
                certificates: BTreeSet::from([arn(id)]),
                complete: true,
            },
        };
        let desired = Desired {
            ingresses: vec![on("far", "far"), on("gone", "gone"), on("near", "near")],
            ..Desired::default()
        };
        let (far, gone, near) = (arn("far"), arn("gone"), arn("near"));
        let day = |days: i64| now() + SignedDuration::from_hours(days * 24);
        let served = BTreeMap::from([(&far, day(15)), (&gone, day(-1)), (&near, day(14))]);
        let found = expiring(&desired, &served, now());
        let names: Vec<_> = found.iter().map(|e| e.object.name.as_str()).collect();
        assert_eq!(names, ["gone", "near"]);
        assert!(found[0].message.contains("ran out at 2026-10-31"));
        assert!(found[1].message.contains("runs out at 2026-11-15"));
    }
}
