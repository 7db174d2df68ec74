use super::*;
use crate::fixture::ip;
use proptest::prelude::*;

fn redirect() -> Redirect {
    Redirect {
        metadata: ip("169.254.169.254"),
        interface: Interface::parse("cali+").unwrap(),
        to: Some("10.0.0.1:8181".parse().unwrap()),
        port: 8181,
    }
}

/// The rule as `iptables -S` prints it.
const LISTED: &str = "-A PREROUTING -d 169.254.169.254/32 -i cali+ -p tcp -m tcp --dport 80 -m comment --comment \
                      isthmus-metadata-proxy -j DNAT --to-destination 10.0.0.1:8181";
const KUBE: &str =
    "-A PREROUTING -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES";
const STALE: &str = "-A PREROUTING -d 169.254.169.254/32 -i cali+ -p tcp -m tcp --dport 80 -m comment --comment \
                     isthmus-metadata-proxy -j DNAT --to-destination 10.0.0.9:8181";

fn listing(rules: &[&str]) -> String {
    let policy = "-P PREROUTING ACCEPT";
    [&[policy], rules].concat().join("\n")
}

fn repair(rules: &[&str]) -> Vec<String> {
    let commands = redirect().repair(&listing(rules));
    commands.iter().map(|command| command.join(" ")).collect()
}

const INSERT: &str = "-I PREROUTING 1 -p tcp -d 169.254.169.254 -i cali+ -m tcp --dport 80 -m comment --comment \
                      isthmus-metadata-proxy -j DNAT --to-destination 10.0.0.1:8181";

#[test]
fn first_once_and_current() {
    assert_eq!(repair(&[]), [INSERT]);
    assert_eq!(repair(&[KUBE]), [INSERT]);
    assert_eq!(repair(&[LISTED]), [""; 0]);
    assert_eq!(repair(&[LISTED, KUBE]), [""; 0]);
    assert_eq!(
        repair(&[KUBE, LISTED]),
        [INSERT, "-D PREROUTING 3"],
        "behind the services it is not reached"
    );
    assert_eq!(repair(&[LISTED, KUBE, LISTED]), ["-D PREROUTING 3"]);
    let stale = STALE.replacen("-A", "-D", 1);
    assert_eq!(repair(&[STALE, KUBE]), [INSERT, &stale]);
    assert_eq!(
        repair(&[STALE, LISTED, STALE]),
        [INSERT, "-D PREROUTING 3", &stale, &stale]
    );
    assert!(redirect().in_place(&listing(&[LISTED, KUBE])));
}

/// The rule for the container endpoint beside it.
#[test]
fn two_addresses_share_the_front() {
    let other = Redirect {
        metadata: ip("169.254.170.23"),
        ..redirect()
    };
    let listed = LISTED.replace("169.254.169.254", "169.254.170.23");
    let inserted = INSERT.replace("169.254.169.254", "169.254.170.23");
    let commands = |redirect: &Redirect, rules: &[&str]| {
        let commands = redirect.repair(&listing(rules));
        commands.iter().map(|c| c.join(" ")).collect::<Vec<_>>()
    };
    for rules in [[listed.as_str(), LISTED, KUBE], [LISTED, &listed, KUBE]] {
        assert!(redirect().in_place(&listing(&rules)));
        assert!(other.in_place(&listing(&rules)));
    }
    assert_eq!(commands(&other, &[LISTED, KUBE]), [inserted.as_str()]);
    assert_eq!(
        commands(&other, &[LISTED, KUBE, &listed]),
        [inserted.as_str(), "-D PREROUTING 4"]
    );
    let metadata = [ip("169.254.169.254")];
    let gone = stale(&metadata, &listing(&[&listed, STALE, KUBE]));
    let gone: Vec<String> = gone.iter().map(|command| command.join(" ")).collect();
    assert_eq!(gone, [listed.replacen("-A", "-D", 1)]);
    assert_eq!(stale(&metadata, &listing(&[LISTED, KUBE])), [[""; 0]; 0]);
}

