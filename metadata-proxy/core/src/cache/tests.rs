use super::*;
use crate::fixture::at;
use crate::secret::SecretBytes;
use proptest::prelude::*;

const POLICY: CachePolicy = CachePolicy {
    least: Duration::from_secs(1800),
    error_ttl: None,
};

fn until(expires: i64) -> Prepared {
    Prepared {
        body: SecretBytes::new(expires.to_be_bytes()),
        container: SecretBytes::new([]),
        expires: at(expires),
    }
}

fn held(expires: i64, jitter: f64) -> Slot {
    let mut slot = Slot::default();
    slot.succeed(until(expires), &POLICY, jitter, at(0));
    slot
}

#[test]
fn an_hours_session_is_renewed_long_before_half_of_it_is_over() {
    let slot = held(3600, 0.0);
    assert_eq!(slot.supply(at(0)), Supply::Serve(until(3600)));
    assert_eq!(slot.supply(at(1199)), Supply::Serve(until(3600)));
    assert_eq!(slot.supply(at(1200)), Supply::Renew(until(3600)));
    let late = held(3600, 1.0);
    assert_eq!(late.supply(at(1399)), Supply::Serve(until(3600)));
    assert_eq!(late.supply(at(1400)), Supply::Renew(until(3600)));
    for slot in [slot, late] {
        assert_eq!(slot.supply(at(1799)), Supply::Renew(until(3600)));
        assert_eq!(
            slot.supply(at(1800)),
            Supply::Fetch(Some(until(3600))),
            "30 minutes are left"
        );
        assert_eq!(slot.supply(at(3599)), Supply::Fetch(Some(until(3600))));
        assert_eq!(slot.supply(at(3600)), Supply::Fetch(None));
    }
}

#[test]
fn while_sts_is_down_old_ones_are_served_to_their_end() {
    let mut slot = held(3600, 0.0);
    slot.fail(ErrorClass::Transient, &POLICY, 0.0, at(2000));
    assert_eq!(
        slot.supply(at(2000)),
        Supply::Serve(until(3600)),
        "and nobody waits for STS"
    );
    assert_eq!(slot.supply(at(2001)), Supply::Fetch(Some(until(3600))));
    assert_eq!(slot.settle(at(2001)), Ok(until(3600)));
    slot.fail(ErrorClass::Denied, &POLICY, 0.0, at(3599));
    assert_eq!(slot.settle(at(3599)), Ok(until(3600)));
    assert_eq!(slot.settle(at(3600)), Err(Refusal::StsDenied));
}

#[test]
fn failures_are_remembered_longer_and_longer() {
    let mut slot = Slot::default();
    let mut now = 0;
    for pause in [1, 2, 4, 8, 16, 32, 60, 60] {
        assert_eq!(slot.supply(at(now)), Supply::Fetch(None));
        slot.fail(ErrorClass::Denied, &POLICY, 0.0, at(now));
        assert_eq!(
            slot.supply(at(now + pause - 1)),
            Supply::Refuse(Refusal::StsDenied)
        );
        now += pause;
    }
    slot.fail(ErrorClass::Throttled, &POLICY, 1.0, at(now));
    assert_eq!(
        slot.supply(at(now + 29)),
        Supply::Refuse(Refusal::StsUnavailable),
        "half of it by jitter"
    );
    assert_eq!(slot.supply(at(now + 30)), Supply::Fetch(None));
    slot.succeed(until(now + 3600), &POLICY, 0.0, at(now));
    assert_eq!(slot.failed(), None, "a success ends it");
}

#[test]
fn a_denial_is_remembered_as_long_as_the_flag_says() {
    let policy = CachePolicy {
        error_ttl: Some(Duration::from_secs(300)),
        ..POLICY
    };
    let mut slot = Slot::default();
    slot.fail(ErrorClass::Denied, &policy, 1.0, at(0));
    assert_eq!(slot.supply(at(299)), Supply::Refuse(Refusal::StsDenied));
    assert_eq!(slot.supply(at(300)), Supply::Fetch(None));
    slot.fail(ErrorClass::Throttled, &policy, 0.0, at(300));
    assert_eq!(
        slot.supply(at(302)),
        Supply::Fetch(None),
        "throttling is not a denial"
    );
}

#[test]
fn a_slow_first_call_is_unavailable_and_not_denied() {
    assert_eq!(Slot::default().settle(at(0)), Err(Refusal::StsUnavailable));
}

#[test]
fn a_token_that_is_not_there_is_looked_for_again_at_once() {
    let mut slot = Slot::default();
    for now in 0..3 {
        slot.miss(at(now));
        assert_eq!(slot.settle(at(now)), Err(Refusal::PodTokenUnavailable));
        assert_eq!(
            slot.supply(at(now)),
            Supply::Fetch(None),
            "nobody has to wait"
        );
        assert_eq!(slot.failed(), Some(ErrorClass::Transient));
        assert!(slot.just_missed(at(now)) && !slot.just_missed(at(now + 1)));
    }
    let mut slot = held(3600, 0.0);
    slot.miss(at(2000));
    assert_eq!(slot.settle(at(2000)), Ok(until(3600)), "old ones live on");
}

proptest! {
    #[test]
    fn what_is_served_lives(life in 0_i64..50_000, jitter in -1.0_f64..2.0, ask in 0_i64..60_000, fails in 0_u32..9) {
        let mut slot = held(life, jitter);
        for _ in 0..fails {
            slot.fail(ErrorClass::Transient, &POLICY, jitter, at(ask));
        }
        match slot.supply(at(ask)) {
            Supply::Serve(prepared) | Supply::Renew(prepared) | Supply::Fetch(Some(prepared)) => {
                prop_assert!(at(ask) < prepared.expires);
            }
            Supply::Fetch(None) | Supply::Refuse(_) => prop_assert!(ask >= life),
        }
        if fails == 0 && life >= 3600 && ask < life - 1800 {
            let fresh = matches!(slot.supply(at(ask)), Supply::Serve(_) | Supply::Renew(_));
            prop_assert!(fresh, "at least 30 minutes are left");
        }
    }
}
