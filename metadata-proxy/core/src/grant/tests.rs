use super::*;
use crate::fixture::pod;
use crate::source::TokenVolume;
use proptest::prelude::*;

fn rules() -> RoleRules {
    RoleRules {
        base: Some(BaseArn::parse("arn:aws:iam::1:role").unwrap()),
        ..RoleRules::default()
    }
}

fn with_role(role: &str) -> Pod {
    Pod {
        role: Some(role.into()),
        ..pod("a")
    }
}

fn granted(rules: &RoleRules, pod: &Pod) -> Option<String> {
    match rules.role_of(pod, &Namespaces::default(), &ServiceAccounts::default()) {
        RoleState::Granted(grant) => Some(grant.role.to_string()),
        _ => None,
    }
}

fn web_identity() -> RoleRules {
    RoleRules {
        source: SourceMode::WebIdentity,
        ..rules()
    }
}

fn token() -> Option<TokenVolume> {
    TokenVolume::new("aws", "token")
}

#[test]
fn the_pods_own_annotation_comes_before_its_service_accounts() {
    let rules = RoleRules {
        default_role: Some("plain".into()),
        ..rules()
    };
    let mut accounts = ServiceAccounts::watched();
    accounts.apply("shop", "web", Some("of-account"));
    accounts.apply("shop", "none", Some(""));
    accounts.apply("shop", "silent", None);
    let wanted = |account: &str, role: Option<&str>| {
        let pod = Pod {
            service_account: account.into(),
            role: role.map(str::to_owned),
            ..pod("a")
        };
        let role = match rules.role_of(&pod, &Namespaces::default(), &accounts) {
            RoleState::Granted(grant) => grant.role.name().to_owned(),
            other => format!("{other:?}"),
        };
        let origin = match rules.wanted(&pod, &accounts) {
            Wanted::Role(_, origin) | Wanted::Nothing(origin) => origin.as_str(),
            Wanted::Nowhere | Wanted::Unknown => "",
        };
        (role, origin)
    };
    for (account, role, found, origin) in [
        ("web", Some("own"), "own", "pod"),
        ("web", None, "of-account", "service-account"),
        ("web", Some(""), "None", "pod"),
        ("none", None, "None", "service-account"),
        ("none", Some("own"), "own", "pod"),
        ("silent", None, "plain", "default"),
        ("late", None, "ServiceAccountUnknown", ""),
        ("late", Some("own"), "own", "pod"),
    ] {
        assert_eq!(
            wanted(account, role),
            (found.to_owned(), origin),
            "{account} {role:?}"
        );
    }
}

