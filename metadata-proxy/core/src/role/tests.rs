use super::*;
use proptest::prelude::*;

fn base() -> BaseArn {
    BaseArn::parse("arn:aws:iam::123456789012:role").unwrap()
}

#[test]
fn a_name_a_path_and_an_arn_name_the_same_role() {
    let base = base();
    for text in [
        "role-a",
        "/role-a",
        "arn:aws:iam::123456789012:role/role-a",
        "ARN:aws:iam::123456789012:role/role-a",
    ] {
        let role = RoleArn::resolve(text, Some(&base)).unwrap();
        assert_eq!(
            role.as_str(),
            "arn:aws:iam::123456789012:role/role-a",
            "{text}"
        );
        assert_eq!(role.listed(Some(&base)), "role-a");
    }
    let role = RoleArn::resolve("team/x/role-a", Some(&base)).unwrap();
    assert_eq!(role.name(), "role-a");
    assert_eq!(role.path_and_name(), "team/x/role-a");
    assert_eq!(role.listed(Some(&base)), "team/x/role-a");
    for asked in ["role-a", "team/x/role-a", role.as_str()] {
        assert!(role.is_named(asked, Some(&base)), "{asked}");
    }
    for asked in [
        "",
        "role-b",
        "x/role-a",
        "/role-a",
        "role-a/",
        "arn:aws:iam::9:role/role-a",
    ] {
        assert!(!role.is_named(asked, Some(&base)), "{asked}");
    }
}

#[test]
fn another_account_is_listed_in_full() {
    let role = RoleArn::resolve("arn:aws-cn:iam::999:role/p/x", Some(&base())).unwrap();
    assert_eq!(role.listed(Some(&base())), "arn:aws-cn:iam::999:role/p/x");
    assert_eq!(role.listed(None), "arn:aws-cn:iam::999:role/p/x");
}

#[test]
fn what_is_no_role_is_refused() {
    let base = base();
    let long = "x".repeat(600);
    for text in [
        "",
        "/",
        "//a",
        "a//b",
        "a/",
        "a b",
        "rôle",
        "a%2fb",
        "a\nb",
        "a:b",
        &long,
        "arn:",
        "arn:aws:iam::1:user/x",
        "arn:aws:iam::1:role/",
        "arn:aws:iam::1:role",
        "arn:aws:iam::1:rolex/a",
        "arn:aws:iam:eu:1:role/a",
        "arn:aws:iam::abc:role/a",
        "arn:aws:s3::1:role/a",
        "arn:aws:iam::1:role//a",
    ] {
        let error = RoleArn::resolve(text, Some(&base)).unwrap_err();
        assert_eq!(error, RoleError::NotARole(text.to_owned()));
    }
    assert_eq!(
        RoleArn::resolve("role-a", None),
        Err(RoleError::NoBase("role-a".to_owned()))
    );
}

#[test]
fn bases() {
    assert_eq!(base().as_str(), "arn:aws:iam::123456789012:role/");
    let with_path = BaseArn::parse("arn:aws:iam::1:role/team/").unwrap();
    let role = RoleArn::resolve("a", Some(&with_path)).unwrap();
    assert_eq!(role.as_str(), "arn:aws:iam::1:role/team/a");
    for text in [
        "",
        "arn:aws:iam::1:",
        "arn:aws:iam::1:role//",
        "arn:aws:iam::x:role/",
        "role/",
    ] {
        assert!(BaseArn::parse(text).is_err(), "{text}");
    }
    assert_eq!(
        BaseArn::of_instance_profile("arn:aws:iam::1:instance-profile/p/q/node")
            .unwrap()
            .as_str(),
        "arn:aws:iam::1:role/"
    );
    assert!(BaseArn::of_instance_profile("arn:aws:iam::1:role/x").is_err());
}

#[test]
fn instance_profile_keeps_account_and_path() {
    let role = RoleArn::parse("arn:aws:iam::1:role/p/x").unwrap();
    assert_eq!(
        role.as_instance_profile(),
        "arn:aws:iam::1:instance-profile/p/x"
    );
}

proptest! {
    #[test]
    fn never_panics_and_only_makes_roles(text in "\\PC{0,60}|(arn|ARN|ärn):aws:iam::1:role/.{0,20}") {
        if let Ok(role) = RoleArn::resolve(&text, Some(&base())) {
            prop_assert!(role.as_str().starts_with("arn:"));
            prop_assert!(role.path_and_name().bytes().all(|b| is_role_byte(b) || b == b'/'));
            prop_assert_eq!(RoleArn::parse(role.as_str()).unwrap(), role);
        }
    }
}
