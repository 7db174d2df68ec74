use std::collections::BTreeSet;
use std::sync::Mutex;

use dns_core::{
    Change, DnsName, Limits, RecordData, RecordKey, RecordSet, RecordType, Routing, Verb, Zone,
    batches,
};
use isthmus_core::Plan;

use super::*;
use crate::aws::{Listed, ZoneTags};

/// A Route 53 that refuses batches with certain names, and fails as told.
#[derive(Default)]
struct Fake {
    poisoned: BTreeSet<&'static str>,
    denied_zone: Option<&'static str>,
    denied: BTreeSet<&'static str>,
    /// Answers before the rules apply, the last first.
    script: Mutex<Vec<ErrorClass>>,
    calls: Mutex<Vec<usize>>,
    /// Whether words name the guilty.
    telling: bool,
}

impl Fake {
    fn calls(&self) -> usize {
        self.calls.lock().unwrap().len()
    }
}

fn error(class: ErrorClass, words: &str) -> CallError {
    CallError {
        operation: "ChangeResourceRecordSets",
        class,
        zone_gone: false,
        words: vec![words.to_owned()],
    }
}

impl Route53 for Fake {
    async fn zones(&self) -> Result<Listed, CallError> {
        Ok(Listed::default())
    }
    async fn zone(&self, _: &ZoneId) -> Result<Zone, CallError> {
        Err(CallError::unreadable("GetHostedZone"))
    }
    async fn capacity(&self, _: &ZoneId) -> Result<usize, CallError> {
        Ok(10_000)
    }
    async fn in_sync(&self, _: &ZoneId, _: &ChangeId) -> Result<bool, CallError> {
        Ok(true)
    }
    async fn tags(&self, _: &[ZoneId]) -> Result<ZoneTags, CallError> {
        Ok(ZoneTags::new())
    }
    async fn records(&self, _: &ZoneId) -> Result<Vec<RecordSet>, CallError> {
        Ok(Vec::new())
    }
    async fn records_of_names(
        &self,
        _: &ZoneId,
        _: &BTreeSet<DnsName>,
    ) -> Result<Vec<RecordSet>, CallError> {
        Ok(Vec::new())
    }
    async fn change(&self, batch: &Batch) -> Result<ChangeId, CallError> {
        let done = Ok(ChangeId("C1".to_owned()));
        self.calls.lock().unwrap().push(batch.units.len());
        if let Some(class) = self.script.lock().unwrap().pop() {
            return Err(error(class, "scripted"));
        }
        if self.denied_zone == Some(batch.zone.as_str()) {
            return Err(error(ErrorClass::Denied, "AccessDenied: no"));
        }
        let mut names = batch.units.iter().map(|unit| unit.name.as_str());
        if names.any(|name| self.denied.contains(name)) {
            return Err(error(ErrorClass::Denied, "AccessDenied: not that name"));
        }
        let guilty = batch
            .units
            .iter()
            .find(|unit| self.poisoned.contains(unit.name.as_str()));
        match guilty {
            None => done,
            Some(unit) if self.telling => Err(error(
                ErrorClass::Invalid,
                &format!("RRSet of type A with DNS name {}. is wrong", unit.name),
            )),
            Some(_) => Err(error(ErrorClass::Invalid, "something is wrong")),
        }
    }
}

fn batch_of(zone: &str, names: usize) -> Vec<Batch> {
    let zone = std::sync::Arc::new(Zone {
        id: ZoneId::new(zone),
        name: DnsName::from_route53("example.org"),
        private: false,
    });
    let mut plan = Plan::default();
    for index in 0..names {
        let name = DnsName::from_route53(&format!("h{index:03}.example.org"));
        let key = RecordKey {
            name: name.clone(),
            record_type: RecordType::A,
            set_identifier: None,
        };
        let data = RecordData::Values {
            ttl: 300,
            values: vec!["192.0.2.1".into()],
        };
        let record = RecordSet {
            key,
            routing: Routing::Simple,
            health_check: None,
            data,
        };
        let change = Change {
            zone: zone.clone(),
            name,
            is_mark: false,
            counts: false,
            verb: Verb::Create(record),
        };
        plan.push(change, Vec::new());
    }
    batches(&plan, &Limits::default()).0
}

async fn run(fake: &Fake, batches: Vec<Batch>) -> Applied {
    apply(fake, batches, Duration::ZERO, &BTreeSet::new(), || true).await
}

fn accepted(applied: &Applied) -> usize {
    applied.accepted.iter().map(|batch| batch.units.len()).sum()
}

