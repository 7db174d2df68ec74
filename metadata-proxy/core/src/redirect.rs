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
/// Nothing may come before it but others of ours: behind the jump to
/// `KUBE-SERVICES` it may never be reached.
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
            && stem
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._-@".contains(&b));
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
fn rules(listing: &str) -> Vec<&str> {
    let prefix = format!("-A {CHAIN} ");
    let lines = listing.lines();
    lines
        .filter_map(|line| line.strip_prefix(&prefix))
        .collect()
}

/// A rule as a set: options with their values, in no order, without what a listing adds.
fn options(rule: &str) -> Vec<String> {
    let mut options: Vec<String> = Vec::new();
    let mut negated = false;
    for word in rule.split_whitespace() {
        match word {
            "!" => negated = true,
            _ if word.starts_with('-') => {
                let sign = if std::mem::take(&mut negated) {
                    "! "
                } else {
                    ""
                };
                options.push(format!("{sign}{word}"));
            }
            _ => {
                let value = word
                    .strip_suffix("/32")
                    .or_else(|| word.strip_suffix("/128"));
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

    /// Whether the rule is the first of the chain, or behind others of ours, and
    /// there is no other one for its address, as `-S PREROUTING` lists it.
    #[must_use]
    pub fn in_place(&self, listing: &str) -> bool {
        self.repair(listing).is_empty()
    }

    /// The commands that put the rule first and take away every other one of
    /// ours for its address, each as arguments behind `-t nat`. The new rule comes
    /// before the old ones go: at no moment is there none.
    ///
    /// What differs goes by its text, since others may change the chain
    /// meanwhile; a second one of the same text can go by its place alone.
    #[must_use]
    pub fn repair(&self, listing: &str) -> Vec<Vec<String>> {
        let wanted = options(&self.rule().join(" "));
        let address = for_address(self.metadata);
        let rules = rules(listing);
        let read: Vec<Vec<String>> = rules.iter().map(|rule| options(rule)).collect();
        // In place: nothing comes before it but ours for other addresses.
        let front = read.iter().take_while(|rule| is_ours(rule));
        let place = front
            .enumerate()
            .find(|(_, rule)| rule.contains(&address))
            .filter(|(_, rule)| **rule == wanted)
            .map(|(at, _)| at);
        let mut commands = Vec::new();
        if place.is_none() {
            let insert = ["-I", CHAIN, "1"].map(str::to_owned);
            commands.push(insert.into_iter().chain(self.rule()).collect());
        }
        // Places count from one, and an insertion moves them by one. From the
        // last to the first, so that no deletion moves another one's place.
        let shift = if place.is_some() { 1 } else { 2 };
        let twice = (0..rules.len())
            .rev()
            .filter(|at| read[*at] == wanted && place != Some(*at));
        commands.extend(twice.map(|at| delete(&(at + shift).to_string())));
        let others = rules
            .iter()
            .zip(&read)
            .filter(|(_, rule)| is_ours(rule) && rule.contains(&address) && **rule != wanted);
        commands.extend(others.map(|(rule, _)| delete(rule)));
        commands
    }
}

/// The commands that take away every rule of ours that is for none of these
/// addresses, as [`Redirect::repair`] has them.
#[must_use]
pub fn stale(addresses: &[IpAddr], listing: &str) -> Vec<Vec<String>> {
    let wanted: Vec<String> = addresses.iter().copied().map(for_address).collect();
    let is_wanted = |rule: &[String]| wanted.iter().any(|address| rule.contains(address));
    let is_stale = |rule: &&str| {
        let rule = options(rule);
        is_ours(&rule) && !is_wanted(&rule)
    };
    rules(listing)
        .into_iter()
        .filter(is_stale)
        .map(delete)
        .collect()
}

/// The commands that take away every rule of ours, as [`Redirect::repair`] has them.
#[must_use]
pub fn removal(listing: &str) -> Vec<Vec<String>> {
    stale(&[], listing)
}

fn for_address(address: IpAddr) -> String {
    format!("-d {address}")
}

fn is_ours(rule: &[String]) -> bool {
    let mark = format!("--comment {COMMENT}");
    rule.contains(&mark)
}

/// A rule's deletion, by its text or its place.
fn delete(rule: &str) -> Vec<String> {
    let words = ["-D", CHAIN].into_iter().chain(rule.split_whitespace());
    words.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
