//! Annotations with a value that is none of theirs.

use anyhow::Result;
use serde_json::json;

use super::reading::{events, hostnames, load_balancers};
use super::{shop, well, world};

/// Each annotation with a value that is none of its own, and what its Event says.
const WRONG: [(&str, &str, &str); 11] = [
    (
        "zalando.org/aws-load-balancer-scheme",
        "Internal",
        "internal, internet-facing",
    ),
    ("zalando.org/aws-load-balancer-shared", "no", "true, false"),
    ("zalando.org/aws-load-balancer-type", "network", "alb, nlb"),
    ("zalando.org/aws-load-balancer-http2", "off", "true, false"),
    (
        "zalando.org/aws-load-balancer-security-group",
        "default",
        "sg-",
    ),
    (
        "zalando.org/aws-load-balancer-ssl-policy",
        "modern",
        "ELBSecurityPolicy-",
    ),
    (
        "zalando.org/aws-load-balancer-ssl-cert",
        "shop.example.org",
        "the ARN of a certificate",
    ),
    (
        "zalando.org/aws-waf-web-acl-id",
        "11111111-2222-3333-4444-555555555555",
        "WAF v2",
    ),
    ("zalando.org/aws-waf-web-acl-id", "web", "arn:aws:wafv2:"),
    (
        "alb.ingress.kubernetes.io/ip-address-type",
        "foo",
        "ipv4, dualstack",
    ),
    ("zalando.org/aws-load-balancer-schema", "internal", "scheme"),
];

#[tokio::test]
async fn every_wrong_annotation_is_told_and_harms_no_other() -> Result<()> {
    let (testbed, _) = world(&shop()).await?;
    for (n, (key, value, _)) in WRONG.iter().enumerate() {
        let host = format!("wrong-{n}.example.org");
        let object = json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": {"namespace": "default", "name": format!("wrong-{n}"), "annotations": {*key: value}},
            "spec": {"rules": [{"host": host}]},
        });
        testbed.apply_yaml(&object.to_string()).await?;
    }
    well(&testbed, &[]).await?;
    assert_eq!(load_balancers(&testbed).await?.len(), 1);
    assert_eq!(hostnames(&testbed, "shop").await?.len(), 1);
    for (n, (key, value, allowed)) in WRONG.iter().enumerate() {
        let name = format!("wrong-{n}");
        assert!(hostnames(&testbed, &name).await?.is_empty(), "{key}");
        let told = events(&testbed, &name).await?;
        let named = told.iter().any(|(reason, text)| {
            reason == "InvalidAnnotation"
                && [*key, *value, *allowed]
                    .iter()
                    .all(|part| text.contains(part))
        });
        assert!(named, "{key}={value}: {told:?}");
    }
    Ok(())
}
