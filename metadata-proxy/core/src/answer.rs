//! Answers, byte for byte.

use isthmus_core::short_hash;
use jiff::Timestamp;
use serde::Serialize;

use crate::credentials::{Prepared, whole_seconds};
use crate::grant::Grant;
use crate::refusal::Refusal;
use crate::role::BaseArn;
use crate::secret::SecretBytes;
use crate::token::TokenTtl;

/// An answer, ready for the socket. The shell adds `Server`, `Date` and the length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The media type.
    pub content_type: &'static str,
    /// One more header.
    pub header: Option<(&'static str, String)>,
    /// The body.
    pub body: SecretBytes,
    /// Whether the connection ends with it.
    pub close: bool,
}

const TEXT: &str = "text/plain";
const JSON: &str = "application/json";

/// The `Server` header of the real service.
pub const SERVER: &str = "EC2ws";

/// Seconds after which a client should come again.
const RETRY_AFTER: &str = "1";

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Info {
    code: &'static str,
    last_updated: String,
    instance_profile_arn: String,
    instance_profile_id: String,
}

#[derive(Serialize)]
struct ContainerError {
    code: &'static str,
    message: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Health<'a> {
    #[serde(rename = "hostIP")]
    host_ip: &'a str,
    instance_id: &'a str,
}

