//! What a request asks for: service, action and parameters, for each of the
//! protocols that AWS speaks.

use std::collections::BTreeMap;

use hyper::header::{AUTHORIZATION, HeaderMap, USER_AGENT};
use hyper::{Method, Uri};

use super::xml;

/// How a service frames its requests and errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// A form with `Action=`; `<ErrorResponse>`.
    Query,
    /// A form with `Action=`; `<Response><Errors>`.
    Ec2,
    /// `X-Amz-Target` and a JSON body.
    Json,
    /// Paths and XML bodies.
    RestXml,
    /// `/service/<name>/operation/<action>` and a CBOR body, whose fields are not read.
    Cbor,
}

impl Protocol {
    fn of(service: &str) -> Self {
        match service {
            "ec2" => Self::Ec2,
            "route53" => Self::RestXml,
            "monitoring" => Self::Cbor,
            "acm" | "wafv2" | "tagging" | "secretsmanager" | "dynamodb" => Self::Json,
            _ => Self::Query,
        }
    }
}

/// What the name of an action begins with that is only asked about: EC2's dry
/// run is an action of its own in the record, and for faults.
pub(super) const REHEARSED: &str = "DryRun";

/// One request to AWS, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) service: String,
    pub(super) action: String,
    pub(super) params: BTreeMap<String, String>,
    pub(super) caller: String,
    pub(super) protocol: Protocol,
}

impl Asked {
    pub(super) fn new(method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        // Only STS's web identity calls come without a signature.
        let service = text(AUTHORIZATION.as_str())
            .and_then(service_of_scope)
            .unwrap_or("sts")
            .to_owned();
        let protocol = Protocol::of(&service);
        let (action, params) = match protocol {
            Protocol::Query | Protocol::Ec2 => form(uri, body),
            Protocol::Json => json(text("x-amz-target").unwrap_or_default(), body),
            Protocol::RestXml => rest(method, uri, body),
            Protocol::Cbor => {
                let action = uri.path().rsplit('/').next().unwrap_or_default();
                (action.to_owned(), BTreeMap::new())
            }
        };
        Self {
            action: match params.get("DryRun").map(String::as_str) {
                Some("true") if protocol == Protocol::Ec2 => format!("{REHEARSED}{action}"),
                _ => action,
            },
            service,
            params,
            caller: caller(text(USER_AGENT.as_str()).unwrap_or_default()),
            protocol,
        }
    }
}

/// `ec2` in `AWS4-HMAC-SHA256 Credential=AKID/20261121/eu-central-1/ec2/aws4_request, …`.
fn service_of_scope(authorization: &str) -> Option<&str> {
    let (_, scope) = authorization.split_once("Credential=")?;
    let scope = scope.split([',', ' ']).next()?;
    scope.rsplit('/').nth(1)
}

/// The SDK's application name (`AWS_SDK_UA_APP_ID`) if there is one, else the
/// first word of the user agent.
fn caller(user_agent: &str) -> String {
    let application = user_agent
        .split_whitespace()
        .find_map(|word| word.strip_prefix("app/"));
    let first = user_agent.split_whitespace().next();
    application.or(first).unwrap_or_default().to_owned()
}

fn form(uri: &Uri, body: &[u8]) -> (String, BTreeMap<String, String>) {
    let query = uri.query().unwrap_or_default().as_bytes();
    let mut params: BTreeMap<String, String> = form_urlencoded::parse(query)
        .chain(form_urlencoded::parse(body))
        .map(|(key, value)| (key.into_owned(), value.into_owned()))
        .collect();
    params.remove("Version");
    (params.remove("Action").unwrap_or_default(), params)
}

fn json(target: &str, body: &[u8]) -> (String, BTreeMap<String, String>) {
    let action = target.rsplit('.').next().unwrap_or_default().to_owned();
    let mut params = BTreeMap::new();
    if let Ok(body) = serde_json::from_slice(body) {
        flatten("", &body, &mut params);
    }
    (action, params)
}

/// `{"A": {"B": ["x"]}}` as `A.B.1=x`.
fn flatten(path: &str, value: &serde_json::Value, params: &mut BTreeMap<String, String>) {
    use serde_json::Value;
    let join = |name: &str| match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    };
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                flatten(&join(name), value, params);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                flatten(&join(&(index + 1).to_string()), value, params);
            }
        }
        Value::String(text) => {
            params.insert(path.to_owned(), text.clone());
        }
        other => {
            params.insert(path.to_owned(), other.to_string());
        }
    }
}

