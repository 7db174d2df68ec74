use super::*;
use crate::fixture::ip;
use proptest::prelude::*;

type Pairs = [(&'static str, &'static [u8])];

const HOST: (&str, &[u8]) = ("host", b"169.254.169.254");
const LIST: &str = "/latest/meta-data/iam/security-credentials/";
const TOKEN_PATH: &str = "/latest/api/token";

fn ask<'a>(method: &'a str, path: &'a str, headers: &'a Pairs) -> Class<'a> {
    let request = Request {
        method,
        target: Target::Origin { path, query: false },
        headers,
        local: ip("10.0.0.1"),
    };
    classify(
        &request,
        &AllowedHosts::new([]),
        &UpstreamPaths::new([]).unwrap(),
    )
}

fn refusal(class: &Class<'_>) -> Option<Refusal> {
    match class {
        Class::Refused(refusal) => Some(*refusal),
        _ => None,
    }
}

fn is_list(class: &Class<'_>) -> bool {
    matches!(
        class,
        Class::Metadata {
            question: Question::RoleList,
            ..
        }
    )
}

#[test]
fn the_plain_questions() {
    for method in ["GET", "HEAD"] {
        assert!(is_list(&ask(method, LIST, &[HOST])));
        assert_eq!(ask(method, "/healthz", &[HOST]), Class::Health);
    }
    let with_token = [HOST, ("x-aws-ec2-metadata-token", b"abc".as_slice())];
    let Class::Metadata { token, .. } = ask("GET", LIST, &with_token) else {
        panic!("no question");
    };
    assert_eq!(token, Some(b"abc".as_slice()));
}

#[test]
fn the_container_endpoint_takes_the_token_as_it_is() {
    let path = "/v1/credentials";
    assert_eq!(ask("GET", path, &[HOST]), Class::Container { bearer: None });
    let eks = ("host", b"169.254.170.23".as_slice());
    let token = ("authorization", b"a.b.c".as_slice());
    let bearer = Some(b"a.b.c".as_slice());
    assert_eq!(ask("GET", path, &[eks, token]), Class::Container { bearer });
    let twice = [HOST, token, token];
    assert_eq!(refusal(&ask("GET", path, &twice)), Some(Refusal::Malformed));
    assert_eq!(refusal(&ask("POST", path, &[HOST])), Some(Refusal::OnlyGet));
    for other in [
        "/v1/credentials/",
        "/V1/credentials",
        "/v2/credentials",
        "/v1",
    ] {
        assert_eq!(
            refusal(&ask("GET", other, &[HOST])),
            Some(Refusal::NotFound),
            "{other}"
        );
    }
}

#[test]
fn methods() {
    for method in [
        "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "get", "X",
    ] {
        for path in [
            LIST,
            "/healthz",
            "/nothing",
            "/latest/meta-data/placement/region",
        ] {
            assert_eq!(
                refusal(&ask(method, path, &[HOST])),
                Some(Refusal::OnlyGet),
                "{method} {path}"
            );
        }
    }
    for method in ["GET", "HEAD", "POST", "put"] {
        assert_eq!(
            refusal(&ask(method, TOKEN_PATH, &[HOST])),
            Some(Refusal::OnlyPut),
            "{method}"
        );
    }
    assert_eq!(
        refusal(&ask("GET", "/nothing", &[HOST])),
        Some(Refusal::NotFound)
    );
}

#[test]
fn tokens_want_a_ttl_once_and_no_proxy() {
    const TTL: &str = "x-aws-ec2-metadata-token-ttl-seconds";
    let put = |ttl: &'static [u8]| ask("PUT", TOKEN_PATH, Box::leak(Box::new([HOST, (TTL, ttl)])));
    assert_eq!(
        put(b"21600"),
        Class::Token(TokenTtl::parse(b"21600").unwrap())
    );
    assert_eq!(put(b"1"), Class::Token(TokenTtl::parse(b"1").unwrap()));
    for wrong in [b"0".as_slice(), b"21601", b"abc", b"", b"60, 60"] {
        assert_eq!(refusal(&put(wrong)), Some(Refusal::TokenTtl));
    }
    assert_eq!(
        refusal(&ask("PUT", TOKEN_PATH, &[HOST])),
        Some(Refusal::TokenTtl)
    );
    let twice: &Pairs = &[HOST, (TTL, b"60"), (TTL, b"60")];
    assert_eq!(
        refusal(&ask("PUT", TOKEN_PATH, twice)),
        Some(Refusal::TokenTtl)
    );
    for name in [
        "x-forwarded-for",
        "forwarded",
        "x-real-ip",
        "X-Forwarded-For",
    ] {
        let headers: &Pairs = Box::leak(Box::new([
            HOST,
            (TTL, b"60".as_slice()),
            (name, b"10.0.0.1".as_slice()),
        ]));
        assert_eq!(
            refusal(&ask("PUT", TOKEN_PATH, headers)),
            Some(Refusal::ForwardedTokenRequest)
        );
        assert!(
            is_list(&ask("GET", LIST, headers)),
            "it has no say in a GET"
        );
    }
}