#[test]
fn a_service_accounts_role_has_to_be_allowed_too() {
    let rules = RoleRules {
        restrictions: Some(PatternFormat::Glob),
        ..rules()
    };
    let mut accounts = ServiceAccounts::watched();
    accounts.apply("shop", "default", Some("admin"));
    let mut namespaces = Namespaces::default();
    let list = Some(r#"["role-*"]"#);
    namespaces.apply("shop", list, PatternFormat::Glob).unwrap();
    let state = rules.role_of(&pod("a"), &namespaces, &accounts);
    assert!(matches!(state, RoleState::NotAllowed(role) if role.name() == "admin"));
}

#[test]
fn web_identity_needs_a_token_of_the_pods_own() {
    let state = |pod: &Pod| {
        web_identity().role_of(pod, &Namespaces::default(), &ServiceAccounts::default())
    };
    let without = state(&with_role("x"));
    let RoleState::NoToken(grant) = without else {
        panic!("{without:?}");
    };
    assert_eq!(grant.identity.source(), SourceMode::WebIdentity);
    let pod = Pod {
        token: token(),
        ..with_role("x")
    };
    let RoleState::Granted(grant) = state(&pod) else {
        panic!("it has one");
    };
    let identity = Identity::Pod {
        service_account: "default".into(),
        token: token(),
    };
    assert_eq!(grant.identity, identity);
    let with_id = Pod {
        external_id: Some("id-1".into()),
        ..pod
    };
    let refused = GrantError::ExternalIdOfWebIdentity("id-1".into());
    assert_eq!(state(&with_id), RoleState::Invalid(refused));
    let state = rules().role_of(
        &with_role("x"),
        &Namespaces::default(),
        &ServiceAccounts::default(),
    );
    assert!(matches!(state, RoleState::Granted(grant) if grant.identity == Identity::Node));
}

#[test]
fn session_policies_are_read_or_the_pod_is_refused() {
    for source in [SourceMode::AssumeRole, SourceMode::WebIdentity] {
        let rules = RoleRules { source, ..rules() };
        let state = |policies: &str| {
            let pod = Pod {
                session_policies: Some(policies.into()),
                token: token(),
                ..with_role("x")
            };
            rules.role_of(&pod, &Namespaces::default(), &ServiceAccounts::default())
        };
        let RoleState::Granted(grant) = state("arn:aws:iam::aws:policy/ReadOnlyAccess") else {
            panic!("it is right");
        };
        let arns: Vec<_> = grant.policy_arns.iter().collect();
        assert_eq!(arns, ["arn:aws:iam::aws:policy/ReadOnlyAccess"]);
        assert_eq!(
            state(""),
            RoleState::Invalid(GrantError::SessionPolicies(PolicyArnsError::Empty))
        );
    }
}

#[test]
fn the_default_is_for_pods_without_the_annotation() {
    let rules = RoleRules {
        default_role: Some("plain".into()),
        ..rules()
    };
    assert_eq!(
        granted(&rules, &pod("a")).unwrap(),
        "arn:aws:iam::1:role/plain"
    );
    assert_eq!(
        granted(&rules, &with_role("x")).unwrap(),
        "arn:aws:iam::1:role/x"
    );
    let empty = rules.role_of(
        &with_role(""),
        &Namespaces::default(),
        &ServiceAccounts::default(),
    );
    assert_eq!(empty, RoleState::None);
}

#[test]
fn what_cannot_be_read_is_said() {
    let state = rules().role_of(
        &with_role("a b"),
        &Namespaces::default(),
        &ServiceAccounts::default(),
    );
    assert_eq!(
        state,
        RoleState::Invalid(RoleError::NotARole("a b".into()).into())
    );
    for id in ["", "x", "a b", "a\nb", &"x".repeat(1225)] {
        let pod = Pod {
            external_id: Some(id.into()),
            ..with_role("x")
        };
        let state = rules().role_of(&pod, &Namespaces::default(), &ServiceAccounts::default());
        assert_eq!(state, RoleState::Invalid(GrantError::ExternalId(id.into())));
    }
}

#[test]
fn namespaces_decide_where_they_are_asked() {
    let rules = RoleRules {
        restrictions: Some(PatternFormat::Glob),
        default_role: Some("plain".into()),
        ..rules()
    };
    let mut namespaces = Namespaces::default();
    let state = |namespaces: &Namespaces, role: &str| {
        rules.role_of(&with_role(role), namespaces, &ServiceAccounts::default())
    };
    assert_eq!(state(&namespaces, "role-a"), RoleState::NamespaceUnknown);
    assert!(
        matches!(state(&namespaces, "plain"), RoleState::Granted(_)),
        "the default is for all"
    );
    namespaces
        .apply("shop", Some(r#"["role-*"]"#), PatternFormat::Glob)
        .unwrap();
    assert!(matches!(
        state(&namespaces, "role-a"),
        RoleState::Granted(_)
    ));
    assert!(matches!(
        state(&namespaces, "admin"),
        RoleState::NotAllowed(_)
    ));
    namespaces.apply("shop", None, PatternFormat::Glob).unwrap();
    assert!(
        matches!(state(&namespaces, "role-a"), RoleState::NotAllowed(_)),
        "no list allows nothing"
    );
    namespaces
        .apply("shop", Some("role-*"), PatternFormat::Glob)
        .unwrap_err();
    assert!(
        matches!(state(&namespaces, "role-a"), RoleState::NotAllowed(_)),
        "nor does a wrong one"
    );
    namespaces.delete("shop");
    assert_eq!(state(&namespaces, "role-a"), RoleState::NamespaceUnknown);
}

#[test]
fn sessions_are_of_one_pod() {
    let RoleState::Granted(grant) = rules().role_of(
        &with_role("x"),
        &Namespaces::default(),
        &ServiceAccounts::default(),
    ) else {
        panic!("no role");
    };
    assert_eq!(grant.session_name, "shop.a");
    assert_eq!(grant.session_tags, BTreeMap::new());
    let long = Pod {
        name: "x".repeat(253),
        ..with_role("x")
    };
    assert_eq!(session_name(&long).len(), 64);
    let tagged = RoleRules {
        session_tags: Some("kube-1".into()),
        ..rules()
    };
    let RoleState::Granted(tagged) = tagged.role_of(
        &with_role("x"),
        &Namespaces::default(),
        &ServiceAccounts::default(),
    ) else {
        panic!("no role");
    };
    assert_ne!(tagged, grant);
    let tags: Vec<_> = tagged
        .session_tags
        .iter()
        .map(|(k, v)| format!("{k}={v}"))
        .collect();
    assert_eq!(
        tags,
        [
            "eks-cluster-name=kube-1",
            "kubernetes-namespace=shop",
            "kubernetes-pod-name=a",
            "kubernetes-pod-uid=uid-a",
            "kubernetes-service-account=default",
        ]
    );
}

#[test]
fn everything_that_changes_the_session_is_in_the_key() {
    let grant =
        |pod: &Pod| match rules().role_of(pod, &Namespaces::default(), &ServiceAccounts::default())
        {
            RoleState::Granted(grant) => grant,
            other => panic!("{other:?}"),
        };
    let first = grant(&with_role("x"));
    for other in [
        with_role("y"),
        Pod {
            external_id: Some("id".into()),
            ..with_role("x")
        },
        Pod {
            session_policies: Some("arn:aws:iam::aws:policy/x".into()),
            ..with_role("x")
        },
        Pod {
            uid: "another".into(),
            ..with_role("x")
        },
        Pod {
            name: "b".into(),
            ..with_role("x")
        },
    ] {
        assert_ne!(grant(&other), first);
    }
}

fn any_pod() -> impl Strategy<Value = Pod> {
    let few = |texts: &'static [&'static str]| prop::sample::select(texts);
    (
        few(&["u1", "u2"]),
        few(&["shop", "bank"]),
        few(&["a", "b"]),
        few(&["web", "admin"]),
        few(&["x", "y"]),
        few(&["", "id-1", "id-2"]),
        few(&["", "arn:aws:iam::aws:policy/p", "arn:aws:iam::aws:policy/q"]),
        few(&["", "v1", "v2"]),
    )
        .prop_map(
            |(uid, namespace, name, account, role, id, policies, volume)| Pod {
                uid: uid.into(),
                namespace: namespace.into(),
                name: name.into(),
                service_account: account.into(),
                role: Some(role.into()),
                external_id: (!id.is_empty()).then(|| id.into()),
                session_policies: (!policies.is_empty()).then(|| policies.into()),
                token: TokenVolume::new(volume, "token"),
                ..pod("a")
            },
        )
}

proptest! {
    /// One pod never has another's key, and two sessions that STS would make
    /// differently never have the same.
    #[test]
    fn a_key_is_of_one_pod_and_one_session(a in any_pod(), b in any_pod()) {
        for rules in [rules(), web_identity()] {
            let grant = |pod: &Pod| {
                match rules.role_of(pod, &Namespaces::default(), &ServiceAccounts::default()) {
                    RoleState::Granted(grant) | RoleState::NoToken(grant) => Some(grant),
                    _ => None,
                }
            };
            if let (Some(of_a), Some(of_b)) = (grant(&a), grant(&b)) {
                let same_session = a.uid == b.uid
                    && a.namespace == b.namespace
                    && a.name == b.name
                    && a.role == b.role
                    && a.external_id == b.external_id
                    && a.session_policies == b.session_policies;
                let same_identity = rules.source == SourceMode::AssumeRole
                    || (a.service_account == b.service_account && a.token == b.token);
                prop_assert_eq!(of_a == of_b, same_session && same_identity);
            }
        }
    }
}