/// Route 53's paths, as in its [API reference].
///
/// [API reference]: https://docs.aws.amazon.com/Route53/latest/APIReference/API_Operations.html
fn rest(method: &Method, uri: &Uri, body: &[u8]) -> (String, BTreeMap<String, String>) {
    let query = uri.query().unwrap_or_default().as_bytes();
    let mut params: BTreeMap<String, String> = form_urlencoded::parse(query)
        .map(|(key, value)| (key.into_owned(), value.into_owned()))
        .collect();
    if let Some(root) = xml::parse(&String::from_utf8_lossy(body)) {
        for child in &root.children {
            xml::flatten("", child, &mut params);
        }
    }
    let path: Vec<&str> = uri
        .path()
        .split('/')
        .filter(|part| !part.is_empty())
        .collect();
    let parts = path.get(1..).unwrap_or_default();
    let action = match (method.as_str(), parts) {
        ("GET", ["hostedzone"]) => "ListHostedZones",
        ("POST", ["hostedzone"]) => "CreateHostedZone",
        ("GET", ["hostedzonesbyname"]) => "ListHostedZonesByName",
        ("GET", ["hostedzonesbyvpc"]) => "ListHostedZonesByVPC",
        ("GET", ["hostedzonecount"]) => "GetHostedZoneCount",
        ("GET", ["hostedzone", _]) => "GetHostedZone",
        ("DELETE", ["hostedzone", _]) => "DeleteHostedZone",
        ("POST", ["hostedzone", _]) => "UpdateHostedZoneComment",
        ("GET", ["hostedzone", _, "rrset"]) => "ListResourceRecordSets",
        ("POST", ["hostedzone", _, "rrset"]) => "ChangeResourceRecordSets",
        ("POST", ["hostedzone", _, "associatevpc"]) => "AssociateVPCWithHostedZone",
        ("POST", ["hostedzone", _, "disassociatevpc"]) => "DisassociateVPCFromHostedZone",
        ("GET", ["hostedzonelimit", _, _]) => "GetHostedZoneLimit",
        ("GET", ["change", _]) => "GetChange",
        ("GET", ["tags", _, _]) => "ListTagsForResource",
        ("POST", ["tags", _, _]) => "ChangeTagsForResource",
        ("POST", ["tags", _]) => "ListTagsForResources",
        ("GET", ["healthcheck"]) => "ListHealthChecks",
        ("POST", ["healthcheck"]) => "CreateHealthCheck",
        ("GET", ["testdnsanswer"]) => "TestDNSAnswer",
        _ => "Unknown",
    };
    if let [_, id, ..] = parts {
        let id = if parts[0] == "tags" {
            parts.get(2).unwrap_or(&"")
        } else {
            id
        };
        params.insert("Id".to_owned(), (*id).to_owned());
    }
    (action.to_owned(), params)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    fn asked(method: &str, uri: &str, service: Option<&str>, target: &str, body: &str) -> Asked {
        let mut headers = HeaderMap::new();
        if let Some(service) = service {
            let scope = format!(
                "AWS4-HMAC-SHA256 Credential=AKID/20261121/eu-central-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
            );
            headers.insert(AUTHORIZATION, HeaderValue::from_str(&scope).unwrap());
        }
        headers.insert(
            USER_AGENT,
            HeaderValue::from_static("aws-sdk-rust/1.7.0 os/linux app/isthmus-dns"),
        );
        if !target.is_empty() {
            headers.insert("x-amz-target", HeaderValue::from_str(target).unwrap());
        }
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        Asked::new(&method, &uri.parse().unwrap(), &headers, body.as_bytes())
    }

    #[test]
    fn the_query_protocols_name_the_action_in_the_form() {
        let asked = asked(
            "POST",
            "/",
            Some("elasticloadbalancing"),
            "",
            "Action=CreateLoadBalancer&Version=2015-12-01&Name=a%20b&Subnets.member.1=s-1",
        );
        assert_eq!(asked.service, "elasticloadbalancing");
        assert_eq!(asked.action, "CreateLoadBalancer");
        assert_eq!(asked.params["Name"], "a b");
        assert_eq!(asked.params["Subnets.member.1"], "s-1");
        assert_eq!(asked.caller, "isthmus-dns");
        assert!(!asked.params.contains_key("Version"));
    }

    #[test]
    fn json_names_it_in_a_header() {
        let asked = asked(
            "POST",
            "/",
            Some("acm"),
            "CertificateManager.ListCertificates",
            r#"{"CertificateStatuses":["ISSUED"],"MaxItems":100}"#,
        );
        assert_eq!(asked.action, "ListCertificates");
        assert_eq!(asked.params["CertificateStatuses.1"], "ISSUED");
        assert_eq!(asked.params["MaxItems"], "100");
    }

    #[test]
    fn route_53_names_it_by_method_and_path() {
        let list = asked(
            "GET",
            "/2013-04-01/hostedzone/Z1/rrset?name=a.&maxitems=2",
            Some("route53"),
            "",
            "",
        );
        assert_eq!(list.action, "ListResourceRecordSets");
        assert_eq!(list.params["Id"], "Z1");
        assert_eq!(list.params["name"], "a.");
        let change = asked(
            "POST",
            "/2013-04-01/hostedzone/Z1/rrset",
            Some("route53"),
            "",
            "<ChangeResourceRecordSetsRequest xmlns=\"x\"><ChangeBatch><Changes>\
             <Change><Action>UPSERT</Action></Change><Change><Action>DELETE</Action></Change>\
             </Changes></ChangeBatch></ChangeResourceRecordSetsRequest>",
        );
        assert_eq!(change.action, "ChangeResourceRecordSets");
        assert_eq!(
            change.params["ChangeBatch.Changes.Change.2.Action"],
            "DELETE"
        );
    }

    #[test]
    fn a_call_without_a_signature_is_a_web_identity_call() {
        let asked = asked("POST", "/", None, "", "Action=AssumeRoleWithWebIdentity");
        assert_eq!(
            (asked.service.as_str(), asked.action.as_str()),
            ("sts", "AssumeRoleWithWebIdentity")
        );
    }
}
