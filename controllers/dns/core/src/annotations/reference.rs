//! The annotations and what they mean, for the reference.

use isthmus_core::{AnnotationReference, AnnotationRow, Values};

use super::{PREFIXES, read};

const WRONG: Values = Values::Wrong("?");
const EMPTY: Values = Values::Wrong(" ");
const ALL: &str = "all";
const NOT_CRD: &str = "all but DNSEndpoints";

const NAMES: [(&str, AnnotationRow); 8] = [
    (
        NOT_CRD,
        (
            "hostname",
            Values::Any("host names, with commas between"),
            "none",
            "Names for the object, besides those in its spec.",
        ),
    ),
    (
        "Services",
        (
            "internal-hostname",
            Values::Any("host names, with commas between"),
            "none",
            "Names for the cluster IP.",
        ),
    ),
    (
        "all but DNSEndpoints; Pods of headless Services",
        (
            "target",
            WRONG,
            "the status, or what the kind of Service says",
            "What the names point to.",
        ),
    ),
    (
        NOT_CRD,
        (
            "ttl",
            WRONG,
            "`--min-ttl`, else 300 s",
            "The TTL of records; aliases have none.",
        ),
    ),
    (
        ALL,
        (
            "controller",
            Values::Any("`dns-controller`; anything else hides the object"),
            "not hidden",
            "Gives the object to another controller.",
        ),
    ),
    (
        "Ingresses",
        (
            "ingress-hostname-source",
            WRONG,
            "both",
            "Whether names come from the spec or from `hostname`.",
        ),
    ),
    (
        "NodePort Services",
        (
            "access",
            WRONG,
            "external addresses, else internal ones",
            "Which addresses of the nodes are published.",
        ),
    ),
    (
        "headless Services",
        (
            "endpoints-type",
            WRONG,
            "the pod's address",
            "What stands for a pod.",
        ),
    ),
];

const ANSWERS: [AnnotationRow; 17] = [
    (
        "alias",
        WRONG,
        "an alias for load balancers of AWS",
        "Whether a host target becomes an alias.",
    ),
    (
        "set-identifier",
        EMPTY,
        "none",
        "Tells the records of one name apart; together with exactly one routing policy.",
    ),
    ("aws-weight", WRONG, "", "Routing by weight."),
    ("aws-region", WRONG, "", "Routing by latency."),
    ("aws-failover", WRONG, "", "Routing by failover."),
    (
        "aws-geolocation-continent-code",
        WRONG,
        "",
        "Routing by place; a continent wins over a country.",
    ),
    (
        "aws-geolocation-country-code",
        WRONG,
        "",
        "Routing by place.",
    ),
    (
        "aws-geolocation-subdivision-code",
        WRONG,
        "",
        "Routing by place, within a country.",
    ),
    (
        "aws-geoproximity-region",
        WRONG,
        "",
        "Routing by distance: where the target is.",
    ),
    (
        "aws-geoproximity-coordinates",
        WRONG,
        "",
        "Routing by distance: where the target is.",
    ),
    (
        "aws-geoproximity-local-zone-group",
        WRONG,
        "",
        "Routing by distance: where the target is.",
    ),
    (
        "aws-geoproximity-bias",
        WRONG,
        "0",
        "Routing by distance: draws more or less traffic.",
    ),
    (
        "aws-multi-value-answer",
        Values::Any("anything"),
        "",
        "Several healthy addresses in one answer.",
    ),
    (
        "aws-health-check-id",
        EMPTY,
        "none",
        "The health check of the record.",
    ),
    (
        "aws-evaluate-target-health",
        WRONG,
        "`--aws-evaluate-target-health`",
        "Whether an alias is answered by its target's health.",
    ),
    (
        "aws-target-hosted-zone",
        EMPTY,
        "known for load balancers of AWS",
        "The hosted zone of an alias's target.",
    ),
    (
        "aws-hosted-zone-id",
        EMPTY,
        "all that match",
        "The one zone that the records are for.",
    ),
];

/// The annotations of all sources under the newer prefix, with the values that the parser takes. The last
/// seventeen are properties of DNSEndpoints too.
#[must_use]
pub fn annotation_reference() -> Vec<AnnotationReference> {
    let row = |(on, (short, values, default, meaning)): (&'static str, AnnotationRow)| {
        let key = format!("{}{short}", PREFIXES[0]);
        AnnotationReference {
            on,
            allowed: values.allowed(&key, |map| read(map).1.errors),
            key,
            default,
            meaning,
        }
    };
    let answers = ANSWERS.map(|row| (ALL, row));
    NAMES.into_iter().chain(answers).map(row).collect()
}
