//! What a request's path asks for.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::role::is_role_byte;

/// The meaning of a path. Everything but a role's name is matched byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathClass<'a> {
    /// `/<version>/api/token`
    Token,
    /// `/<version>/meta-data/iam/security-credentials`, with or without a closing slash.
    RoleList,
    /// `/<version>/meta-data/iam/security-credentials/<role>`, the role decoded once.
    Credentials(Cow<'a, str>),
    /// `/<version>/meta-data/iam/info`
    InstanceInfo,
    /// `/v1/credentials`, the container endpoint.
    Container,
    /// A path below a version that is on the list of those that may be asked of the real IMDS.
    Upstream(&'a str),
    /// `/healthz`
    Health,
    /// Nothing that is served.
    Unknown,
    /// Nothing that a client of this service has a reason to send: a dot segment,
    /// an empty segment, an escape, a control character. Such a path is made to
    /// mean different things to different readers.
    Malformed,
}

/// The paths that pods may ask of the real IMDS, without the version: `meta-data/placement/region`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamPaths(BTreeSet<String>);

/// A text that is not such a path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path:?} is not a path that may be allowed: {reason}")]
pub struct UpstreamPathError {
    path: String,
    reason: &'static str,
}

/// What SDKs and common agents read of the node and that says nothing which the
/// node's neighbours should not know. The identity document is not on it.
const DEFAULT: [&str; 9] = [
    "meta-data/hostname",
    "meta-data/instance-id",
    "meta-data/instance-type",
    "meta-data/local-hostname",
    "meta-data/local-ipv4",
    "meta-data/placement/availability-zone",
    "meta-data/placement/availability-zone-id",
    "meta-data/placement/region",
    "meta-data/services/partition",
];

/// Prefixes that no flag opens: the node's own credentials, and what is answered here.
const NEVER: [&str; 3] = ["api/", "meta-data/iam/", "meta-data/identity-credentials/"];

impl UpstreamPaths {
    /// The small default list and `more`, each with or without `/latest/` in front.
    ///
    /// # Errors
    ///
    /// [`UpstreamPathError`] for a path that no flag opens or that no request can have.
    pub fn new<'a>(more: impl IntoIterator<Item = &'a str>) -> Result<Self, UpstreamPathError> {
        let mut paths: BTreeSet<String> = DEFAULT.iter().map(|&path| path.to_owned()).collect();
        for path in more {
            paths.insert(allowable(path)?.to_owned());
        }
        Ok(Self(paths))
    }

    fn contains(&self, path: &str) -> bool {
        self.0.contains(path)
    }
}

fn allowable(path: &str) -> Result<&str, UpstreamPathError> {
    let below = path.strip_prefix('/').unwrap_or(path);
    let below = below.strip_prefix("latest/").unwrap_or(below);
    let refuse = |reason| UpstreamPathError {
        path: path.to_owned(),
        reason,
    };
    if !is_plain(&format!("/{below}")) || below.is_empty() || below.ends_with('/') {
        return Err(refuse(
            "allowed: a path without its version, such as meta-data/mac, of plain characters",
        ));
    }
    let closed = format!("{below}/");
    if NEVER.iter().any(|prefix| closed.starts_with(prefix)) {
        return Err(refuse(
            "it holds the node's own credentials, or is answered by the proxy itself",
        ));
    }
    Ok(below)
}

/// Printable ASCII without escapes, backslashes or parameters, and no segment empty, `.` or `..`.
/// One closing slash is fine.
fn is_plain(path: &str) -> bool {
    let Some(below) = path.strip_prefix('/') else {
        return false;
    };
    let below = below.strip_suffix('/').unwrap_or(below);
    path.bytes()
        .all(|b| b.is_ascii_graphic() && !b"%\\;".contains(&b))
        && (below.is_empty()
            || below
                .split('/')
                .all(|segment| !matches!(segment, "" | "." | "..")))
        && path != "//"
}

/// `latest` or a date: `2021-07-15`.
fn is_version(segment: &str) -> bool {
    let shape = segment.bytes().enumerate().all(|(i, b)| match i {
        4 | 7 => b == b'-',
        _ => b.is_ascii_digit(),
    });
    segment == "latest" || (segment.len() == 10 && shape)
}

const CREDENTIALS: &str = "meta-data/iam/security-credentials/";

/// Says what `path`, a request target without its query, asks for. Total over all texts.
#[must_use]
pub fn classify_path<'a>(path: &'a str, upstream: &UpstreamPaths) -> PathClass<'a> {
    if path == "/healthz" {
        return PathClass::Health;
    }
    if path == "/v1/credentials" {
        return PathClass::Container;
    }
    let versioned = path.strip_prefix('/').and_then(|path| path.split_once('/'));
    let below = versioned
        .filter(|(version, _)| is_version(version))
        .map(|(_, below)| below);
    if let Some(role) = below.and_then(|below| below.strip_prefix(CREDENTIALS)) {
        return classify_role(role);
    }
    if !is_plain(path) {
        return PathClass::Malformed;
    }
    match below {
        Some("api/token") => PathClass::Token,
        Some("meta-data/iam/security-credentials") => PathClass::RoleList,
        Some("meta-data/iam/info") => PathClass::InstanceInfo,
        Some(below) if upstream.contains(below) => PathClass::Upstream(path),
        _ => PathClass::Unknown,
    }
}

/// The rest of the path behind `security-credentials/`.
fn classify_role(text: &str) -> PathClass<'_> {
    if text.is_empty() {
        return PathClass::RoleList;
    }
    let Some(role) = decode_role(text) else {
        return PathClass::Malformed;
    };
    let legal = role
        .bytes()
        .all(|b| is_role_byte(b) || b == b'/' || b == b':');
    if legal && is_plain(&format!("/{role}")) {
        PathClass::Credentials(role)
    } else {
        PathClass::Malformed
    }
}

/// Undoes the escapes that careful clients put in the place of `+ = , @ :`, once.
/// Any other escape has no reason to be here.
fn decode_role(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut parts = text.split('%');
    let mut role = parts.next()?.to_owned();
    for part in parts {
        let code = part.get(..2)?;
        role.push(match code.to_ascii_uppercase().as_str() {
            "2B" => '+',
            "2C" => ',',
            "3A" => ':',
            "3D" => '=',
            "40" => '@',
            _ => return None,
        });
        role.push_str(&part[2..]);
    }
    Some(Cow::Owned(role))
}

#[cfg(test)]
mod tests;
