//! The taint that keeps pods off a node until its proxy serves.

use serde_json::{Value, json};

/// A taint of a Node, as far as it decides here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taint {
    /// `key`.
    pub key: String,
    /// `effect`: `NoSchedule`, `PreferNoSchedule`, `NoExecute`.
    pub effect: String,
}

/// The [JSON patch](https://www.rfc-editor.org/rfc/rfc6902) that takes every taint
/// with `key` off a Node that has `taints`; `None` if there is none.
///
/// It tests each place before it empties it: should somebody else have changed
/// the list meanwhile, the API server refuses the whole patch, and no other
/// taint is ever lost. It goes from the last to the first, so that no removal
/// moves another one's place.
#[must_use]
pub fn taint_removal(taints: &[Taint], key: &str) -> Option<Value> {
    let places = taints.iter().enumerate().rev();
    let steps: Vec<Value> = places
        .filter(|(_, taint)| taint.key == key)
        .flat_map(|(at, taint)| {
            let path = format!("/spec/taints/{at}");
            [
                json!({"op": "test", "path": format!("{path}/key"), "value": taint.key}),
                json!({"op": "test", "path": format!("{path}/effect"), "value": taint.effect}),
                json!({"op": "remove", "path": path}),
            ]
        })
        .collect();
    (!steps.is_empty()).then_some(Value::Array(steps))
}

/// Whether `text` is the [key of a taint](https://kubernetes.io/docs/reference/generated/kubernetes-api/v1.34/#taint-v1-core):
/// a name of up to 63 letters, digits and `-_.`, behind a DNS name and a slash or not.
#[must_use]
pub fn is_taint_key(text: &str) -> bool {
    let (prefix, name) = match text.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, text),
    };
    let edges = |part: &str| {
        let alphanumeric = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_alphanumeric());
        alphanumeric(part.bytes().next()) && alphanumeric(part.bytes().last())
    };
    let name_is_legal = name.len() <= 63
        && edges(name)
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    let label = |label: &str| {
        let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        edges(label) && label.bytes().all(legal)
    };
    name_is_legal && prefix.is_none_or(|dns| dns.len() <= 253 && dns.split('.').all(label))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taint(key: &str, effect: &str) -> Taint {
        Taint {
            key: key.into(),
            effect: effect.into(),
        }
    }

    const KEY: &str = "isthmus.dev/metadata-proxy";

    #[test]
    fn it_alone_goes_and_its_place_is_tested() {
        let taints = [
            taint("node.kubernetes.io/not-ready", "NoSchedule"),
            taint(KEY, "NoSchedule"),
            taint("team", "NoSchedule"),
            taint(KEY, "NoExecute"),
        ];
        assert_eq!(
            taint_removal(&taints, KEY),
            Some(json!([
                {"op": "test", "path": "/spec/taints/3/key", "value": KEY},
                {"op": "test", "path": "/spec/taints/3/effect", "value": "NoExecute"},
                {"op": "remove", "path": "/spec/taints/3"},
                {"op": "test", "path": "/spec/taints/1/key", "value": KEY},
                {"op": "test", "path": "/spec/taints/1/effect", "value": "NoSchedule"},
                {"op": "remove", "path": "/spec/taints/1"},
            ]))
        );
    }

    #[test]
    fn nothing_to_do_is_no_patch() {
        assert_eq!(taint_removal(&[], KEY), None);
        assert_eq!(
            taint_removal(&[taint("isthmus.dev/metadata", "NoSchedule")], KEY),
            None
        );
    }

    #[test]
    fn keys() {
        for key in [
            "a",
            KEY,
            "node.cloudprovider.kubernetes.io/uninitialized",
            "A_b.c-1",
        ] {
            assert!(is_taint_key(key), "{key}");
        }
        let long = "x".repeat(64);
        for key in [
            "",
            "a/",
            "/a",
            "a/b/c",
            "-a",
            "a-",
            "A/b",
            "a b",
            "a=b:NoSchedule",
            "a..b/c",
            &long,
        ] {
            assert!(!is_taint_key(key), "{key}");
        }
    }
}
