use super::*;
use proptest::prelude::*;

fn allows(format: PatternFormat, entries: &str, role: &str) -> bool {
    let base = BaseArn::parse("arn:aws:iam::1:role").unwrap();
    let role = RoleArn::resolve(role, Some(&base)).unwrap();
    AllowList::parse(entries, format)
        .unwrap()
        .allows(&role, Some(&base))
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
        (
            r#"["arn:aws:iam::*:role/*"]"#,
            "arn:aws:iam::2:role/a",
            true,
            true,
        ),
        (r#"["**"]"#, "arn:aws:iam::2:role/a", false, false),
        (r#"["arn:**"]"#, "arn:aws:iam::2:role/p/a", true, true),
        (r#"[]"#, "role-a", false, false),
        (r#"[""]"#, "role-a", false, false),
    ] {
        assert_eq!(allows(Glob, entries, role), plain, "{entries} {role}");
        assert_eq!(
            allows(SpanningGlob, entries, role),
            spanning,
            "spanning {entries} {role}"
        );
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
        (
            r#"["^arn:aws:iam::\\d+:role/x$"]"#,
            "arn:aws:iam::2:role/x",
            true,
        ),
        (r#"["arn:aws:iam::1:role/x"]"#, "x", true),
        (r#"[".*"]"#, "arn:aws:iam::2:role/x", false),
        (r#"[".*"]"#, "p/x", true),
    ] {
        assert_eq!(
            allows(PatternFormat::Regexp, entries, role),
            allowed,
            "{entries} {role}"
        );
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
        assert!(
            matches!(error, AllowListError::NotARegexp { .. }),
            "{text}: {error}"
        );
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
