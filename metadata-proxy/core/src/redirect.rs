//! The netfilter rule that leads pods' requests for the metadata address here.

use std::net::{IpAddr, SocketAddr};

/// Which interface pods come in by: `--host-interface`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    name: String,
    inverted: bool,
}

/// One rule in the chain `PREROUTING` of the table `nat`.
///
/// It has to be the first: behind the jump to `KUBE-SERVICES` it may never be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// The address that pods ask.
    pub metadata: IpAddr,
    /// Where they come in.
    pub interface: Interface,
    /// Where they are led: an address of the node of the same family, or, without
    /// one, whatever address the interface has.
    pub to: Option<SocketAddr>,
    /// The proxy's port.
    pub port: u16,
}

/// What marks a rule as this proxy's, so that one with an earlier address or port is found.
const COMMENT: &str = "isthmus-metadata-proxy";

const CHAIN: &str = "PREROUTING";

impl Interface {
    /// A name as netfilter takes it: at most 15 characters, `+` at the end for
    /// any that begins so, `!` in front for all but it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (name, inverted) = match text.strip_prefix('!') {
            Some(name) => (name, true),
            None => (text, false),
        };
        let stem = name.strip_suffix('+').unwrap_or(name);
        let legal = name.len() <= 15
            && !name.is_empty()
            && !stem.starts_with('-')
            && stem.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-@".contains(&b));
        legal.then(|| Self {
            name: name.to_owned(),
            inverted,
        })
    }

    /// The interface that has to exist: kube2iam checks every name without a wildcard.
    #[must_use]
    pub fn must_exist(&self) -> Option<&str> {
        let plain = !self.name.ends_with('+') && !self.inverted;
        plain.then_some(self.name.as_str())
    }
}

/// The rules of a chain as `-S` lists them, without the policy, in their order.
fn rules(listing: &str) -> impl Iterator<Item = Vec<String>> {
    let prefix = format!("-A {CHAIN} ");
    listing.lines().filter_map(move |line| line.strip_prefix(&prefix).map(options))
}

/// A rule as a set: options with their values, in no order, without what a listing adds.
fn options(rule: &str) -> Vec<String> {
    let mut options: Vec<String> = Vec::new();
    let mut negated = false;
    for word in rule.split_whitespace() {
        match word {
            "!" => negated = true,
            _ if word.starts_with('-') => {
                let sign = if std::mem::take(&mut negated) { "! " } else { "" };
                options.push(format!("{sign}{word}"));
            }
            _ => {
                let value = word.strip_suffix("/32").or_else(|| word.strip_suffix("/128"));
                if let Some(last) = options.last_mut() {
                    last.push(' ');
                    last.push_str(value.unwrap_or(word));
                }
            }
        }
    }
    options.retain(|option| option != "-m tcp" && option != "-m comment");
    options.sort();
    options
}

impl Redirect {
    /// The rule, as arguments.
    #[must_use]
    pub fn rule(&self) -> Vec<String> {
        let mut words: Vec<String> = Vec::new();
        let mut push = |text: &str| words.extend(text.split(' ').map(str::to_owned));
        push(&format!("-p tcp -d {}", self.metadata));
        if self.interface.inverted {
            push("!");
        }
        push(&format!("-i {} -m tcp --dport 80", self.interface.name));
        push(&format!("-m comment --comment {COMMENT}"));
        match self.to {
            Some(to) => push(&format!("-j DNAT --to-destination {to}")),
            None => push(&format!("-j REDIRECT --to-ports {}", self.port)),
        }
        words
    }

    /// Whether the rule is the first of the chain and there is no other of ours,
    /// as `-S PREROUTING` lists it.
    #[must_use]
    pub fn in_place(&self, listing: &str) -> bool {
        self.repair(listing).is_empty()
    }