impl Answer {
    fn ok(content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status: 200,
            content_type,
            header: None,
            body: SecretBytes::new(body.into()),
            close: false,
        }
    }

    /// The fixed status and text of a refusal.
    #[must_use]
    pub fn refusal(refusal: Refusal) -> Self {
        let retry = (refusal.status() == 503).then(|| ("retry-after", RETRY_AFTER.to_owned()));
        let allow = refusal.allow().map(|methods| ("allow", methods.to_owned()));
        Self {
            status: refusal.status(),
            header: allow.or(retry),
            close: refusal.closes(),
            ..Self::ok(TEXT, format!("{refusal}\n"))
        }
    }

    /// The token, and the header without which SDKs do not take it.
    #[must_use]
    pub fn token(token: &str, ttl: TokenTtl) -> Self {
        Self {
            header: Some((
                "x-aws-ec2-metadata-token-ttl-seconds",
                ttl.seconds().to_string(),
            )),
            ..Self::ok(TEXT, token)
        }
    }

    /// The name of the role and nothing else: botocore puts the body into the next path as it is.
    #[must_use]
    pub fn role_list(grant: &Grant, base: Option<&BaseArn>) -> Self {
        Self::ok(TEXT, grant.role.listed(base))
    }

    /// Credentials. The media type is that of the real service and of kube2iam.
    #[must_use]
    pub fn credentials(prepared: &Prepared) -> Self {
        Self {
            status: 200,
            content_type: TEXT,
            header: None,
            body: prepared.body.clone(),
            close: false,
        }
    }

    /// Credentials, as the container endpoint gives them.
    #[must_use]
    pub fn container_credentials(prepared: &Prepared) -> Self {
        Self {
            status: 200,
            content_type: JSON,
            header: None,
            body: prepared.container.clone(),
            close: false,
        }
    }

    /// A refusal as SDKs read it from the container endpoint: `{"code", "message"}`.
    #[must_use]
    pub fn container_refusal(refusal: Refusal) -> Self {
        let error = ContainerError {
            code: refusal.as_str(),
            message: refusal.text(),
        };
        Self {
            content_type: JSON,
            body: SecretBytes::new(serde_json::to_vec(&error).unwrap_or_default()),
            ..Self::refusal(refusal)
        }
    }

    /// `iam/info` as it would be if the role were the node's.
    #[must_use]
    pub fn instance_info(grant: &Grant, now: Timestamp) -> Self {
        let profile = grant.role.as_instance_profile();
        let id = short_hash(&[&profile], 17).to_ascii_uppercase();
        let info = Info {
            code: "Success",
            last_updated: whole_seconds(now),
            instance_profile_arn: profile,
            instance_profile_id: format!("AIPA{id}"),
        };
        // A struct of texts always becomes JSON.
        Self::ok(TEXT, serde_json::to_vec_pretty(&info).unwrap_or_default())
    }

    /// What the real IMDS said about an allowed path.
    #[must_use]
    pub fn upstream(body: &[u8]) -> Self {
        Self::ok(TEXT, body)
    }

    /// kube2iam's `/healthz`.
    #[must_use]
    pub fn health(host_ip: &str, instance_id: &str) -> Self {
        let health = Health {
            host_ip,
            instance_id,
        };
        Self::ok(JSON, serde_json::to_vec(&health).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{at, pod};
    use crate::grant::{Namespaces, RoleRules, RoleState};
    use crate::pod::Pod;
    use crate::service_account::ServiceAccounts;

    fn text(answer: &Answer) -> &str {
        std::str::from_utf8(answer.body.expose()).unwrap()
    }

    fn grant(role: &str) -> std::sync::Arc<Grant> {
        let rules = RoleRules {
            base: Some(BaseArn::parse("arn:aws:iam::1:role").unwrap()),
            ..RoleRules::default()
        };
        let pod = Pod {
            role: Some(role.into()),
            ..pod("a")
        };
        match rules.role_of(&pod, &Namespaces::default(), &ServiceAccounts::default()) {
            RoleState::Granted(grant) => grant,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn refusals_have_fixed_texts_and_headers() {
        for refusal in Refusal::ALL {
            let answer = Answer::refusal(refusal);
            assert_eq!(answer.status, refusal.status());
            assert_eq!(text(&answer), format!("{}\n", refusal.text()));
            assert_eq!(answer.close, refusal == Refusal::Malformed);
            let header = answer.header.map(|(name, _)| name);
            let expected = match refusal.status() {
                405 => Some("allow"),
                503 => Some("retry-after"),
                _ => None,
            };
            assert_eq!(header, expected, "{refusal:?}");
            let json = Answer::container_refusal(refusal);
            assert_eq!(json.status, refusal.status());
            let read: serde_json::Value = serde_json::from_str(text(&json)).unwrap();
            assert_eq!(read["code"], refusal.as_str());
            assert_eq!(read["message"], refusal.text());
        }
    }

    #[test]
    fn a_token_says_how_long_it_lives() {
        let answer = Answer::token("abc", TokenTtl::parse(b"60").unwrap());
        assert_eq!(text(&answer), "abc");
        assert_eq!(
            answer.header,
            Some(("x-aws-ec2-metadata-token-ttl-seconds", "60".to_owned()))
        );
    }

    #[test]
    fn the_role_list_is_the_name_alone() {
        let base = BaseArn::parse("arn:aws:iam::1:role").unwrap();
        assert_eq!(
            text(&Answer::role_list(&grant("role-a"), Some(&base))),
            "role-a"
        );
        let foreign = grant("arn:aws:iam::2:role/p/x");
        assert_eq!(
            text(&Answer::role_list(&foreign, Some(&base))),
            "arn:aws:iam::2:role/p/x"
        );
    }

    #[test]
    fn info_is_of_the_pods_role() {
        let info: serde_json::Value =
            serde_json::from_str(text(&Answer::instance_info(&grant("p/x"), at(0)))).unwrap();
        assert_eq!(info["Code"], "Success");
        assert_eq!(info["LastUpdated"], "2026-11-21T12:00:00Z");
        assert_eq!(
            info["InstanceProfileArn"],
            "arn:aws:iam::1:instance-profile/p/x"
        );
        assert_eq!(info["InstanceProfileId"].as_str().unwrap().len(), 21);
    }

    #[test]
    fn health_is_kube2iams() {
        let answer = Answer::health("10.0.0.1", "i-1");
        assert_eq!(text(&answer), r#"{"hostIP":"10.0.0.1","instanceId":"i-1"}"#);
        assert_eq!(answer.content_type, "application/json");
    }
}
