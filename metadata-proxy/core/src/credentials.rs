//! Credentials, and the bytes in which they are handed out.

use jiff::Timestamp;
use serde::Serialize;

use crate::role::RoleArn;
use crate::secret::{Secret, SecretBytes};

/// What STS gave for a grant. `Debug` shows when it expires and no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The access key id: no secret by itself, but nobody's business in a log.
    pub access_key_id: Secret,
    /// The secret access key.
    pub secret_access_key: Secret,
    /// The session token.
    pub session_token: Secret,
    /// When AWS stops to accept them.
    pub expires: Timestamp,
}

/// Credentials with the answers ready to be sent, made once a refresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// The body of the answer of the instance metadata.
    pub body: SecretBytes,
    /// The body of the answer of the container endpoint.
    pub container: SecretBytes,
    /// When AWS stops to accept them.
    pub expires: Timestamp,
}

/// The keys in the order in which kube2iam has them.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Body<'a> {
    access_key_id: &'a str,
    code: &'a str,
    expiration: String,
    last_updated: String,
    secret_access_key: &'a str,
    token: &'a str,
    r#type: &'a str,
}

/// The keys of the [container credential provider](https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html),
/// as the agent of EKS Pod Identity has them.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ContainerBody<'a> {
    access_key_id: &'a str,
    secret_access_key: &'a str,
    token: &'a str,
    account_id: &'a str,
    expiration: String,
}

impl Prepared {
    /// The bodies that SDKs read: for the instance metadata with kube2iam's keys
    /// in its order and its closing line feed.
    #[must_use]
    pub fn new(credentials: &Credentials, role: &RoleArn, now: Timestamp) -> Self {
        let body = Body {
            access_key_id: credentials.access_key_id.expose(),
            code: "Success",
            expiration: whole_seconds(credentials.expires),
            last_updated: whole_seconds(now),
            secret_access_key: credentials.secret_access_key.expose(),
            token: credentials.session_token.expose(),
            r#type: "AWS-HMAC",
        };
        // A struct of texts always becomes JSON.
        let mut bytes = serde_json::to_vec(&body).unwrap_or_default();
        bytes.push(b'\n');
        let container = ContainerBody {
            access_key_id: credentials.access_key_id.expose(),
            secret_access_key: credentials.secret_access_key.expose(),
            token: credentials.session_token.expose(),
            account_id: role.account(),
            expiration: whole_seconds(credentials.expires),
        };
        Self {
            body: SecretBytes::new(bytes),
            container: SecretBytes::new(serde_json::to_vec(&container).unwrap_or_default()),
            expires: credentials.expires,
        }
    }
}

/// `2006-01-02T15:04:05Z`: a fraction would break botocore's parser.
#[must_use]
pub fn whole_seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::at;

    #[test]
    fn byte_for_byte() {
        let expires = at(3600) + jiff::SignedDuration::from_millis(750);
        let credentials = Credentials {
            access_key_id: Secret::new("ASIA1"),
            secret_access_key: Secret::new("s/+\"x"),
            session_token: Secret::new("t=="),
            expires,
        };
        let role = RoleArn::parse("arn:aws:iam::123456789012:role/x").unwrap();
        let prepared = Prepared::new(&credentials, &role, at(0));
        assert_eq!(
            std::str::from_utf8(prepared.body.expose()).unwrap(),
            concat!(
                r#"{"AccessKeyId":"ASIA1","Code":"Success","Expiration":"2026-11-21T13:00:00Z","#,
                r#""LastUpdated":"2026-11-21T12:00:00Z","SecretAccessKey":"s/+\"x","Token":"t==","Type":"AWS-HMAC"}"#,
                "\n"
            )
        );
        assert_eq!(
            std::str::from_utf8(prepared.container.expose()).unwrap(),
            concat!(
                r#"{"AccessKeyId":"ASIA1","SecretAccessKey":"s/+\"x","Token":"t==","#,
                r#""AccountId":"123456789012","Expiration":"2026-11-21T13:00:00Z"}"#
            )
        );
        let said = format!("{credentials:?} {prepared:?}");
        assert!(!said.contains("ASIA1") && !said.contains("t=="), "{said}");
    }
}
