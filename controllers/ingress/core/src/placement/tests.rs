use super::*;
use proptest::prelude::*;

fn ownership() -> Ownership {
    Ownership::new(Ownership::DEFAULT_TAG_PREFIX, "kube-1", "isthmus")
}

fn key(owner: Option<&str>) -> GroupKey {
    GroupKey {
        scheme: Scheme::InternetFacing,
        kind: LoadBalancerType::Application,
        ip_address_type: IpAddressType::Ipv4,
        http2: true,
        security_group: None,
        web_acl: WebAclChoice::Default,
        owner: owner.map(|name| Owner {
            kind: "Ingress",
            name: name.to_owned(),
        }),
    }
}

fn candidate(name: &str, certificates: &[u8]) -> Candidate {
    Candidate {
        object: ObjectRef::new("networking.k8s.io/v1", "Ingress", "default", name),
        key: key(None),
        ssl_policy: None,
        certificates: certificates
            .iter()
            .map(|c| Arn::new(format!("c/{c:03}")))
            .collect(),
        complete: true,
        hostnames: Vec::new(),
    }
}

fn policy(suffix: &str) -> SslPolicy {
    format!("ELBSecurityPolicy-{suffix}")
        .parse()
        .expect("a policy")
}

fn bounds(certificates: usize) -> Bounds<'static> {
    static NONE: BTreeMap<String, SslPolicy> = BTreeMap::new();
    Bounds {
        certificates,
        ssl_policy: policy("2016-08"),
        present: &NONE,
    }
}

/// One with an annotated policy, on the load balancer of this ordinal if it is told.
fn with(name: &str, named: Option<&str>, home: Option<usize>) -> Candidate {
    let mut candidate = candidate(name, &[1]);
    candidate.ssl_policy = named.map(policy);
    candidate.hostnames = home
        .map(|ordinal| naming::load_balancer(&ownership(), &candidate.key, ordinal))
        .map(|name| format!("{name}-1.x.elb.amazonaws.com"))
        .into_iter()
        .collect();
    candidate
}

/// The ordinals and the policies, in the order of the candidates' names.
fn placed(candidates: Vec<Candidate>) -> Vec<(usize, Option<SslPolicy>)> {
    placed_within(candidates, bounds(24))
}

fn placed_within(
    candidates: Vec<Candidate>,
    bounds: Bounds<'_>,
) -> Vec<(usize, Option<SslPolicy>)> {
    let key = key(None);
    let (slots, _) = place(candidates, bounds, &ownership());
    let ordinal = |name: &str| {
        (0..9)
            .find(|n| naming::load_balancer(&ownership(), &key, *n) == name)
            .expect("one of nine")
    };
    let mut found: Vec<_> = slots
        .iter()
        .flat_map(|(name, slot)| {
            let place = (ordinal(name), slot.ssl_policy);
            slot.members.iter().map(move |m| (m.object.clone(), place))
        })
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found.into_iter().map(|(_, place)| place).collect()
}

#[test]
fn those_without_a_policy_join_and_do_not_weaken() {
    let strict = Some(policy("FS-1-2-2019-08"));
    let fs = Some("FS-1-2-2019-08");
    let new = vec![with("a", None, None), with("b", fs, None)];
    assert_eq!(placed(new), [(0, strict), (0, strict)]);
    let late = vec![with("a", None, Some(0)), with("b", fs, None)];
    assert_eq!(
        placed(late),
        [(0, None), (1, strict)],
        "a newcomer does not change the policy of others"
    );
    let annotated_later = vec![with("a", None, Some(0)), with("b", fs, Some(0))];
    assert_eq!(placed(annotated_later), [(0, strict), (0, strict)]);
    let named_as_the_flag = vec![with("a", None, Some(0)), with("b", Some("2016-08"), None)];
    let flag = Some(policy("2016-08"));
    assert_eq!(placed(named_as_the_flag), [(0, flag), (0, flag)]);
    let half_told = vec![with("a", None, Some(0)), with("b", fs, None)];
    let name = naming::load_balancer(&ownership(), &key(None), 0);
    let present = BTreeMap::from([(name, policy("FS-1-2-2019-08"))]);
    let bounds = Bounds {
        present: &present,
        ..bounds(24)
    };
    assert_eq!(
        placed_within(half_told, bounds),
        [(0, strict), (0, strict)],
        "made for both, and only one was told"
    );
    let two = vec![with("a", Some("FS-2018-06"), None), with("b", fs, None)];
    let policies: Vec<_> = placed(two).into_iter().map(|(n, _)| n).collect();
    assert_eq!(policies, [0, 1], "two policies, two load balancers");
}

