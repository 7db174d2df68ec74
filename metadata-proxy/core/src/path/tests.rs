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
        ("/v1/credentials", PathClass::Container),
        ("/latest/api/token", PathClass::Token),
        ("/2021-07-15/api/token", PathClass::Token),
        (
            "/latest/meta-data/iam/security-credentials",
            PathClass::RoleList,
        ),
        (
            "/latest/meta-data/iam/security-credentials/",
            PathClass::RoleList,
        ),
        (
            "/2016-09-02/meta-data/iam/security-credentials/",
            PathClass::RoleList,
        ),
        (
            "/latest/meta-data/iam/security-credentials/role-a",
            role("role-a"),
        ),
        (
            "/latest/meta-data/iam/security-credentials/p/role-a",
            role("p/role-a"),
        ),
        (
            "/latest/meta-data/iam/security-credentials/arn:aws:iam::1:role/p/a",
            role("arn:aws:iam::1:role/p/a"),
        ),
        (
            "/latest/meta-data/iam/security-credentials/a%40b%2cc",
            role("a@b,c"),
        ),
        (
            "/latest/meta-data/iam/security-credentials/arn%3Aaws",
            role("arn:aws"),
        ),
        (
            "/latest/meta-data/iam/security-credentials/a..b",
            role("a..b"),
        ),
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
        "",
        "/",
        "*",
        "/latest",
        "/latest/",
        "/metrics",
        "/debug/store",
        "/v1/credentials/",
        "/healthz/",
        "/Healthz",
        "/latest/user-data",
        "/latest/dynamic/instance-identity/document",
        "/latest/meta-data/",
        "/latest/meta-data",
        "/latest/meta-data/identity-credentials/ec2/security-credentials/ec2-instance",
        "/latest/Meta-Data/iam/security-credentials/",
        "/LATEST/meta-data/iam/security-credentials/",
        "/meta-data/iam/security-credentials/role-a",
        "/1.0/meta-data/iam/info",
        "/2021-7-15/api/token",
        "/20210-07-1/api/token",
        "/latest/api/token/",
        "/latest/meta-data/iam/info/",
        "/latest/meta-data/iam/",
        "/latest/meta-data/iam/security-credentialsx",
        "/latest/meta-data/placement/region/",
    ] {
        let class = classify(path);
        let refused = matches!(class, PathClass::Unknown)
            || !path.starts_with('/') && class == PathClass::Malformed;
        assert!(refused, "{path}: {class:?}");
    }
}

#[test]
fn what_means_different_things_to_different_readers() {
    const CREDS: &str = "/latest/meta-data/iam/security-credentials";
    for path in [
        "//latest/meta-data/iam/security-credentials/",
        "/latest//meta-data/placement/region",
        "/latest/./meta-data/placement/region",
        "/latest/meta-data/../user-data",
        "/latest/meta-data/placement/region/..",
        "/latest/%2e%2e/user-data",
        "/latest/meta-data/placement%2fregion",
        "/latest/meta%2Ddata/placement/region",
        "/latest/meta-data/placement/region;x",
        "/latest\\meta-data",
        "/latest/meta-data/placement/regi\u{f6}n",
        "/latest/meta-data/placement/region\r\n",
        "/latest/meta-data/placement/region\u{7f}",
        "/latest/meta-data/ x",
        &format!("{CREDS}//"),
        &format!("{CREDS}//role-a"),
        &format!("{CREDS}/./role-a"),
        &format!("{CREDS}/../info"),
        &format!("{CREDS}/.."),
        &format!("{CREDS}/%2e%2e/info"),
        &format!("{CREDS}/p%2Frole-a"),
        &format!("{CREDS}/a%25"),
        &format!("{CREDS}/a%5cb"),
        &format!("{CREDS}/a%2"),
        &format!("{CREDS}/a%"),
        &format!("{CREDS}/a%4\u{e9}"),
        &format!("{CREDS}/a;b"),
        &format!("{CREDS}/a b"),
        &format!("{CREDS}/r\u{f4}le"),
        &format!("{CREDS}/a%0a"),
        &format!("{CREDS}/a%2540"),
        &format!("{CREDS}/%61"),
    ] {
        assert_eq!(classify(path), PathClass::Malformed, "{path}");
    }
}

#[test]
fn an_operator_may_allow_more_but_not_everything() {
    let paths = UpstreamPaths::new([
        "/latest/dynamic/instance-identity/document",
        "meta-data/mac",
    ])
    .unwrap();
    for path in [
        "/latest/dynamic/instance-identity/document",
        "/2021-07-15/meta-data/mac",
    ] {
        assert_eq!(classify_path(path, &paths), PathClass::Upstream(path));
    }
    for path in [
        "",
        "/",
        "latest/",
        "meta-data/",
        "meta-data/../user-data",
        "meta-data//mac",
        "meta-data/iam",
        "meta-data/iam/info",
        "meta-data/iam/security-credentials/node",
        "meta-data/identity-credentials/ec2/info",
        "api/token",
        "meta data",
        "a%2fb",
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
