//! The account's certificates, read now and then.

use std::time::{Duration, Instant, SystemTime};

use ingress_core::Certificate;
use isthmus_core::RemovalLimit;
use isthmus_runtime::Failure;

use crate::aws::{Certificates, Result};

/// The last good list.
#[derive(Debug, Default)]
pub(crate) struct CertificateList {
    list: Vec<Certificate>,
    /// When it was read; `None` if there never was a good one.
    read_at: Option<SystemTime>,
    /// When to read it next.
    due: Option<Instant>,
}

/// How soon to try again when a list could not be read or could not be believed.
const AGAIN: Duration = Duration::from_secs(30);

impl CertificateList {
    /// The list, read anew if it is older than `age`. When that fails, or when far
    /// fewer come back, the old one stays and the failure is told.
    ///
    /// # Errors
    ///
    /// There is no list yet, and none could be read.
    pub(crate) async fn refresh(
        &mut self,
        source: &impl Certificates,
        tag: Option<&(String, String)>,
        age: Duration,
        limit: &RemovalLimit,
    ) -> Result<Option<Failure>> {
        let now = Instant::now();
        if self.due.is_some_and(|due| now < due) {
            return Ok(None);
        }
        let failure = match source.all(tag).await {
            Ok(list) => self.replace(list, limit),
            Err(error) if self.read_at.is_some() => Some(error.failure("certificates")),
            Err(error) => return Err(error),
        };
        let next = if failure.is_some() {
            age.min(AGAIN)
        } else {
            age
        };
        self.due = now.checked_add(next);
        Ok(failure)
    }

    pub(crate) fn list(&self) -> &[Certificate] {
        &self.list
    }

    /// When it was read.
    pub(crate) fn read_at(&self) -> Option<SystemTime> {
        self.read_at
    }

    fn replace(&mut self, list: Vec<Certificate>, limit: &RemovalLimit) -> Option<Failure> {
        let gone = self
            .list
            .iter()
            .filter(|old| !list.iter().any(|new| new.arn == old.arn))
            .count();
        if !limit.allows(gone, self.list.len()) {
            return Some(Failure {
                step: "certificates",
                class: isthmus_core::ErrorClass::Invalid,
                message: format!(
                    "the list of certificates lacks {gone} of {}, more than the {} that --max-removal-percent and \
                     --max-removal-count allow; the old list stays in use until they are back or --allow-mass-removal is given",
                    self.list.len(),
                    limit.most(self.list.len())
                ),
            });
        }
        self.list = list;
        self.read_at = Some(SystemTime::now());
        None
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::error::AwsError;
    use ingress_core::Arn;
    use isthmus_core::ErrorClass;

    struct Source(RefCell<Vec<Result<usize>>>);

    impl Certificates for Source {
        async fn all(&self, _tag: Option<&(String, String)>) -> Result<Vec<Certificate>> {
            let answer = self.0.borrow_mut().remove(0)?;
            let certificate = |n| Certificate {
                arn: Arn::new(format!("arn:{n}")),
                names: Default::default(),
                not_before: jiff::Timestamp::UNIX_EPOCH,
                not_after: jiff::Timestamp::MAX,
                trusted: true,
            };
            Ok((0..answer).map(certificate).collect())
        }
    }

    fn refused() -> AwsError {
        AwsError {
            operation: "ListCertificates",
            class: ErrorClass::Denied,
            code: None,
            message: "no".into(),
        }
    }

    async fn refresh(list: &mut CertificateList, source: &Source) -> Result<Option<Failure>> {
        list.refresh(source, None, Duration::ZERO, &RemovalLimit::default())
            .await
    }

    #[tokio::test]
    async fn the_last_good_list_stays() {
        let source = Source(RefCell::new(vec![
            Err(refused()),
            Ok(40),
            Err(refused()),
            Ok(12),
            Ok(30),
        ]));
        let mut list = CertificateList::default();
        assert!(
            refresh(&mut list, &source).await.is_err(),
            "nothing to go on with"
        );
        assert_eq!(refresh(&mut list, &source).await.unwrap(), None);
        let failure = refresh(&mut list, &source).await.unwrap().unwrap();
        assert_eq!(failure.class, ErrorClass::Denied);
        let failure = refresh(&mut list, &source).await.unwrap().unwrap();
        assert!(
            failure.message.contains("lacks 28 of 40"),
            "{}",
            failure.message
        );
        assert_eq!(list.list().len(), 40);
        assert_eq!(refresh(&mut list, &source).await.unwrap(), None);
        assert_eq!(list.list().len(), 30);
    }

    #[tokio::test]
    async fn a_fresh_list_is_not_read_again() {
        let source = Source(RefCell::new(vec![Ok(1)]));
        let mut list = CertificateList::default();
        for _ in 0..3 {
            let limit = RemovalLimit::default();
            let hour = Duration::from_secs(3600);
            assert_eq!(
                list.refresh(&source, None, hour, &limit).await.unwrap(),
                None
            );
        }
    }
}
