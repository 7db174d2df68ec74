//! Literal values for the tests of this crate.

use std::net::IpAddr;

use jiff::Timestamp;

use crate::Pod;

/// The tests' clock: `seconds` after noon of a November day.
pub(crate) fn at(seconds: i64) -> Timestamp {
    let noon: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
    Timestamp::from_second(noon.as_second() + seconds).unwrap()
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A running pod `shop/<name>` with the UID `uid-<name>`, without an address or a role.
pub(crate) fn pod(name: &str) -> Pod {
    Pod {
        uid: format!("uid-{name}"),
        namespace: "shop".into(),
        name: name.into(),
        service_account: "default".into(),
        addresses: vec![],
        host_addresses: vec![],
        host_network: false,
        finished: false,
        gone_by: None,
        role: None,
        external_id: None,
    }
}
