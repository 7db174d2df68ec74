use super::*;
use crate::fixture::{at, ip, pod};
use proptest::prelude::*;

fn uid_of(found: &Found) -> &str {
    match found {
        Found::Pod(pod) => &pod.uid,
        Found::Host => "host",
        Found::Ambiguous(_) => "ambiguous",
        Found::Nobody => "nobody",
    }
}

fn who(index: &PodIndex, address: &str) -> String {
    uid_of(&index.find(ip(address), at(0))).to_owned()
}

#[test]
fn both_families_find_the_pod() {
    let mut index = PodIndex::default();
    index.apply(Pod {
        addresses: vec![ip("10.0.0.1"), ip("fd00::1")],
        ..pod("a")
    });
    assert_eq!(who(&index, "10.0.0.1"), "uid-a");
    assert_eq!(who(&index, "fd00::1"), "uid-a");
    assert_eq!(who(&index, "::ffff:10.0.0.1"), "uid-a");
    assert_eq!(who(&index, "10.0.0.2"), "nobody");
}

#[test]
fn a_changed_address_is_forgotten() {
    let mut index = PodIndex::default();
    index.apply(Pod {
        addresses: vec![ip("10.0.0.1")],
        ..pod("a")
    });
    index.apply(Pod {
        addresses: vec![ip("10.0.0.2")],
        ..pod("a")
    });
    assert_eq!(who(&index, "10.0.0.1"), "nobody");
    assert_eq!(who(&index, "10.0.0.2"), "uid-a");
}

#[test]
fn finished_and_deleted_pods_are_not_found() {
    let mut index = PodIndex::default();
    let running = Pod {
        addresses: vec![ip("10.0.0.1")],
        ..pod("a")
    };
    index.apply(running.clone());
    index.apply(Pod {
        finished: true,
        ..running.clone()
    });
    assert_eq!(who(&index, "10.0.0.1"), "nobody");
    index.apply(Pod {
        gone_by: Some(at(30)),
        ..running
    });
    assert_eq!(
        uid_of(&index.find(ip("10.0.0.1"), at(29))),
        "uid-a",
        "its grace period"
    );
    assert_eq!(uid_of(&index.find(ip("10.0.0.1"), at(30))), "nobody");
    index.delete("uid-a");
    assert_eq!(uid_of(&index.find(ip("10.0.0.1"), at(0))), "nobody");
}

#[test]
fn two_living_pods_of_one_address_are_refused_until_one_is_gone() {
    let mut index = PodIndex::default();
    index.apply(Pod {
        addresses: vec![ip("10.0.0.1")],
        ..pod("a")
    });
    index.apply(Pod {
        addresses: vec![ip("10.0.0.1")],
        ..pod("b")
    });
    assert_eq!(who(&index, "10.0.0.1"), "ambiguous");
    index.apply(Pod {
        addresses: vec![ip("10.0.0.1")],
        finished: true,
        ..pod("a")
    });
    assert_eq!(who(&index, "10.0.0.1"), "uid-b");
}

#[test]
fn a_pod_of_the_same_name_is_another_pod() {
    let mut index = PodIndex::default();
    index.apply(Pod {
        addresses: vec![ip("10.0.0.1")],
        ..pod("a")
    });
    let reborn = Pod {
        uid: "uid-2".into(),
        addresses: vec![ip("10.0.0.2")],
        ..pod("a")
    };
    index.apply(reborn);
    assert_eq!(who(&index, "10.0.0.1"), "nobody", "the first is gone");
    index.delete("uid-a");
    assert_eq!(
        who(&index, "10.0.0.2"),
        "uid-2",
        "a late deletion of the first changes nothing"
    );
}

#[test]
fn the_host_network_is_the_host() {
    let mut index = PodIndex::new([ip("192.168.0.1")]);
    assert_eq!(who(&index, "192.168.0.1"), "host");
    index.apply(Pod {
        host_network: true,
        addresses: vec![ip("192.168.0.2")],
        ..pod("a")
    });
    index.apply(Pod {
        addresses: vec![ip("10.0.0.1")],
        host_addresses: vec![ip("192.168.0.3")],
        ..pod("b")
    });
    assert_eq!(who(&index, "192.168.0.2"), "host");
    assert_eq!(who(&index, "192.168.0.3"), "host");
    assert_eq!(who(&index, "10.0.0.1"), "uid-b");
    index.delete("uid-a");
    assert_eq!(who(&index, "192.168.0.2"), "nobody");
}

#[test]
fn a_new_list_forgets_what_it_lacks() {
    let mut index = PodIndex::default();
    index.apply(Pod {
        addresses: vec![ip("10.0.0.1")],
        ..pod("a")
    });
    index.apply(Pod {
        addresses: vec![ip("10.0.0.2")],
        ..pod("b")
    });
    index.replace([Pod {
        addresses: vec![ip("10.0.0.2")],
        ..pod("c")
    }]);
    assert_eq!(who(&index, "10.0.0.1"), "nobody");
    assert_eq!(who(&index, "10.0.0.2"), "uid-c");
    assert_eq!(index.pods().count(), 1);
}

/// What a step does to the pod of a number: its addresses' last bytes, or `None` to delete it.
type Change = (u8, Option<(Vec<u8>, bool, bool)>);

fn change() -> impl Strategy<Value = Change> {
    let state = (
        prop::collection::vec(1_u8..5, 0..3),
        any::<bool>(),
        any::<bool>(),
    );
    (0_u8..4, prop::option::of(state))
}

proptest! {
    /// After any changes the index says what a search through the living pods says.
    #[test]
    fn agrees_with_a_search(changes in prop::collection::vec(change(), 0..30)) {
        let mut index = PodIndex::default();
        let mut model: BTreeMap<u8, Pod> = BTreeMap::new();
        for (number, state) in changes {
            match state {
                None => {
                    index.delete(&format!("uid-{number}"));
                    model.remove(&number);
                }
                Some((last, host_network, finished)) => {
                    let pod = Pod {
                        addresses: last.iter().map(|l| ip(&format!("10.0.0.{l}"))).collect(),
                        host_network,
                        finished,
                        ..pod(&number.to_string())
                    };
                    index.apply(pod.clone());
                    model.insert(number, pod);
                }
            }
            for last in 1..5 {
                let address = ip(&format!("10.0.0.{last}"));
                let having: Vec<&Pod> =
                    model.values().filter(|pod| pod.addresses.contains(&address)).collect();
                let living: Vec<&&Pod> =
                    having.iter().filter(|pod| !pod.finished && !pod.host_network).collect();
                let expected = if having.iter().any(|pod| pod.host_network) {
                    "host"
                } else {
                    match living.as_slice() {
                        [] => "nobody",
                        [one] => one.uid.as_str(),
                        _ => "ambiguous",
                    }
                };
                let found = index.find(address, at(0));
                prop_assert_eq!(uid_of(&found), expected);
            }
        }
        for (number, _) in model {
            index.delete(&format!("uid-{number}"));
        }
        prop_assert!(index.by_name.is_empty() && index.by_address.is_empty() && index.hosts.is_empty());
    }
}
