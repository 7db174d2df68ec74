//! Everything that is wrong with a configuration, at once.

use std::collections::BTreeSet;
use std::fmt::{self, Display};

use crate::Exit;

/// The list of what is wrong with the flags. Each is one line on stderr:
///
/// ```text
/// --ip-addr-type: "foo" is not allowed; allowed: ipv4, dualstack
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    flags: BTreeSet<String>,
    lines: Vec<String>,
}

impl Problems {
    /// Adds a wrong value. `flag` is the long name, with or without its dashes;
    /// `allowed` says in words or as a list what would be right. The value is
    /// shown: never hand a secret over.
    pub fn push(&mut self, flag: &str, value: impl Display, allowed: impl Display) {
        let value = value.to_string();
        self.say(
            flag,
            format_args!("{value:?} is not allowed; allowed: {allowed}"),
        );
    }

    /// Adds any other problem of a flag: `--vpc-id: is required`.
    pub fn say(&mut self, flag: &str, what: impl Display) {
        let flag = flag.trim_start_matches('-');
        self.flags.insert(flag.to_owned());
        self.line(format!("--{flag}: {what}"));
    }

    /// Adds a line that is not about one flag.
    pub(crate) fn line(&mut self, line: impl AsRef<str>) {
        self.lines.push(one_line(line.as_ref()));
    }

    /// Adds the lines of `more` that are about flags of which nothing was said yet:
    /// a flag that could not be read was left at its default in the meantime.
    pub fn merge(&mut self, more: Self) {
        let said = self.flags.clone();
        let about = |line: &str| {
            line.split(':')
                .next()
                .map(|flag| flag.trim_start_matches('-').to_owned())
        };
        let new = more
            .lines
            .into_iter()
            .filter(|line| about(line).is_none_or(|flag| !said.contains(&flag)));
        self.lines.extend(new);
        self.flags.extend(more.flags);
    }

    /// Whether something was said about this flag.
    pub(crate) fn mentions(&self, flag: &str) -> bool {
        self.flags.contains(flag.trim_start_matches('-'))
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The lines, in the order in which they were found.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// The end of the process that they mean.
    #[must_use]
    pub fn into_exit(self) -> Exit {
        Exit {
            code: 2,
            text: self.to_string(),
        }
    }
}

impl Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_each() {
        let mut problems = Problems::default();
        problems.push("ip-addr-type", "foo", "ipv4, dualstack");
        problems.push("--ttl", "a\nb", "a duration");
        problems.say("vpc-id", "is required");
        assert_eq!(
            problems.into_exit().text,
            "--ip-addr-type: \"foo\" is not allowed; allowed: ipv4, dualstack\n\
             --ttl: \"a\\nb\" is not allowed; allowed: a duration\n\
             --vpc-id: is required\n"
        );
    }
}
