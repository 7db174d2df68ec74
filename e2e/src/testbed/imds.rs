//! A small EC2 instance metadata service: what one instance of the world would
//! answer, v1 and v2, with a record of what was asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};

use super::serve::{Body, serve};
use crate::{ACCOUNT, CLUSTER_ID, REGION};

const TTL: &str = "x-aws-ec2-metadata-token-ttl-seconds";
const TOKEN: &str = "x-aws-ec2-metadata-token";
const MAC: &str = "02:00:00:00:00:01";

/// One request as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImdsRequest {
    /// `GET`, `PUT` and so on.
    pub method: String,
    /// The path, with the query if there is one.
    pub path: String,
    /// Header names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The status that was answered.
    pub status: u16,
}

#[derive(Debug, Default)]
struct State {
    documents: BTreeMap<String, String>,
    tokens: BTreeSet<String>,
    token_required: bool,
    requests: Vec<ImdsRequest>,
}

/// The handle of a testbed's metadata service.
#[derive(Clone, Debug)]
pub struct Imds {
    url: String,
    state: Arc<Mutex<State>>,
}

impl Imds {
    /// Starts it on the current runtime.
    pub(crate) async fn start() -> Result<Self> {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let url = serve(move |request| {
            let state = Arc::clone(&shared);
            async move { Ok(answer(&state, &request)) }
        })
        .await?;
        let imds = Self { url, state };
        imds.reset();
        Ok(imds)
    }

    /// For `AWS_EC2_METADATA_SERVICE_ENDPOINT`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Everything asked since the testbed was acquired.
    #[must_use]
    pub fn requests(&self) -> Vec<ImdsRequest> {
        self.lock().requests.clone()
    }

    /// Makes `/latest/<path>` answer `body`.
    pub fn set(&self, path: &str, body: &str) {
        self.lock()
            .documents
            .insert(path.to_owned(), body.to_owned());
    }

    /// Makes `/latest/<path>` answer 404.
    pub fn remove(&self, path: &str) {
        self.lock().documents.remove(path);
    }

    /// Whether requests without a token are refused with 401, as with
    /// `HttpTokens=required`.
    pub fn require_token(&self, required: bool) {
        self.lock().token_required = required;
    }

