//! Web ACLs through the SDK of WAF v2.

use std::collections::BTreeSet;

use aws_sdk_wafv2::Client;
use aws_sdk_wafv2::types::ResourceType;
use ingress_core::{Arn, WebAcl};
use isthmus_runtime::Aws;

use super::limits::WafLimits;
use super::{Firewall, Result};
use crate::error::AwsError;

/// The client and its rates.
pub(crate) struct Waf {
    client: Client,
    limits: WafLimits,
}

impl Waf {
    pub(crate) fn new(aws: &Aws) -> Self {
        let config = aws_sdk_wafv2::config::Builder::from(&aws.sdk)
            .interceptor(aws.interceptor())
            .build();
        Self {
            client: Client::from_conf(config),
            limits: WafLimits::new(),
        }
    }
}

impl Firewall for Waf {
    async fn guarded_by(&self, acl: &WebAcl) -> Result<BTreeSet<Arn>> {
        self.limits.read.turn().await;
        let answer = self
            .client
            .list_resources_for_web_acl()
            .web_acl_arn(acl.as_str())
            .resource_type(ResourceType::ApplicationLoadBalancer)
            .send()
            .await
            .map_err(AwsError::of("ListResourcesForWebACL"));
        match answer {
            Ok(answer) => Ok(answer.resource_arns().iter().map(Arn::new).collect()),
            // A web ACL that has gone guards nothing.
            Err(error) if is_gone(&error) => Ok(BTreeSet::new()),
            Err(error) => Err(error),
        }
    }

    async fn associate(&self, balancer: &Arn, acl: &WebAcl) -> Result<()> {
        self.limits.change.turn().await;
        self.client
            .associate_web_acl()
            .web_acl_arn(acl.as_str())
            .resource_arn(balancer.as_str())
            .send()
            .await
            .map_err(AwsError::of("AssociateWebACL"))?;
        Ok(())
    }

    async fn disassociate(&self, balancer: &Arn) -> Result<()> {
        self.limits.change.turn().await;
        let answer = self
            .client
            .disassociate_web_acl()
            .resource_arn(balancer.as_str())
            .send()
            .await
            .map_err(AwsError::of("DisassociateWebACL"));
        match answer {
            Err(error) if !is_gone(&error) => Err(error),
            _ => Ok(()),
        }
    }
}

fn is_gone(error: &AwsError) -> bool {
    error.code.as_deref() == Some("WAFNonexistentItemException")
}