#[tokio::test(start_paused = true)]
async fn one_poisoned_name_never_blocks_the_rest() {
    for telling in [false, true] {
        let fake = Fake {
            poisoned: BTreeSet::from(["h123.example.org"]),
            telling,
            ..Fake::default()
        };
        let applied = run(&fake, batch_of("Z1", 500)).await;
        assert_eq!(accepted(&applied), 499);
        assert_eq!(applied.refused.len(), 1);
        assert_eq!(applied.refused[0].unit.name.as_str(), "h123.example.org");
        let most = if telling { 3 } else { 19 };
        assert!(fake.calls() <= most, "{} calls", fake.calls());
        assert_eq!(applied.failures().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn several_poisoned_names_are_all_found() {
    let poisoned = BTreeSet::from(["h000.example.org", "h050.example.org", "h099.example.org"]);
    let fake = Fake {
        poisoned,
        ..Fake::default()
    };
    let applied = run(&fake, batch_of("Z1", 100)).await;
    assert_eq!((accepted(&applied), applied.refused.len()), (97, 3));
}

#[tokio::test(start_paused = true)]
async fn throttling_is_retried_whole_and_not_split() {
    let script = Mutex::new(vec![ErrorClass::Throttled; 4]);
    let fake = Fake {
        script,
        ..Fake::default()
    };
    let applied = run(&fake, batch_of("Z1", 100)).await;
    assert_eq!(accepted(&applied), 100);
    assert_eq!(*fake.calls.lock().unwrap(), [100; 5]);
}

#[tokio::test(start_paused = true)]
async fn a_busy_zone_is_waited_for_and_keeps_no_other_waiting() {
    let script = Mutex::new(vec![ErrorClass::Conflict; 5]);
    let fake = Fake {
        script,
        ..Fake::default()
    };
    let mut both = batch_of("Z1", 3);
    both.extend(batch_of("Z2", 3));
    let start = Instant::now();
    let applied = run(&fake, both).await;
    assert_eq!((accepted(&applied), applied.stopped), (3, false));
    assert_eq!(*fake.calls.lock().unwrap(), [3; 6]);
    assert!(start.elapsed() >= Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn throttling_that_lasts_ends_the_run_for_all_zones() {
    let script = Mutex::new(vec![ErrorClass::Throttled; 9]);
    let fake = Fake {
        script,
        ..Fake::default()
    };
    let mut both = batch_of("Z1", 3);
    both.extend(batch_of("Z2", 3));
    let applied = run(&fake, both).await;
    assert_eq!(
        (accepted(&applied), fake.calls(), applied.stopped),
        (0, 5, true)
    );
    assert_eq!(applied.failures()[0].class, ErrorClass::Throttled);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_after_a_lost_answer_accuses_nobody() {
    let script = Mutex::new(vec![ErrorClass::Invalid, ErrorClass::Transient]);
    let fake = Fake {
        script,
        ..Fake::default()
    };
    let applied = run(&fake, batch_of("Z1", 3)).await;
    assert!(applied.refused.is_empty());
    assert_eq!(applied.failures()[0].class, ErrorClass::Transient);
    assert_eq!(fake.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_zone_that_denies_access_stops_only_itself() {
    let fake = Fake {
        denied_zone: Some("Z1"),
        ..Fake::default()
    };
    for (names, most) in [(1, 1), (3, 5), (500, 13)] {
        let mut both = batch_of("Z1", names);
        both.extend(batch_of("Z2", 3));
        fake.calls.lock().unwrap().clear();
        let applied = run(&fake, both.clone()).await;
        assert_eq!((accepted(&applied), applied.stopped), (3, false));
        assert_eq!(fake.calls(), most + 1, "{names} names");
        assert_eq!((applied.failed.len(), applied.refused.len()), (1, 0));
        assert_eq!(applied.failures()[0].class, ErrorClass::Denied);

        // The next time, one call tells.
        fake.calls.lock().unwrap().clear();
        let denied = BTreeSet::from([ZoneId::new("Z1")]);
        let applied = apply(&fake, both, Duration::ZERO, &denied, || true).await;
        assert_eq!((fake.calls(), applied.failed.len()), (2, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn names_that_are_denied_do_not_hold_up_the_others() {
    for denied in [
        vec!["h000.example.org"],
        vec!["h000.example.org", "h001.example.org", "h077.example.org"],
    ] {
        let fake = Fake {
            denied: denied.iter().copied().collect(),
            ..Fake::default()
        };
        let applied = run(&fake, batch_of("Z1", 100)).await;
        assert_eq!(accepted(&applied), 100 - denied.len());
        let refused = applied.refused.iter();
        let refused: Vec<_> = refused.map(|one| one.unit.name.as_str()).collect();
        assert_eq!(refused, denied);
        assert!(applied.failed.is_empty());
        let classes = applied.failures().into_iter().map(|failure| failure.class);
        assert_eq!(
            classes.collect::<BTreeSet<_>>(),
            BTreeSet::from([ErrorClass::Denied])
        );
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_called_once_that_is_forbidden() {
    let fake = Fake {
        poisoned: BTreeSet::from(["h000.example.org"]),
        ..Fake::default()
    };
    let few = || fake.calls() < 2;
    let applied = apply(
        &fake,
        batch_of("Z1", 8),
        Duration::ZERO,
        &BTreeSet::new(),
        few,
    )
    .await;
    assert_eq!((fake.calls(), applied.stopped), (2, true));
    assert!(applied.failures().is_empty());
}

#[tokio::test(start_paused = true)]
async fn batches_of_a_zone_keep_their_distance() {
    let fake = Fake::default();
    let mut three = batch_of("Z1", 1);
    three.extend(batch_of("Z2", 1));
    three.extend(batch_of("Z1", 1));
    let start = Instant::now();
    let interval = Duration::from_secs(5);
    apply(&fake, three, interval, &BTreeSet::new(), || true).await;
    assert_eq!(start.elapsed().as_secs(), 5);
}
