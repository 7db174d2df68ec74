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
        return Err(refuse("allowed: a path without its version, such as meta-data/mac, of plain characters"));
    }
    let closed = format!("{below}/");
    if NEVER.iter().any(|prefix| closed.starts_with(prefix)) {
        return Err(refuse("it holds the node's own credentials, or is answered by the proxy itself"));
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
    path.bytes().all(|b| b.is_ascii_graphic() && !b"%\\;".contains(&b))
        && (below.is_empty() || below.split('/').all(|segment| !matches!(segment, "" | "." | "..")))
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
    let versioned = path.strip_prefix('/').and_then(|path| path.split_once('/'));
    let below = versioned.filter(|(version, _)| is_version(version)).map(|(_, below)| below);
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
    let legal = role.bytes().all(|b| is_role_byte(b) || b == b'/' || b == b':');
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
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn classify(path: &str) -> PathClass<'_> {
        classify_path(path, &UpstreamPaths::new([]).unwrap())
    }

    #[test]
    fn what_is_served() {
        let role = |name: &'static str| PathClass::Credentials(Cow::Borrowed(name));
        for (path, class) in [
            ("/healthz", PathClass::Health),
            ("/latest/api/token", PathClass::Token),
            ("/2021-07-15/api/token", PathClass::Token),
            ("/latest/meta-data/iam/security-credentials", PathClass::RoleList),
            ("/latest/meta-data/iam/security-credentials/", PathClass::RoleList),
            ("/2016-09-02/meta-data/iam/security-credentials/", PathClass::RoleList),
            ("/latest/meta-data/iam/security-credentials/role-a", role("role-a")),
            ("/latest/meta-data/iam/security-credentials/p/role-a", role("p/role-a")),
            (
                "/latest/meta-data/iam/security-credentials/arn:aws:iam::1:role/p/a",
                role("arn:aws:iam::1:role/p/a"),
            ),
            ("/latest/meta-data/iam/security-credentials/a%40b%2cc", role("a@b,c")),
            ("/latest/meta-data/iam/security-credentials/arn%3Aaws", role("arn:aws")),
            ("/latest/meta-data/iam/security-credentials/a..b", role("a..b")),
            ("/latest/meta-data/iam/info", PathClass::InstanceInfo),
            (
                "/latest/meta-data/placement/region",
                PathClass::Upstream("/latest/meta-data/placement/region"),
            ),
        ] {
            assert_eq!(classify(path), class, "{path}");
        }
    }

    #[test]
    fn what_is_not() {
        for path in [
            "", "/", "*", "/latest", "/latest/", "/metrics", "/debug/store", "/v1/credentials", "/healthz/", "/Healthz",
            "/latest/user-data", "/latest/dynamic/instance-identity/document", "/latest/meta-data/", "/latest/meta-data",
            "/latest/meta-data/identity-credentials/ec2/security-credentials/ec2-instance",
            "/latest/Meta-Data/iam/security-credentials/", "/LATEST/meta-data/iam/security-credentials/",
            "/meta-data/iam/security-credentials/role-a", "/1.0/meta-data/iam/info", "/2021-7-15/api/token",
            "/20210-07-1/api/token", "/latest/api/token/", "/latest/meta-data/iam/info/", "/latest/meta-data/iam/",
            "/latest/meta-data/iam/security-credentialsx", "/latest/meta-data/placement/region/",
        ] {
            let class = classify(path);
            let refused = matches!(class, PathClass::Unknown) || !path.starts_with('/') && class == PathClass::Malformed;
            assert!(refused, "{path}: {class:?}");
        }
    }

    #[test]
    fn what_means_different_things_to_different_readers() {
        const CREDS: &str = "/latest/meta-data/iam/security-credentials";
        for path in [
            "//latest/meta-data/iam/security-credentials/", "/latest//meta-data/placement/region",
            "/latest/./meta-data/placement/region", "/latest/meta-data/../user-data", "/latest/meta-data/placement/region/..",
            "/latest/%2e%2e/user-data", "/latest/meta-data/placement%2fregion", "/latest/meta%2Ddata/placement/region",
            "/latest/meta-data/placement/region;x", "/latest\\meta-data", "/latest/meta-data/placement/regi\u{f6}n",
            "/latest/meta-data/placement/region\r\n", "/latest/meta-data/placement/region\u{7f}", "/latest/meta-data/ x",
            &format!("{CREDS}//"), &format!("{CREDS}//role-a"), &format!("{CREDS}/./role-a"), &format!("{CREDS}/../info"),
            &format!("{CREDS}/.."), &format!("{CREDS}/%2e%2e/info"), &format!("{CREDS}/p%2Frole-a"), &format!("{CREDS}/a%25"),
            &format!("{CREDS}/a%5cb"), &format!("{CREDS}/a%2"), &format!("{CREDS}/a%"), &format!("{CREDS}/a%4\u{e9}"),
            &format!("{CREDS}/a;b"), &format!("{CREDS}/a b"), &format!("{CREDS}/r\u{f4}le"), &format!("{CREDS}/a%0a"),
            &format!("{CREDS}/a%2540"), &format!("{CREDS}/%61"),
        ] {
            assert_eq!(classify(path), PathClass::Malformed, "{path}");
        }
    }

    #[test]
    fn an_operator_may_allow_more_but_not_everything() {
        let paths = UpstreamPaths::new(["/latest/dynamic/instance-identity/document", "meta-data/mac"]).unwrap();
        for path in ["/latest/dynamic/instance-identity/document", "/2021-07-15/meta-data/mac"] {
            assert_eq!(classify_path(path, &paths), PathClass::Upstream(path));
        }
        for path in [
            "", "/", "latest/", "meta-data/", "meta-data/../user-data", "meta-data//mac", "meta-data/iam",
            "meta-data/iam/info", "meta-data/iam/security-credentials/node", "meta-data/identity-credentials/ec2/info",
            "api/token", "meta data", "a%2fb",
        ] {
            assert!(UpstreamPaths::new([path]).is_err(), "{path}");
        }
    }

    proptest! {
        /// Whatever is asked of the real IMDS is a path from the list below a version, byte for byte.
        #[test]
        fn only_listed_paths_go_upstream(path in "\\PC{0,80}|/(latest|2021-07-15)/(meta-data|[.]{1,2}|%2e)/(placement/region|.{0,20})") {
            if let PathClass::Upstream(upstream) = classify(&path) {
                prop_assert_eq!(upstream, path.as_str());
                let (version, below) = path[1..].split_once('/').unwrap();
                prop_assert!(is_version(version) && DEFAULT.contains(&below));
            }
        }

        #[test]
        fn roles_are_of_legal_characters(segment in "[a-b/.%245EeFfCc:;@\\\\ ]{0,20}|\\PC{0,20}") {
            let path = format!("/latest/meta-data/iam/security-credentials/{segment}");
            if let PathClass::Credentials(role) = classify(&path) {
                prop_assert!(role.bytes().all(|b| is_role_byte(b) || b == b'/' || b == b':'));
                let closed = ["/", &role, "/"].concat();
                prop_assert!(!closed.contains("/../") && !role.contains("//"));
            }
        }
    }
}
