use std::collections::BTreeMap;

use aws_sdk_elasticloadbalancingv2::types as elb;
use ingress_core::{Arn, FixedResponse, Rule, RuleSpec};

use super::{Elb, gone_is_done, required, to_tags};
use crate::aws::{Result, Rules};
use crate::error::AwsError;

const LIST: &str = "DescribeRules";
const HOST: &str = "host-header";

impl Rules for Elb {
    async fn rules(&self, listener: &Arn) -> Result<BTreeMap<u32, Rule>> {
        let mut found = BTreeMap::new();
        let mut marker = None;
        loop {
            self.limits.describe.turn().await;
            let page = self
                .client
                .describe_rules()
                .listener_arn(listener.as_str())
                .set_marker(marker)
                .send()
                .await
                .map_err(AwsError::of(LIST))?;
            for rule in page.rules().iter().filter(|r| r.is_default() != Some(true)) {
                let priority = rule.priority().and_then(|p| p.parse().ok());
                found.insert(required(priority, LIST, "priority")?, from(rule)?);
            }
            marker = page.next_marker.filter(|marker| !marker.is_empty());
            if marker.is_none() {
                return Ok(found);
            }
        }
    }

    async fn create_rule(&self, listener: &Arn, spec: &RuleSpec) -> Result<Arn> {
        const CREATE: &str = "CreateRule";
        self.limits.change.turn().await;
        let answer = self
            .client
            .create_rule()
            .listener_arn(listener.as_str())
            .set_priority(i32::try_from(spec.priority).ok())
            .conditions(condition(spec))
            .actions(action(&spec.response))
            .set_tags(Some(to_tags(&spec.tags)))
            .send()
            .await
            .map_err(AwsError::of(CREATE))?;
        let made = answer.rules().first().and_then(|rule| rule.rule_arn());
        required(made, CREATE, "rule").map(Arn::new)
    }

    async fn set_rule(&self, rule: &Arn, spec: &RuleSpec) -> Result<()> {
        self.limits.change.turn().await;
        self.client
            .modify_rule()
            .rule_arn(rule.as_str())
            .conditions(condition(spec))
            .actions(action(&spec.response))
            .send()
            .await
            .map_err(AwsError::of("ModifyRule"))?;
        Ok(())
    }

    async fn delete_rule(&self, rule: &Arn) -> Result<()> {
        self.limits.change.turn().await;
        let deleted = self
            .client
            .delete_rule()
            .rule_arn(rule.as_str())
            .send()
            .await
            .map_err(AwsError::of("DeleteRule"));
        gone_is_done(deleted.map(drop))
    }
}

fn condition(spec: &RuleSpec) -> elb::RuleCondition {
    let hosts = elb::HostHeaderConditionConfig::builder()
        .set_values(Some(spec.hosts.iter().cloned().collect()))
        .build();
    elb::RuleCondition::builder()
        .field(HOST)
        .host_header_config(hosts)
        .build()
}

fn action(response: &FixedResponse) -> elb::Action {
    let config = elb::FixedResponseActionConfig::builder()
        .status_code(response.status.to_string())
        .content_type(&response.content_type)
        .message_body(&response.body)
        .build();
    elb::Action::builder()
        .r#type(elb::ActionTypeEnum::FixedResponse)
        .fixed_response_config(config)
        .build()
}

fn from(rule: &elb::Rule) -> Result<Rule> {
    Ok(Rule {
        arn: Arn::new(required(rule.rule_arn(), LIST, "ARN")?),
        hosts: match rule.conditions() {
            [only] if only.field() == Some(HOST) => {
                let hosts = only
                    .host_header_config()
                    .map(elb::HostHeaderConditionConfig::values);
                let hosts = hosts.filter(|hosts| !hosts.is_empty());
                Some(hosts.unwrap_or(only.values()).iter().cloned().collect())
            }
            _ => None,
        },
        response: match rule.actions() {
            [only] if only.r#type() == Some(&elb::ActionTypeEnum::FixedResponse) => {
                only.fixed_response_config().and_then(response)
            }
            _ => None,
        },
        tags: BTreeMap::new(),
    })
}

fn response(config: &elb::FixedResponseActionConfig) -> Option<FixedResponse> {
    Some(FixedResponse {
        status: config.status_code()?.parse().ok()?,
        content_type: config.content_type().unwrap_or("text/plain").to_owned(),
        body: config.message_body().unwrap_or_default().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_rule_that_was_made_here_is_known_again() {
        let spec = RuleSpec {
            load_balancer: "a".into(),
            port: 80,
            priority: 1,
            hosts: BTreeSet::from(["*.cluster.local".to_owned()]),
            response: FixedResponse {
                status: 401,
                content_type: "text/plain".into(),
                body: "Unauthorized".into(),
            },
            tags: BTreeMap::new(),
        };
        let rule = elb::Rule::builder()
            .rule_arn("arn")
            .conditions(condition(&spec))
            .actions(action(&spec.response));
        let known = from(&rule.clone().build()).unwrap();
        assert_eq!(known.hosts, Some(spec.hosts.clone()));
        assert_eq!(known.response, Some(spec.response.clone()));
        let more = rule.conditions(condition(&spec)).build();
        assert_eq!(from(&more).unwrap().hosts, None);
    }
}
