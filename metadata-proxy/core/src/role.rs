//! Roles as people write them and as AWS wants them.

use std::fmt;

/// The ARN of an IAM role: `arn:<partition>:iam::<account>:role/<path and name>`.
///
/// See [IAM identifiers](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoleArn {
    arn: String,
    /// Where the path and name begin: after `:role/`.
    tail: usize,
}

/// What a role's ARN, and the prefix of one, is put in front of: `arn:aws:iam::123456789012:role/` or with a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseArn(String);

/// A text that names no role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoleError {
    /// A character that no role name has, an empty path segment, or too long.
    #[error("{0:?} is not a role; allowed: a role's name, its path and name, or its ARN")]
    NotARole(String),
    /// A short name, and nothing to put in front of it.
    #[error("{0:?} is not an ARN, and there is no --base-role-arn to complete it")]
    NoBase(String),
}

/// A text that is no base ARN.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not the beginning of a role's ARN; allowed: arn:<partition>:iam::<account>:role/[<path>/]"
)]
pub struct BaseArnError(String);

/// The longest path (512) and name (64) that IAM knows.
const LONGEST: usize = 512 + 64;

/// Whether `byte` may be in a role's name or path: `[\w+=,.@-]`, as IAM says.
#[must_use]
pub fn is_role_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte)
}

/// Path segments and a name, all of legal characters and none empty.
fn is_path_and_name(text: &str) -> bool {
    text.len() <= LONGEST
        && text
            .split('/')
            .all(|segment| !segment.is_empty() && segment.bytes().all(is_role_byte))
}

/// Whether the text is meant as an ARN. As in kube2iam, capitals do not matter.
fn looks_like_arn(text: &str) -> bool {
    text.get(..4)
        .is_some_and(|start| start.eq_ignore_ascii_case("arn:"))
}

/// The part after `arn:<partition>:iam::<account>:role`, with its leading slash if there is one.
fn after_role(arn: &str) -> Option<&str> {
    let mut parts = arn.splitn(6, ':');
    let fixed = [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
    let [scheme, partition, service, region] = fixed;
    let account = parts.next()?;
    let tail = parts.next()?.strip_prefix("role")?;
    let legal = scheme.eq_ignore_ascii_case("arn")
        && partition
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        && service == "iam"
        && region.is_empty()
        && !account.is_empty()
        && account.bytes().all(|b| b.is_ascii_digit());
    legal.then_some(tail)
}

impl RoleArn {
    /// Reads a full ARN.
    ///
    /// # Errors
    ///
    /// [`RoleError::NotARole`] if it is anything but the ARN of a role.
    pub fn parse(text: &str) -> Result<Self, RoleError> {
        let tail = after_role(text).and_then(|tail| tail.strip_prefix('/'));
        match tail {
            Some(tail) if is_path_and_name(tail) => Ok(Self {
                arn: format!("arn{}", &text[3..]),
                tail: text.len() - tail.len(),
            }),
            _ => Err(RoleError::NotARole(text.to_owned())),
        }
    }

    /// Reads a role as an annotation has it: a name, a path and name, or an ARN.
    /// One leading slash is trimmed.
    ///
    /// # Errors
    ///
    /// [`RoleError`] if it names no role, or needs a base ARN and there is none.
    pub fn resolve(text: &str, base: Option<&BaseArn>) -> Result<Self, RoleError> {
        if looks_like_arn(text) {
            return Self::parse(text);
        }
        let name = text.strip_prefix('/').unwrap_or(text);
        if !is_path_and_name(name) {
            return Err(RoleError::NotARole(text.to_owned()));
        }
        let base = base.ok_or_else(|| RoleError::NoBase(text.to_owned()))?;
        Self::parse(&format!("{}{name}", base.0))
    }

    /// The whole ARN.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.arn
    }

    /// The account's number.
    #[must_use]
    pub fn account(&self) -> &str {
        self.arn.split(':').nth(4).unwrap_or_default()
    }

    /// Everything after `:role/`.
    #[must_use]
    pub fn path_and_name(&self) -> &str {
        &self.arn[self.tail..]
    }

    /// The last segment.
    #[must_use]
    pub fn name(&self) -> &str {
        let tail = self.path_and_name();
        tail.rsplit_once('/').map_or(tail, |(_, name)| name)
    }

    /// How the role list names it: without the base ARN where that fits, else in full.
    #[must_use]
    pub fn listed(&self, base: Option<&BaseArn>) -> &str {
        base.and_then(|base| self.arn.strip_prefix(&base.0))
            .unwrap_or(&self.arn)
    }

    /// Whether a client that asks for `text` asks for this role: by its ARN, its
    /// path and name, its bare name, or what the base ARN completes to it.
    #[must_use]
    pub fn is_named(&self, text: &str, base: Option<&BaseArn>) -> bool {
        text == self.arn
            || text == self.path_and_name()
            || text == self.name()
            || text == self.listed(base)
    }

    /// The ARN of an instance profile of the same account, path and name, for
    /// the answer to `iam/info`.
    #[must_use]
    pub fn as_instance_profile(&self) -> String {
        let head = &self.arn[..self.tail];
        let head = head.strip_suffix("role/").unwrap_or(head);
        format!("{head}instance-profile/{}", self.path_and_name())
    }
}

impl fmt::Display for RoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.arn)
    }
}

impl BaseArn {
    /// Reads `--base-role-arn`; the closing slash is added where it is missing.
    ///
    /// # Errors
    ///
    /// [`BaseArnError`] if a role's name put behind it would not make an ARN.
    pub fn parse(text: &str) -> Result<Self, BaseArnError> {
        let closed = format!("{}/", text.strip_suffix('/').unwrap_or(text));
        match RoleArn::parse(&format!("{closed}x")) {
            Ok(_) => Ok(Self(closed)),
            Err(_) => Err(BaseArnError(text.to_owned())),
        }
    }

    /// The base of the roles next to an instance profile:
    /// `arn:aws:iam::1:instance-profile/a/b` gives `arn:aws:iam::1:role/`. The
    /// profile's own path is dropped, as kube2iam does.
    ///
    /// # Errors
    ///
    /// [`BaseArnError`] if it is no instance profile's ARN.
    pub fn of_instance_profile(arn: &str) -> Result<Self, BaseArnError> {
        let head = arn
            .split_once(":instance-profile/")
            .map(|(head, _)| format!("{head}:role/"));
        head.and_then(|head| Self::parse(&head).ok())
            .ok_or_else(|| BaseArnError(arn.to_owned()))
    }

    /// The text, with its closing slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests;
