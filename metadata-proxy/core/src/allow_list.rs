//! Which roles a namespace lets its pods have: `iam.amazonaws.com/allowed-roles`.

use regex::{Regex, RegexBuilder};

use crate::role::{BaseArn, RoleArn};

/// How the entries of an allow-list are read: `--namespace-restriction-format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatternFormat {
    /// `*` is any run of characters but `/`, `**` any run at all. Nothing else is special.
    Glob,
    /// `*` is any run of characters, `/` too, as kube2iam has it.
    SpanningGlob,
    /// A regular expression that has to match the whole text.
    Regexp,
}

/// Why a namespace's list cannot be used. Nothing is allowed by such a list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AllowListError {
    /// Not a JSON array of strings.
    #[error(
        "{0:?} is not a list; allowed: a JSON array of strings, such as [\"role-a\", \"team-*\"]"
    )]
    NotAList(String),
    /// An entry that is no regular expression.
    #[error("{pattern:?} is not a regular expression: {reason}")]
    NotARegexp {
        /// The entry.
        pattern: String,
        /// What the parser said, on one line.
        reason: String,
    },
}

/// The roles that the pods of one namespace may have.
///
/// An entry that begins with `arn:` (behind an optional `^`) is matched against
/// the role's whole ARN. Any other one is about roles below the base ARN alone
/// and is matched against what follows it; without a base ARN it is matched
/// against the whole ARN.
#[derive(Clone, Debug, Default)]
pub struct AllowList {
    patterns: Vec<Pattern>,
}

#[derive(Clone, Debug)]
struct Pattern {
    on_arn: bool,
    text: Matcher,
}

#[derive(Clone, Debug)]
enum Matcher {
    Glob { pattern: String, spans: bool },
    Regexp(Regex),
}

impl AllowList {
    /// Reads the namespace's annotation.
    ///
    /// # Errors
    ///
    /// [`AllowListError`] if it is not a JSON array of strings or an entry is not a pattern.
    pub fn parse(annotation: &str, format: PatternFormat) -> Result<Self, AllowListError> {
        let entries: Vec<String> = serde_json::from_str(annotation)
            .map_err(|_| AllowListError::NotAList(annotation.to_owned()))?;
        let patterns = entries.iter().map(|entry| Pattern::parse(entry, format));
        Ok(Self {
            patterns: patterns.collect::<Result<_, _>>()?,
        })
    }

    /// Whether an entry allows the role.
    #[must_use]
    pub fn allows(&self, role: &RoleArn, base: Option<&BaseArn>) -> bool {
        self.patterns
            .iter()
            .any(|pattern| pattern.allows(role, base))
    }
}

impl Pattern {
    fn parse(entry: &str, format: PatternFormat) -> Result<Self, AllowListError> {
        let head = entry.trim_start_matches('^').get(..4);
        let on_arn = head.is_some_and(|head| head.eq_ignore_ascii_case("arn:"));
        let text = match format {
            PatternFormat::Regexp => Matcher::Regexp(anchored(entry)?),
            PatternFormat::Glob | PatternFormat::SpanningGlob => Matcher::Glob {
                pattern: entry.strip_prefix('/').unwrap_or(entry).to_owned(),
                spans: format == PatternFormat::SpanningGlob,
            },
        };
        Ok(Self { on_arn, text })
    }

    fn allows(&self, role: &RoleArn, base: Option<&BaseArn>) -> bool {
        let text = match base {
            Some(base) if !self.on_arn => match role.as_str().strip_prefix(base.as_str()) {
                Some(below) => below,
                None => return false,
            },
            _ => role.as_str(),
        };
        match &self.text {
            Matcher::Glob { pattern, spans } => glob(pattern.as_bytes(), text.as_bytes(), *spans),
            Matcher::Regexp(regexp) => regexp.is_match(text),
        }
    }
}

/// `^(?:…)$`: kube2iam left the ends open, so `role` let `another-role-admin` in.
fn anchored(entry: &str) -> Result<Regex, AllowListError> {
    let build = |text: &str| RegexBuilder::new(text).size_limit(SIZE_LIMIT).build();
    // Alone first: `a)|(b` must not become legal by the group around it.
    build(entry)
        .and_then(|_| build(&format!("^(?:{entry})$")))
        .map_err(|error| AllowListError::NotARegexp {
            pattern: entry.to_owned(),
            reason: error.to_string().replace('\n', " "),
        })
}

/// Bytes of a compiled expression; a namespace's author must not be able to fill the memory.
const SIZE_LIMIT: usize = 1 << 20;

/// Whether `text` is what `pattern` describes, in time proportional to the product of their lengths.
fn glob(pattern: &[u8], text: &[u8], spans: bool) -> bool {
    // reached[i]: the pattern so far can end before text[i].
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    let mut rest = pattern;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte == b'*' {
            let stars = rest.iter().take_while(|b| **b == b'*').count();
            rest = &rest[stars..];
            let crosses = spans || stars > 0;
            for i in 0..text.len() {
                reached[i + 1] |= reached[i] && (crosses || text[i] != b'/');
            }
        } else {
            for i in (0..text.len()).rev() {
                reached[i + 1] = reached[i] && text[i] == byte;
            }
            reached[0] = false;
        }
    }
    reached[text.len()]
}

#[cfg(test)]
mod tests;
