use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_elasticloadbalancingv2::types as elb;
use ingress_core::{Arn, DefaultAction, Listener, ListenerAction};

use super::{Elb, gone_is_done, protocol, required, to_tags};
use crate::aws::{Listeners, Result, Wiring};
use crate::error::AwsError;

const LIST: &str = "DescribeListeners";

impl Listeners for Elb {
    async fn listeners(&self, balancer: &Arn) -> Result<BTreeMap<u16, Listener>> {
        let mut found = BTreeMap::new();
        let mut marker = None;
        loop {
            self.limits.describe.turn().await;
            let page = self
                .client
                .describe_listeners()
                .load_balancer_arn(balancer.as_str())
                .set_marker(marker)
                .send()
                .await
                .map_err(AwsError::of(LIST))?;
            for listener in page.listeners() {
                let port = required(listener.port(), LIST, "port")?;
                let port =
                    u16::try_from(port).map_err(|_| AwsError::incomplete(LIST, "valid port"))?;
                found.insert(port, from(listener)?);
            }
            marker = page.next_marker.filter(|marker| !marker.is_empty());
            if marker.is_none() {
                return Ok(found);
            }
        }
    }

    async fn certificates(&self, listener: &Arn) -> Result<BTreeSet<Arn>> {
        let mut found = BTreeSet::new();
        let mut marker = None;
        loop {
            self.limits.describe.turn().await;
            let page = self
                .client
                .describe_listener_certificates()
                .listener_arn(listener.as_str())
                .set_marker(marker)
                .send()
                .await
                .map_err(AwsError::of("DescribeListenerCertificates"))?;
            let others = page
                .certificates()
                .iter()
                .filter(|c| c.is_default() != Some(true));
            found.extend(others.filter_map(|c| c.certificate_arn().map(Arn::new)));
            marker = page.next_marker.filter(|marker| !marker.is_empty());
            if marker.is_none() {
                return Ok(found);
            }
        }
    }

    async fn create_listener(&self, balancer: &Arn, wiring: Wiring<'_>) -> Result<Arn> {
        const CREATE: &str = "CreateListener";
        let spec = wiring.spec;
        self.limits.change.turn().await;
        let answer = self
            .client
            .create_listener()
            .load_balancer_arn(balancer.as_str())
            .port(i32::from(spec.port))
            .set_protocol(spec.protocol.map(protocol))
            .set_ssl_policy(spec.ssl_policy.map(|policy| policy.to_string()))
            .set_certificates(spec.default_certificate.as_ref().map(certificates))
            .set_default_actions(actions(&wiring))
            .set_tags(Some(to_tags(&spec.tags)))
            .send()
            .await
            .map_err(AwsError::of(CREATE))?;
        let made = answer
            .listeners()
            .first()
            .and_then(|made| made.listener_arn());
        required(made, CREATE, "listener").map(Arn::new)
    }

    async fn set_listener(&self, listener: &Arn, wiring: Wiring<'_>) -> Result<()> {
        let spec = wiring.spec;
        self.limits.change.turn().await;
        self.client
            .modify_listener()
            .listener_arn(listener.as_str())
            .set_protocol(spec.protocol.map(protocol))
            .set_ssl_policy(spec.ssl_policy.map(|policy| policy.to_string()))
            .set_certificates(spec.default_certificate.as_ref().map(certificates))
            .set_default_actions(actions(&wiring))
            .send()
            .await
            .map_err(AwsError::of("ModifyListener"))?;
        Ok(())
    }

    async fn delete_listener(&self, listener: &Arn) -> Result<()> {
        self.limits.change.turn().await;
        let deleted = self
            .client
            .delete_listener()
            .listener_arn(listener.as_str())
            .send()
            .await
            .map_err(AwsError::of("DeleteListener"));
        gone_is_done(deleted.map(drop))
    }

    async fn attach(&self, listener: &Arn, certificate: &Arn) -> Result<()> {
        self.limits.change.turn().await;
        self.client
            .add_listener_certificates()
            .listener_arn(listener.as_str())
            .set_certificates(Some(certificates(certificate)))
            .send()
            .await
            .map_err(AwsError::of("AddListenerCertificates"))?;
        Ok(())
    }

    async fn detach(&self, listener: &Arn, certificate: &Arn) -> Result<()> {
        self.limits.change.turn().await;
        let detached = self
            .client
            .remove_listener_certificates()
            .listener_arn(listener.as_str())
            .set_certificates(Some(certificates(certificate)))
            .send()
            .await
            .map_err(AwsError::of("RemoveListenerCertificates"));
        gone_is_done(detached.map(drop))
    }
}

/// AWS takes one certificate a call, by its ARN alone.
fn certificates(certificate: &Arn) -> Vec<elb::Certificate> {
    vec![
        elb::Certificate::builder()
            .certificate_arn(certificate.as_str())
            .build(),
    ]
}

fn actions(wiring: &Wiring<'_>) -> Option<Vec<elb::Action>> {
    let action = match wiring.spec.action.as_ref()? {
        DefaultAction::Forward(_) => elb::Action::builder()
            .r#type(elb::ActionTypeEnum::Forward)
            .set_target_group_arn(wiring.target_groups.first().map(ToString::to_string)),
        DefaultAction::Shift { .. } => elb::Action::builder()
            .r#type(elb::ActionTypeEnum::Forward)
            .forward_config(weights(&wiring.target_groups)),
        DefaultAction::RedirectToHttps => elb::Action::builder()
            .r#type(elb::ActionTypeEnum::Redirect)
            .redirect_config(redirect()),
    };
    Some(vec![action.build()])
}