#[test]
fn a_policy_that_allows_more_than_the_flag_is_for_its_own() {
    let weak = Some("TLS-1-0-2015-04");
    let weaker = Some(policy("TLS-1-0-2015-04"));
    let new = vec![with("a", None, None), with("b", weak, None)];
    assert_eq!(placed(new), [(1, None), (0, weaker)]);
    let annotated_later = vec![with("a", None, Some(0)), with("b", weak, Some(0))];
    assert_eq!(placed(annotated_later), [(0, None), (1, weaker)]);
}

fn homes(slots: &BTreeMap<String, Slot>) -> BTreeMap<String, String> {
    slots
        .iter()
        .flat_map(|(name, slot)| {
            slot.members
                .iter()
                .map(move |m| (m.object.name.clone(), name.clone()))
        })
        .collect()
}

#[test]
fn an_unshared_one_is_alone() {
    let mut own = candidate("own", &[1]);
    own.key = key(Some("default/own"));
    let all = vec![candidate("a", &[1]), own, candidate("b", &[1])];
    let (slots, _) = place(all, bounds(24), &ownership());
    let homes = homes(&slots);
    assert_eq!(slots.len(), 2);
    assert_eq!(homes["a"], homes["b"]);
    assert_ne!(homes["a"], homes["own"]);
}

#[test]
fn whoever_has_a_place_keeps_it() {
    let (before, _) = place(
        vec![candidate("m", &[1]), candidate("n", &[2])],
        bounds(1),
        &ownership(),
    );
    let home = homes(&before)["n"].clone();
    let mut stays = candidate("n", &[2]);
    stays.hostnames = vec![format!("{home}-77.eu-central-1.elb.amazonaws.com")];
    let (after, _) = place(vec![candidate("a", &[3]), stays], bounds(1), &ownership());
    assert_eq!(
        homes(&after)["n"],
        home,
        "the second load balancer, though the first is free"
    );
    assert_eq!(
        homes(&after)["a"],
        homes(&before)["m"],
        "the first is filled first"
    );
}

#[test]
fn too_many_certificates_for_any() {
    let (slots, too_big) = place(vec![candidate("a", &[1, 2, 3])], bounds(2), &ownership());
    assert!(slots.is_empty());
    assert_eq!(too_big.len(), 1);
}

proptest! {
    #[test]
    fn order_means_nothing_and_no_one_is_lost(
        wanted in prop::collection::vec((prop::collection::vec(0..40_u8, 1..6), 0..4_usize, 0..4_usize), 1..30),
        by in any::<prop::sample::Index>(),
    ) {
        let max = 6;
        let mut candidates: Vec<_> = wanted
            .iter()
            .enumerate()
            .map(|(n, (certificates, home, named))| {
                let mut candidate = candidate(&format!("i{n:02}"), certificates);
                candidate.ssl_policy = [None, None, Some("FS-2018-06"), Some("TLS-1-0-2015-04")][*named].map(policy);
                if *home > 0 {
                    let name = naming::load_balancer(&ownership(), &candidate.key, *home);
                    candidate.hostnames = vec![format!("{name}-1.x.elb.amazonaws.com")];
                }
                candidate
            })
            .collect();
        let (first, _) = place(candidates.clone(), bounds(max), &ownership());
        candidates.reverse();
        let turn = by.index(candidates.len());
        candidates.rotate_left(turn);
        let (second, _) = place(candidates.clone(), bounds(max), &ownership());
        prop_assert_eq!(&first, &second);
        prop_assert_eq!(homes(&first).len(), wanted.len());
        for slot in first.values() {
            prop_assert!(slot.certificates.len() <= max);
            for member in &slot.members {
                prop_assert!(member.ssl_policy.is_none() || member.ssl_policy == slot.ssl_policy);
            }
        }
        // Placed again with the statuses that follow from it, nobody moves.
        for candidate in &mut candidates {
            let name = homes(&first)[&candidate.object.name].clone();
            candidate.hostnames = vec![format!("{name}-1.x.elb.amazonaws.com")];
        }
        let (third, _) = place(candidates, bounds(max), &ownership());
        prop_assert_eq!(homes(&first), homes(&third));
    }
}
