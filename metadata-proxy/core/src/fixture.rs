//! Literal values for the tests of this crate.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
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
        session_policies: None,
        token: None,
    }
}

/// A token with this payload and a signature of nobody.
pub(crate) fn jwt(payload: &serde_json::Value) -> String {
    let payload = URL_SAFE_NO_PAD.encode(payload.to_string());
    format!("e30.{payload}.c2ln")
}