#[test]
fn what_no_client_sends() {
    for (name, value) in [
        ("transfer-encoding", b"chunked".as_slice()),
        ("transfer-encoding", b"identity"),
        ("upgrade", b"h2c"),
        ("content-length", b"1"),
        ("content-length", b"x"),
        ("content-length", b""),
        ("host", b"169.254.169.254"),
        ("x-aws-ec2-metadata-token", b"b"),
    ] {
        let token = ("x-aws-ec2-metadata-token", b"a".as_slice());
        let headers: &Pairs = Box::leak(Box::new([HOST, token, (name, value)]));
        assert_eq!(
            refusal(&ask("GET", LIST, headers)),
            Some(Refusal::Malformed),
            "{name}"
        );
    }
    assert!(is_list(&ask(
        "GET",
        LIST,
        &[HOST, ("content-length", b"0")]
    )));
    assert_eq!(
        refusal(&ask("CONNECT", LIST, &[HOST])),
        Some(Refusal::Malformed)
    );
    assert_eq!(refusal(&ask("GET", LIST, &[])), Some(Refusal::Malformed));
    assert_eq!(
        refusal(&ask("GET", "/latest/../x", &[HOST])),
        Some(Refusal::Malformed)
    );
    assert_eq!(
        refusal(&ask("GET", LIST, &[("host", b"evil.example")])),
        Some(Refusal::HostNotAllowed)
    );
}

#[test]
fn targets() {
    let class = |target| {
        let headers: &Pairs = &[HOST];
        let request = Request {
            method: "GET",
            target,
            headers,
            local: ip("10.0.0.1"),
        };
        refusal(&classify(
            &request,
            &AllowedHosts::new([]),
            &UpstreamPaths::new([]).unwrap(),
        ))
    };
    assert_eq!(class(Target::Proxy), Some(Refusal::Malformed));
    assert_eq!(
        class(Target::Origin {
            path: LIST,
            query: true
        }),
        Some(Refusal::NotFound)
    );
    assert_eq!(
        class(Target::Origin {
            path: "*",
            query: false
        }),
        Some(Refusal::Malformed)
    );
}

proptest! {
    #[test]
    fn total(
        method in "GET|PUT|HEAD|\\PC{0,8}",
        path in "(/latest/(api/token|meta-data/iam/(info|security-credentials/)?))?\\PC{0,30}",
        query in any::<bool>(),
        names in prop::collection::vec((0_usize..6, prop::collection::vec(any::<u8>(), 0..20)), 0..5),
    ) {
        const NAMES: [&str; 6] = [
            "host", "content-length", "upgrade", "x-aws-ec2-metadata-token",
            "x-aws-ec2-metadata-token-ttl-seconds", "x-forwarded-for",
        ];
        let mut headers: Vec<(&str, &[u8])> = vec![HOST];
        headers.extend(names.iter().map(|(name, value)| (NAMES[*name], value.as_slice())));
        let target = Target::Origin { path: &path, query };
        let request = Request { method: &method, target, headers: headers.as_slice(), local: ip("10.0.0.1") };
        let class = classify(&request, &AllowedHosts::new([]), &UpstreamPaths::new([]).unwrap());
        if !matches!(class, Class::Refused(_)) {
            prop_assert!(matches!(method.as_str(), "GET" | "HEAD" | "PUT"));
            prop_assert!(path.is_ascii() && !query && !path.contains(".."));
            prop_assert_eq!(names.iter().filter(|(name, _)| matches!(name, 0 | 2)).count(), 0);
        }
    }
}