#[test]
fn removal_takes_only_ours() {
    let commands = removal(&listing(&[STALE, KUBE, LISTED]));
    assert_eq!(
        commands.iter().map(|c| c.join(" ")).collect::<Vec<_>>(),
        [STALE, LISTED].map(|rule| rule.replacen("-A", "-D", 1))
    );
}

#[test]
fn the_other_forms_of_the_rule() {
    let v6 = Redirect {
        metadata: ip("fd00:ec2::254"),
        to: None,
        ..redirect()
    };
    let listed = "-A PREROUTING -d fd00:ec2::254/128 -i cali+ -p tcp -m tcp --dport 80 -m comment --comment \
                  isthmus-metadata-proxy -j REDIRECT --to-ports 8181";
    assert!(v6.in_place(listed));
    let v6_to = Redirect {
        to: Some("[fd00::1]:8181".parse().unwrap()),
        ..v6
    };
    assert!(
        v6_to
            .rule()
            .join(" ")
            .ends_with("-j DNAT --to-destination [fd00::1]:8181")
    );
    let inverted = Redirect {
        interface: Interface::parse("!eth0").unwrap(),
        ..redirect()
    };
    let listed = "-A PREROUTING -d 169.254.169.254/32 ! -i eth0 -p tcp -m tcp --dport 80 -m comment --comment \
                  isthmus-metadata-proxy -j DNAT --to-destination 10.0.0.1:8181";
    assert!(inverted.in_place(listed));
    assert!(!inverted.in_place(&listed.replace("! -i", "-i")));
}

#[test]
fn interfaces() {
    for name in ["docker0", "cali+", "!eth0", "eni+", "br-1234.5", "+"] {
        assert!(Interface::parse(name).is_some(), "{name}");
    }
    for name in [
        "",
        "!",
        "-j",
        "a b",
        "a;b",
        "eth0/1",
        "averyverylongname",
        "!!eth0",
    ] {
        assert!(Interface::parse(name).is_none(), "{name}");
    }
    assert_eq!(
        Interface::parse("docker0").unwrap().must_exist(),
        Some("docker0")
    );
    assert_eq!(Interface::parse("cali+").unwrap().must_exist(), None);
    assert_eq!(Interface::parse("!eth0").unwrap().must_exist(), None);
}

/// What the commands make of a chain.
fn run(mut chain: Vec<String>, commands: &[Vec<String>]) -> Vec<String> {
    for command in commands {
        match command[0].as_str() {
            "-I" => chain.insert(0, format!("-A PREROUTING {}", command[3..].join(" "))),
            _ => {
                let text = format!("-A PREROUTING {}", command[2..].join(" "));
                let by_text = || chain.iter().position(|rule| *rule == text);
                let place = command[2].parse::<usize>().map(|place| place - 1);
                chain.remove(place.ok().or_else(by_text).unwrap());
            }
        }
    }
    chain
}

proptest! {
    #[test]
    fn one_repair_is_enough_and_harms_nobody(picks in prop::collection::vec(0_usize..3, 0..6)) {
        let chain: Vec<String> = picks.iter().map(|pick| [LISTED, KUBE, STALE][*pick].to_owned()).collect();
        let repaired = run(chain.clone(), &redirect().repair(&chain.join("\n")));
        prop_assert!(redirect().in_place(&repaired.join("\n")), "{repaired:?}");
        let kept = |chain: &[String]| chain.iter().filter(|rule| *rule == KUBE).count();
        prop_assert_eq!(kept(&repaired), kept(&chain));
        prop_assert_eq!(repaired.len(), kept(&chain) + 1);
        let removed = run(repaired.clone(), &removal(&repaired.join("\n")));
        prop_assert_eq!(removed.len(), kept(&chain));
    }

    #[test]
    fn never_panics(listing in "\\PC{0,80}|(-A PREROUTING [-!a-z /0-9]{0,40}\n){0,4}") {
        let _ = redirect().repair(&listing);
    }
}
