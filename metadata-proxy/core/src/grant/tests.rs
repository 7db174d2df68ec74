use super::*;
use crate::fixture::pod;

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
    match rules.role_of(pod, &Namespaces::default()) {
        RoleState::Granted(grant) => Some(grant.role.to_string()),
        _ => None,
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
    let empty = rules.role_of(&with_role(""), &Namespaces::default());
    assert_eq!(empty, RoleState::None);
}

#[test]
fn what_cannot_be_read_is_said() {
    let state = rules().role_of(&with_role("a b"), &Namespaces::default());
    assert_eq!(
        state,
        RoleState::Invalid(RoleError::NotARole("a b".into()).into())
    );
    for id in ["", "x", "a b", "a\nb", &"x".repeat(1225)] {
        let pod = Pod {
            external_id: Some(id.into()),
            ..with_role("x")
        };
        let state = rules().role_of(&pod, &Namespaces::default());
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
    let state = |namespaces: &Namespaces, role: &str| rules.role_of(&with_role(role), namespaces);
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
    let RoleState::Granted(grant) = rules().role_of(&with_role("x"), &Namespaces::default()) else {
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
    let RoleState::Granted(tagged) = tagged.role_of(&with_role("x"), &Namespaces::default()) else {
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
    let grant = |pod: &Pod| match rules().role_of(pod, &Namespaces::default()) {
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