    /// The commands that put the rule first and take away every other one of
    /// ours, each as arguments behind `-t nat`. The new rule comes before the old
    /// ones go: at no moment is there none.
    #[must_use]
    pub fn repair(&self, listing: &str) -> Vec<Vec<String>> {
        let wanted = options(&self.rule().join(" "));
        let rules: Vec<Vec<String>> = rules(listing).collect();
        let first = rules.first() == Some(&wanted);
        let mut commands = Vec::new();
        if !first {
            let insert = ["-I", CHAIN, "1"].map(str::to_owned);
            commands.push(insert.into_iter().chain(self.rule()).collect());
        }
        // Positions count from one, and an insertion moves them by one.
        let shift = if first { 1 } else { 2 };
        let superfluous = ours(&rules).filter(|at| !(first && *at == 0));
        commands.extend(delete(superfluous.map(|at| at + shift)));
        commands
    }
}

/// The commands that take away every rule of ours, as [`Redirect::repair`] has them.
#[must_use]
pub fn removal(listing: &str) -> Vec<Vec<String>> {
    let rules: Vec<Vec<String>> = rules(listing).collect();
    delete(ours(&rules).map(|at| at + 1))
}

fn ours(rules: &[Vec<String>]) -> impl Iterator<Item = usize> {
    let mark = format!("--comment {COMMENT}");
    let numbered = rules.iter().enumerate();
    numbered.filter(move |(_, rule)| rule.contains(&mark)).map(|(at, _)| at)
}

/// From the last to the first, so that no deletion moves another one's position.
fn delete(positions: impl Iterator<Item = usize>) -> Vec<Vec<String>> {
    let mut positions: Vec<usize> = positions.collect();
    positions.sort_unstable();
    let command = |at: usize| vec!["-D".to_owned(), CHAIN.to_owned(), at.to_string()];
    positions.into_iter().rev().map(command).collect()
}

#[cfg(test)]
mod tests {
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
    const KUBE: &str = "-A PREROUTING -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES";
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
        assert_eq!(repair(&[KUBE, LISTED]), [INSERT, "-D PREROUTING 3"], "behind the services it is not reached");
        assert_eq!(repair(&[LISTED, KUBE, LISTED]), ["-D PREROUTING 3"]);
        assert_eq!(repair(&[STALE, KUBE]), [INSERT, "-D PREROUTING 2"]);
        assert_eq!(repair(&[STALE, LISTED, STALE]), [INSERT, "-D PREROUTING 4", "-D PREROUTING 3", "-D PREROUTING 2"]);
        assert!(redirect().in_place(&listing(&[LISTED, KUBE])));
    }

    #[test]
    fn removal_takes_only_ours() {
        let commands = removal(&listing(&[STALE, KUBE, LISTED]));
        assert_eq!(commands.iter().map(|c| c.join(" ")).collect::<Vec<_>>(), ["-D PREROUTING 3", "-D PREROUTING 1"]);
    }

    #[test]
    fn the_other_forms_of_the_rule() {
        let v6 = Redirect { metadata: ip("fd00:ec2::254"), to: None, ..redirect() };
        let listed = "-A PREROUTING -d fd00:ec2::254/128 -i cali+ -p tcp -m tcp --dport 80 -m comment --comment \
                      isthmus-metadata-proxy -j REDIRECT --to-ports 8181";
        assert!(v6.in_place(listed));
        let v6_to = Redirect { to: Some("[fd00::1]:8181".parse().unwrap()), ..v6 };
        assert!(v6_to.rule().join(" ").ends_with("-j DNAT --to-destination [fd00::1]:8181"));
        let inverted = Redirect { interface: Interface::parse("!eth0").unwrap(), ..redirect() };
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
        for name in ["", "!", "-j", "a b", "a;b", "eth0/1", "averyverylongname", "!!eth0"] {
            assert!(Interface::parse(name).is_none(), "{name}");
        }
        assert_eq!(Interface::parse("docker0").unwrap().must_exist(), Some("docker0"));
        assert_eq!(Interface::parse("cali+").unwrap().must_exist(), None);
        assert_eq!(Interface::parse("!eth0").unwrap().must_exist(), None);
    }

    /// What the commands make of a chain.
    fn run(mut chain: Vec<String>, commands: &[Vec<String>]) -> Vec<String> {
        for command in commands {
            match command[0].as_str() {
                "-I" => chain.insert(0, format!("-A PREROUTING {}", command[3..].join(" "))),
                _ => drop(chain.remove(command[2].parse::<usize>().unwrap() - 1)),
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
}
