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
    #[error("{0:?} is not a list; allowed: a JSON array of strings, such as [\"role-a\", \"team-*\"]")]
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
        self.patterns.iter().any(|pattern| pattern.allows(role, base))
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
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn allows(format: PatternFormat, entries: &str, role: &str) -> bool {
        let base = BaseArn::parse("arn:aws:iam::1:role").unwrap();
        let role = RoleArn::resolve(role, Some(&base)).unwrap();
        AllowList::parse(entries, format).unwrap().allows(&role, Some(&base))
    }

    #[test]
    fn globs() {
        use PatternFormat::{Glob, SpanningGlob};
        for (entries, role, plain, spanning) in [
            (r#"["role-a"]"#, "role-a", true, true),
            (r#"["/role-a"]"#, "role-a", true, true),
            (r#"["role-a"]"#, "role-ab", false, false),
            (r#"["role-*"]"#, "role-a", true, true),
            (r#"["role-*"]"#, "a-role-a", false, false),
            (r#"["*"]"#, "team/role-a", false, true),
            (r#"["**"]"#, "team/role-a", true, true),
            (r#"["team/*"]"#, "team/role-a", true, true),
            (r#"["team/*-a"]"#, "team/x/role-a", false, true),
            (r#"["team/**-a"]"#, "team/x/role-a", true, true),
            (r#"["role-?"]"#, "role-a", false, false),
            (r#"["x","role-a"]"#, "role-a", true, true),
            (r#"["arn:aws:iam::1:role/role-a"]"#, "role-a", true, true),
            (r#"["arn:aws:iam::*:role/*"]"#, "arn:aws:iam::2:role/a", true, true),
            (r#"["**"]"#, "arn:aws:iam::2:role/a", false, false),
            (r#"["arn:**"]"#, "arn:aws:iam::2:role/p/a", true, true),
            (r#"[]"#, "role-a", false, false),
            (r#"[""]"#, "role-a", false, false),
        ] {
            assert_eq!(allows(Glob, entries, role), plain, "{entries} {role}");
            assert_eq!(allows(SpanningGlob, entries, role), spanning, "spanning {entries} {role}");
        }
    }

    #[test]
    fn regular_expressions_match_the_whole_text() {
        for (entries, role, allowed) in [
            (r#"["explicit-role"]"#, "explicit-role", true),
            (r#"["explicit-role"]"#, "explicit-role-admin", false),
            (r#"["explicit-role"]"#, "an-explicit-role", false),
            (r#"["a|b"]"#, "b", true),
            (r#"["a|b"]"#, "ab", false),
            (r#"["a|b"]"#, "bc", false),
            (r#"["^role-\\d+$"]"#, "role-12", true),
            (r#"["^arn:aws:iam::\\d+:role/x$"]"#, "arn:aws:iam::2:role/x", true),
            (r#"["arn:aws:iam::1:role/x"]"#, "x", true),
            (r#"[".*"]"#, "arn:aws:iam::2:role/x", false),
            (r#"[".*"]"#, "p/x", true),
        ] {
            assert_eq!(allows(PatternFormat::Regexp, entries, role), allowed, "{entries} {role}");
        }
    }

    #[test]
    fn without_a_base_the_whole_arn_is_matched() {
        let role = RoleArn::parse("arn:aws:iam::1:role/x").unwrap();
        let list = |entries| AllowList::parse(entries, PatternFormat::Glob).unwrap();
        assert!(list(r#"["*:role/x"]"#).allows(&role, None));
        assert!(!list(r#"["x"]"#).allows(&role, None));
    }

    #[test]
    fn what_is_not_a_list_is_refused() {
        for text in ["", "role-a", r#"{"a":1}"#, "[1]", r#"["a""#] {
            let error = AllowList::parse(text, PatternFormat::Glob).unwrap_err();
            assert_eq!(error, AllowListError::NotAList(text.to_owned()));
        }
        for text in [r#"["("]"#, r#"["a)|(b"]"#, r#"["a{1000}{1000}{1000}"]"#] {
            let error = AllowList::parse(text, PatternFormat::Regexp).unwrap_err();
            assert!(matches!(error, AllowListError::NotARegexp { .. }), "{text}: {error}");
            assert!(!error.to_string().contains('\n'));
        }
    }

    proptest! {
        #[test]
        fn a_star_less_glob_is_equality(pattern in "[a-c/]{0,8}", text in "[a-c/]{0,8}") {
            prop_assert_eq!(glob(pattern.as_bytes(), text.as_bytes(), false), pattern == text);
        }

        #[test]
        fn globs_agree_with_the_same_regular_expression(pattern in "[ab/*]{0,8}", text in "[ab/]{0,10}") {
            let mut regexp = String::new();
            let mut rest = pattern.as_str();
            while let Some(c) = rest.chars().next() {
                let stars = rest.chars().take_while(|c| *c == '*').count();
                match stars {
                    0 => regexp.push(c),
                    1 => regexp.push_str("[^/]*"),
                    _ => regexp.push_str(".*"),
                }
                rest = &rest[stars.max(1)..];
            }
            let expected = anchored(&regexp).unwrap().is_match(&text);
            prop_assert_eq!(glob(pattern.as_bytes(), text.as_bytes(), false), expected);
        }

        #[test]
        fn never_panics(text in "\\PC{0,40}") {
            for format in [PatternFormat::Glob, PatternFormat::Regexp] {
                let _ = AllowList::parse(&serde_json::to_string(&[&text]).unwrap(), format);
                let _ = AllowList::parse(&text, format);
            }
        }
    }
}
