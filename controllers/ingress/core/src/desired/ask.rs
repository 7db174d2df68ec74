//! What one Ingress asks for, and whether it can have it.

use std::collections::BTreeSet;

use isthmus_core::Rejection;
use jiff::Timestamp;

use crate::rejection::{NO_CERTIFICATE, TOO_MANY_CERTIFICATES, annotations, rejection};
use crate::{
    Arn, Candidate, CertificateIndex, Config, GroupKey, INGRESS, Ingress, Snapshot, cluster_local,
    normal_host, settings,
};

/// What one Ingress asks for.
pub(super) enum Asked {
    Place(Box<Candidate>),
    Refused,
    Nothing,
}

/// What it is asked in.
#[derive(Clone, Copy)]
pub(super) struct Circumstances<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) config: &'a Config,
    pub(super) certificates: &'a CertificateIndex<'a>,
    pub(super) now: Timestamp,
}

pub(super) fn ask(
    ingress: &Ingress,
    circumstances: Circumstances<'_>,
    rejections: &mut Vec<Rejection>,
) -> Asked {
    let Circumstances {
        snapshot,
        config,
        certificates,
        now,
    } = circumstances;
    if ingress.deleting {
        return Asked::Nothing;
    }
    match serves(ingress, snapshot, config) {
        Some(true) => {}
        Some(false) => return Asked::Nothing,
        // It may be ours: what it has stays.
        None => return Asked::Refused,
    }
    let domain = config.cluster_local_domain.as_deref().unwrap_or_default();
    let hosts: BTreeSet<String> = ingress
        .hosts
        .iter()
        .map(|host| normal_host(host))
        .filter(|host| !host.is_empty() && !cluster_local(host, domain))
        .collect();
    if hosts.is_empty() {
        return Asked::Nothing;
    }
    let settings = match settings(&ingress.annotations, &config.defaults) {
        Ok(settings) => settings,
        Err(errors) => {
            rejections.push(annotations(&ingress.object, &errors));
            return Asked::Refused;
        }
    };
    let (found, problem) = match &settings.certificate {
        Some(pinned) => pinned_certificate(pinned, certificates),
        None => certificates_for(&hosts, certificates, now),
    };
    let complete = problem.is_none();
    if let Some(problem) = problem {
        rejections.push(rejection(&ingress.object, NO_CERTIFICATE, problem));
    }
    if found.is_empty() {
        return Asked::Refused;
    }
    Asked::Place(Box::new(Candidate {
        object: ingress.object.clone(),
        key: GroupKey::new(&ingress.object, &settings),
        ssl_policy: settings.ssl_policy,
        certificates: found,
        complete,
        hostnames: ingress.hostnames().map(str::to_owned).collect(),
    }))
}

/// Whether its class is served; `None` if that cannot be known.
fn serves(ingress: &Ingress, snapshot: &Snapshot, config: &Config) -> Option<bool> {
    if ingress.class.is_empty() && ingress.object.kind == INGRESS {
        config.classes.serves_unnamed(snapshot)
    } else {
        Some(config.classes.serves(&ingress.class))
    }
}

fn pinned_certificate(
    pinned: &Arn,
    certificates: &CertificateIndex<'_>,
) -> (BTreeSet<Arn>, Option<String>) {
    match certificates.get(pinned) {
        Some(certificate) => (BTreeSet::from([certificate.arn.clone()]), None),
        None => {
            let problem = format!(
                "the certificate {pinned} of the annotation is not among the usable ones of this account and region; \
                 name another one or take the annotation away"
            );
            (BTreeSet::new(), Some(problem))
        }
    }
}

fn certificates_for(
    hosts: &BTreeSet<String>,
    certificates: &CertificateIndex<'_>,
    now: Timestamp,
) -> (BTreeSet<Arn>, Option<String>) {
    let mut found = BTreeSet::new();
    let mut without = Vec::new();
    for host in hosts {
        match certificates.best(host, now) {
            Some(certificate) => {
                found.insert(certificate.arn.clone());
            }
            None => without.push(host.as_str()),
        }
    }
    let problem = (!without.is_empty()).then(|| {
        format!(
            "no certificate in ACM or IAM names {}; request or import one for it or for its wildcard",
            without.join(", ")
        )
    });
    (found, problem)
}

pub(super) fn too_many_certificates(candidate: &Candidate, max: usize) -> Rejection {
    let message = format!(
        "its hosts need {} certificates and --max-certs-alb allows {max} on a load balancer; \
         split it, or use certificates with more names",
        candidate.certificates.len()
    );
    rejection(&candidate.object, TOO_MANY_CERTIFICATES, message)
}
