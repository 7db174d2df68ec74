//! What a request is, before anyone asks who sent it.

use std::borrow::Cow;
use std::net::IpAddr;

use crate::host::AllowedHosts;
use crate::path::{PathClass, UpstreamPaths, classify_path};
use crate::refusal::Refusal;
use crate::token::TokenTtl;

/// The headers of a request, by lower-case name and in their order.
pub trait Headers {
    /// Every value of `name`.
    fn values(&self, name: &str) -> impl Iterator<Item = &[u8]>;

    /// Whether there is at least one.
    fn has(&self, name: &str) -> bool {
        self.values(name).next().is_some()
    }
}

impl Headers for [(&str, &[u8])] {
    fn values(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let same = move |(n, _): &&(&str, &[u8])| n.eq_ignore_ascii_case(name);
        self.iter().filter(same).map(|(_, value)| *value)
    }
}

/// The forms of a [request target](https://www.rfc-editor.org/rfc/rfc9112#section-3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// `/path?query`
    Origin {
        /// Up to the question mark.
        path: &'a str,
        /// Whether there is a question mark.
        query: bool,
    },
    /// `http://…`, `host:port`: what is said to a forward proxy, which this is not.
    Proxy,
}

/// The head of a request as it came in.
#[derive(Debug)]
pub struct Request<'a, H: ?Sized> {
    /// As written.
    pub method: &'a str,
    /// The request target.
    pub target: Target<'a>,
    /// The headers.
    pub headers: &'a H,
    /// The address at which the connection came in.
    pub local: IpAddr,
}

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Class<'a> {
    /// Nothing that anybody could be given.
    Refused(Refusal),
    /// How the proxy is: anybody may ask.
    Health,
    /// A session token of IMDSv2.
    Token(TokenTtl),
    /// Credentials from the container endpoint.
    Container {
        /// The `Authorization` that came with it: the pod's own token.
        bearer: Option<&'a [u8]>,
    },
    /// Something that depends on who asks.
    Metadata {
        /// What.
        question: Question<'a>,
        /// The `X-aws-ec2-metadata-token` that came with it.
        token: Option<&'a [u8]>,
    },
}

/// What a pod can ask about itself or its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question<'a> {
    /// The name of its role.
    RoleList,
    /// The credentials of the role of this name.
    Credentials(Cow<'a, str>),
    /// `iam/info`.
    InstanceInfo,
    /// An allowed path of the real IMDS.
    Upstream(&'a str),
}

const TOKEN: &str = "x-aws-ec2-metadata-token";
const TTL: &str = "x-aws-ec2-metadata-token-ttl-seconds";
const FORWARDED: [&str; 3] = ["x-forwarded-for", "forwarded", "x-real-ip"];

/// Says what a request asks for. Total: what is not understood is refused.
#[must_use]
pub fn classify<'a, H: Headers + ?Sized>(
    request: &Request<'a, H>,
    hosts: &AllowedHosts,
    upstream: &UpstreamPaths,
) -> Class<'a> {
    match read(request, hosts, upstream) {
        Ok(class) => class,
        Err(refusal) => Class::Refused(refusal),
    }
}

fn read<'a, H: Headers + ?Sized>(
    request: &Request<'a, H>,
    hosts: &AllowedHosts,
    upstream: &UpstreamPaths,
) -> Result<Class<'a>, Refusal> {
    let Target::Origin { path, query } = request.target else {
        return Err(Refusal::Malformed);
    };
    framing(request)?;
    let host = only(request.headers, "host")?.ok_or(Refusal::Malformed)?;
    if !hosts.allows(host, request.local) {
        return Err(Refusal::HostNotAllowed);
    }
    let class = classify_path(path, upstream);
    if class == PathClass::Malformed {
        return Err(Refusal::Malformed);
    }
    method(request.method, &class)?;
    if query {
        return Err(Refusal::NotFound);
    }
    let question = match class {
        PathClass::Malformed => return Err(Refusal::Malformed),
        PathClass::Unknown => return Err(Refusal::NotFound),
        PathClass::Health => return Ok(Class::Health),
        PathClass::Token => return token_request(request.headers),
        PathClass::Container => {
            let bearer = only(request.headers, "authorization")?;
            return Ok(Class::Container { bearer });
        }
        PathClass::RoleList => Question::RoleList,
        PathClass::Credentials(role) => Question::Credentials(role),
        PathClass::InstanceInfo => Question::InstanceInfo,
        PathClass::Upstream(path) => Question::Upstream(path),
    };
    let token = only(request.headers, TOKEN)?;
    Ok(Class::Metadata { question, token })
}

/// No client of this service sends a body or changes the protocol. Who does so
/// may be trying to make two readers of one connection disagree.
fn framing<H: Headers + ?Sized>(request: &Request<'_, H>) -> Result<(), Refusal> {
    let headers = request.headers;
    let body = headers
        .values("content-length")
        .any(|length| length.is_empty() || length.iter().any(|digit| *digit != b'0'));
    let wrong = request.method == "CONNECT"
        || body
        || headers.has("transfer-encoding")
        || headers.has("upgrade");
    if wrong {
        Err(Refusal::Malformed)
    } else {
        Ok(())
    }
}

fn method(method: &str, class: &PathClass<'_>) -> Result<(), Refusal> {
    match (class, method) {
        (PathClass::Token, "PUT") => Ok(()),
        (PathClass::Token, _) => Err(Refusal::OnlyPut),
        (_, "GET" | "HEAD") => Ok(()),
        _ => Err(Refusal::OnlyGet),
    }
}

/// `PUT …/api/token`. A request that went through a proxy is refused: it may be
/// one that an open proxy in the pod was talked into.
fn token_request<'a, H: Headers + ?Sized>(headers: &'a H) -> Result<Class<'a>, Refusal> {
    if FORWARDED.iter().any(|name| headers.has(name)) {
        return Err(Refusal::ForwardedTokenRequest);
    }
    let ttl = only(headers, TTL).ok().flatten().and_then(TokenTtl::parse);
    ttl.map(Class::Token).ok_or(Refusal::TokenTtl)
}

/// The value of a header that may be there at most once.
fn only<'a, H: Headers + ?Sized>(headers: &'a H, name: &str) -> Result<Option<&'a [u8]>, Refusal> {
    let mut values = headers.values(name);
    match (values.next(), values.next()) {
        (_, Some(_)) => Err(Refusal::Malformed),
        (value, None) => Ok(value),
    }
}

#[cfg(test)]
mod tests;