/// All requests to the first; the others are checked and get none.
fn weights(groups: &[&Arn]) -> elb::ForwardActionConfig {
    let tuple = |(index, arn): (usize, &&Arn)| {
        elb::TargetGroupTuple::builder()
            .target_group_arn(arn.as_str())
            .weight(i32::from(index == 0))
            .build()
    };
    let groups = groups.iter().enumerate().map(tuple).collect();
    elb::ForwardActionConfig::builder()
        .set_target_groups(Some(groups))
        .build()
}

fn redirect() -> elb::RedirectActionConfig {
    let config = elb::RedirectActionConfig::builder()
        .protocol("HTTPS")
        .port("443")
        .host("#{host}")
        .path("/#{path}")
        .query("#{query}")
        .status_code(elb::RedirectActionStatusCodeEnum::Http301);
    config.build()
}

fn from(listener: &elb::Listener) -> Result<Listener> {
    let default = listener
        .certificates()
        .first()
        .and_then(|c| c.certificate_arn());
    Ok(Listener {
        arn: Arn::new(required(listener.listener_arn(), LIST, "ARN")?),
        protocol: listener.protocol().map_or("", |p| p.as_str()).to_owned(),
        ssl_policy: listener.ssl_policy().map(str::to_owned),
        action: action(listener.default_actions()),
        default_certificate: default.map(Arn::new),
        certificates: BTreeSet::new(),
        rules: BTreeMap::new(),
        tags: BTreeMap::new(),
    })
}

/// One plain action of those that are made here, or [`ListenerAction::Other`].
fn action(actions: &[elb::Action]) -> ListenerAction {
    let [action] = actions else {
        return ListenerAction::Other;
    };
    match action.r#type() {
        Some(elb::ActionTypeEnum::Forward) => {
            let groups = action
                .forward_config()
                .map(elb::ForwardActionConfig::target_groups);
            match (action.target_group_arn(), groups.unwrap_or_default()) {
                (Some(arn), [] | [_]) => ListenerAction::Forward(Arn::new(arn)),
                (None, [one]) => one.target_group_arn().map_or(ListenerAction::Other, |arn| {
                    ListenerAction::Forward(Arn::new(arn))
                }),
                (None, [one, other]) => shift(one, other).unwrap_or(ListenerAction::Other),
                _ => ListenerAction::Other,
            }
        }
        Some(elb::ActionTypeEnum::Redirect) if action.redirect_config().is_some_and(to_https) => {
            ListenerAction::RedirectToHttps
        }
        _ => ListenerAction::Other,
    }
}

/// Two target groups of which one gets everything.
fn shift(one: &elb::TargetGroupTuple, other: &elb::TargetGroupTuple) -> Option<ListenerAction> {
    let (from, to) = match (one.weight()?, other.weight()?) {
        (1.., 0) => (one, other),
        (0, 1..) => (other, one),
        _ => return None,
    };
    Some(ListenerAction::Shift {
        from: Arn::new(from.target_group_arn()?),
        to: Arn::new(to.target_group_arn()?),
    })
}

/// Whether a redirect keeps everything but the protocol and the port. What AWS
/// leaves out of an answer has its default, which keeps it too.
fn to_https(config: &elb::RedirectActionConfig) -> bool {
    let is = |field: Option<&str>, value: &str| field.is_none_or(|field| field == value);
    config.protocol() == Some("HTTPS")
        && config.port() == Some("443")
        && is(config.host(), "#{host}")
        && is(config.path(), "/#{path}")
        && is(config.query(), "#{query}")
        && config.status_code() == Some(&elb::RedirectActionStatusCodeEnum::Http301)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forward(groups: &[&str]) -> elb::Action {
        let tuples = groups.iter().map(|arn| {
            elb::TargetGroupTuple::builder()
                .target_group_arn(*arn)
                .build()
        });
        let config = elb::ForwardActionConfig::builder().set_target_groups(Some(tuples.collect()));
        elb::Action::builder()
            .r#type(elb::ActionTypeEnum::Forward)
            .forward_config(config.build())
            .build()
    }

    #[test]
    fn an_action_is_known_or_other() {
        let to = |arn: &str| ListenerAction::Forward(Arn::new(arn));
        assert_eq!(action(&[forward(&["a"])]), to("a"));
        assert_eq!(action(&[forward(&["a", "b"])]), ListenerAction::Other);
        assert_eq!(action(&[]), ListenerAction::Other);
        let (from, to_be) = (Arn::new("old"), Arn::new("new"));
        let both = elb::Action::builder()
            .r#type(elb::ActionTypeEnum::Forward)
            .forward_config(weights(&[&from, &to_be]));
        let shift = ListenerAction::Shift { from, to: to_be };
        assert_eq!(action(&[both.build()]), shift);
        let redirect = |config| {
            elb::Action::builder()
                .r#type(elb::ActionTypeEnum::Redirect)
                .redirect_config(config)
                .build()
        };
        assert_eq!(
            action(&[redirect(super::redirect())]),
            ListenerAction::RedirectToHttps
        );
        let elsewhere = elb::RedirectActionConfig::builder()
            .protocol("HTTPS")
            .port("443")
            .host("elsewhere.example")
            .status_code(elb::RedirectActionStatusCodeEnum::Http301);
        assert_eq!(
            action(&[redirect(elsewhere.build())]),
            ListenerAction::Other
        );
    }
}