    pub(crate) fn reset(&self) {
        *self.lock() = State {
            documents: documents(),
            ..State::default()
        };
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the instance says of itself. The vpc id is set by the world fixture.
fn documents() -> BTreeMap<String, String> {
    let az = format!("{REGION}a");
    let instance = "i-0123456789abcdef0";
    let credentials = serde_json::json!({
        "Code": "Success", "Type": "AWS-HMAC", "LastUpdated": "2026-01-01T00:00:00Z",
        "AccessKeyId": "ASIATESTBEDNODE00000", "SecretAccessKey": "testbed-node-secret",
        "Token": "testbed-node-token", "Expiration": "2099-01-01T00:00:00Z",
    });
    let identity = serde_json::json!({
        "accountId": ACCOUNT, "region": REGION, "availabilityZone": az,
        "instanceId": instance, "instanceType": "m7g.large", "version": "2017-09-30",
        "privateIp": "10.20.16.10", "architecture": "arm64", "imageId": "ami-0123456789abcdef0",
        "pendingTime": "2026-01-01T00:00:00Z",
    });
    let profile = serde_json::json!({
        "Code": "Success", "LastUpdated": "2026-01-01T00:00:00Z",
        "InstanceProfileArn": format!("arn:aws:iam::{ACCOUNT}:instance-profile/node"),
        "InstanceProfileId": "AIPATESTBED",
    });
    let role = "meta-data/iam/security-credentials/";
    let mac = format!("meta-data/network/interfaces/macs/{MAC}/");
    [
        ("meta-data/instance-id".into(), instance.into()),
        ("meta-data/instance-type".into(), "m7g.large".into()),
        ("meta-data/local-ipv4".into(), "10.20.16.10".into()),
        (
            "meta-data/local-hostname".into(),
            format!("ip-10-20-16-10.{REGION}.compute.internal"),
        ),
        ("meta-data/mac".into(), MAC.into()),
        (
            "meta-data/network/interfaces/macs/".into(),
            format!("{MAC}/"),
        ),
        (format!("{mac}vpc-id"), "vpc-0123456789abcdef0".into()),
        (format!("{mac}owner-id"), ACCOUNT.into()),
        ("meta-data/placement/availability-zone".into(), az),
        ("meta-data/placement/region".into(), REGION.into()),
        ("meta-data/iam/info".into(), profile.to_string()),
        (role.into(), "node-role".into()),
        (format!("{role}node-role"), credentials.to_string()),
        (
            "meta-data/tags/instance/".into(),
            format!("Name\nkubernetes.io/cluster/{CLUSTER_ID}"),
        ),
        ("meta-data/tags/instance/Name".into(), "node-1".into()),
        (
            format!("meta-data/tags/instance/kubernetes.io/cluster/{CLUSTER_ID}"),
            "owned".into(),
        ),
        (
            "dynamic/instance-identity/document".into(),
            identity.to_string(),
        ),
    ]
    .into()
}

fn answer(state: &Mutex<State>, request: &Request<Incoming>) -> Response<Body> {
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    let header = |name: &str| {
        let value = request.headers().get(name)?;
        value.to_str().ok().map(String::from)
    };
    let response = if request.uri().path() == "/latest/api/token" {
        issue_token(&mut state, request.method(), header(TTL))
    } else if request.method() != Method::GET {
        plain(StatusCode::METHOD_NOT_ALLOWED, "")
    } else {
        match header(TOKEN) {
            Some(token) if !state.tokens.contains(&token) => plain(StatusCode::UNAUTHORIZED, ""),
            None if state.token_required => plain(StatusCode::UNAUTHORIZED, ""),
            _ => document(&state.documents, request.uri().path()),
        }
    };
    state.requests.push(ImdsRequest {
        method: request.method().to_string(),
        path: request
            .uri()
            .path_and_query()
            .map_or_else(String::new, ToString::to_string),
        headers: request
            .headers()
            .iter()
            .map(|(name, value)| {
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                (name.to_string(), value)
            })
            .collect(),
        status: response.status().as_u16(),
    });
    response
}

/// `PUT /latest/api/token`; the answer carries the TTL, which the SDK for Rust insists on.
fn issue_token(state: &mut State, method: &Method, ttl: Option<String>) -> Response<Body> {
    let ttl: Option<u32> = ttl.and_then(|ttl| ttl.parse().ok());
    let ttl = match (method, ttl) {
        (&Method::PUT, Some(ttl @ 1..=21_600)) => ttl,
        (&Method::PUT, _) => return plain(StatusCode::BAD_REQUEST, ""),
        _ => return plain(StatusCode::METHOD_NOT_ALLOWED, ""),
    };
    let token = format!("testbed-token-{}==", state.tokens.len() + 1);
    let mut response = plain(StatusCode::OK, &token);
    response.headers_mut().insert(TTL, ttl.into());
    state.tokens.insert(token);
    response
}

/// A document, or the listing of a folder, as the service answers with and
/// without a trailing slash.
fn document(documents: &BTreeMap<String, String>, path: &str) -> Response<Body> {
    let Some(path) = path.strip_prefix("/latest/") else {
        return plain(StatusCode::NOT_FOUND, "");
    };
    let file = path.trim_end_matches('/');
    let folder = format!("{file}/");
    if let Some(body) = documents.get(file).or_else(|| documents.get(&folder)) {
        return plain(StatusCode::OK, body);
    }
    let entries: BTreeSet<String> = documents
        .keys()
        .filter_map(|key| key.strip_prefix(&folder))
        .map(|rest| match rest.split_once('/') {
            Some((folder, _)) => format!("{folder}/"),
            None => rest.to_owned(),
        })
        .collect();
    if entries.is_empty() {
        return plain(StatusCode::NOT_FOUND, "");
    }
    let listing: Vec<String> = entries.into_iter().collect();
    plain(StatusCode::OK, &listing.join("\n"))
}

fn plain(status: StatusCode, body: &str) -> Response<Body> {
    let mut response = Response::new(Body::whole(body.to_owned()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        hyper::header::CONTENT_TYPE,
        hyper::header::HeaderValue::from_static("text/plain"),
    );
    response
}
