//! The token that a pod presents at the container endpoint.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::pod::Pod;

/// What became of the token that came with a request for credentials.
///
/// What a token says of itself is only ever used to refuse it early. Nothing is
/// given before the API server has said that it is genuine and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bearer {
    /// There is none.
    Absent,
    /// It is not a token of a service account.
    Malformed,
    /// It has expired, or is not good yet.
    Expired,
    /// It is for somebody else than AWS.
    WrongAudience,
    /// It is bound to another pod, or to none.
    NotOfPod,
    /// It says that it is this pod's: the API server has to be asked.
    Unverified,
    /// The API server says that it is not genuine.
    Refused,
    /// The API server says that it is genuine and this very pod's.
    Verified,
}

/// What the API server says of a token
/// ([`TokenReview`](https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-review-v1/)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Review {
    /// It has not been asked.
    None,
    /// The token is not genuine, not for this audience, or its pod is gone.
    Refused,
    /// The token is genuine, and is bound to this pod.
    Of {
        /// The UID of the pod.
        pod_uid: String,
        /// The namespace of the pod and its service account.
        namespace: String,
        /// The service account.
        service_account: String,
    },
}

/// What a token says of itself, unverified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// `aud`
    pub audiences: Vec<String>,
    /// `exp`
    pub expires: Timestamp,
    /// `nbf`
    pub not_before: Option<Timestamp>,
    /// `kubernetes.io.pod.uid`
    pub pod_uid: Option<String>,
}

#[derive(Deserialize)]
struct Payload {
    aud: OneOrMore,
    exp: i64,
    nbf: Option<i64>,
    #[serde(rename = "kubernetes.io")]
    kubernetes: Option<Kubernetes>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

#[derive(Deserialize)]
struct Kubernetes {
    pod: Option<Bound>,
}

#[derive(Deserialize)]
struct Bound {
    uid: String,
}

/// Clocks of two machines differ.
const SKEW: SignedDuration = SignedDuration::from_secs(60);

impl Claims {
    /// Reads the payload of a [JWT](https://www.rfc-editor.org/rfc/rfc7519); its signature is not looked at.
    #[must_use]
    pub fn read(token: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(token).ok()?;
        let legal = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        if !text.bytes().all(legal) {
            return None;
        }
        let parts: Vec<&str> = text.split('.').collect();
        let [header, payload, signature] = parts[..] else {
            return None;
        };
        if header.is_empty() || signature.is_empty() {
            return None;
        }
        let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
        let payload: Payload = serde_json::from_slice(&payload).ok()?;
        Some(Self {
            audiences: match payload.aud {
                OneOrMore::One(audience) => vec![audience],
                OneOrMore::More(audiences) => audiences,
            },
            expires: Timestamp::from_second(payload.exp).ok()?,
            not_before: payload.nbf.map(Timestamp::from_second).transpose().ok()?,
            pod_uid: payload
                .kubernetes
                .and_then(|kubernetes| Some(kubernetes.pod?.uid)),
        })
    }

    fn is_current(&self, now: Timestamp) -> bool {
        let early = |from: Timestamp| now.checked_add(SKEW).is_ok_and(|then| then < from);
        now < self.expires && !self.not_before.is_some_and(early)
    }
}

impl Bearer {
    /// Judges the value of the `Authorization` header that came from `pod`'s
    /// address: the token itself, without a scheme in front of it, as the SDKs
    /// send the content of `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE`.
    #[must_use]
    pub fn judge(
        token: Option<&[u8]>,
        pod: &Pod,
        audience: &str,
        review: &Review,
        now: Timestamp,
    ) -> Self {
        let Some(token) = token.filter(|token| !token.is_empty()) else {
            return Self::Absent;
        };
        let Some(claims) = Claims::read(token) else {
            return Self::Malformed;
        };
        if !claims.is_current(now) {
            return Self::Expired;
        }
        if !claims.audiences.iter().any(|of| of == audience) {
            return Self::WrongAudience;
        }
        if claims.pod_uid.as_ref() != Some(&pod.uid) {
            return Self::NotOfPod;
        }
        match review {
            Review::None => Self::Unverified,
            Review::Refused => Self::Refused,
            Review::Of {
                pod_uid,
                namespace,
                service_account,
            } if *pod_uid == pod.uid
                && *namespace == pod.namespace
                && service_account == pod.account() =>
            {
                Self::Verified
            }
            Review::Of { .. } => Self::NotOfPod,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{at, jwt, pod};
    use proptest::prelude::*;

    const AUDIENCE: &str = "sts.amazonaws.com";

    fn claims(pod: &str) -> serde_json::Value {
        serde_json::json!({
            "aud": [AUDIENCE], "exp": at(600).as_second(), "nbf": at(0).as_second(),
            "kubernetes.io": {"pod": {"name": "a", "uid": pod}},
        })
    }

    fn of(uid: &str, namespace: &str, service_account: &str) -> Review {
        Review::Of {
            pod_uid: uid.into(),
            namespace: namespace.into(),
            service_account: service_account.into(),
        }
    }

    fn judge(token: &str, review: &Review, now: i64) -> Bearer {
        Bearer::judge(Some(token.as_bytes()), &pod("a"), AUDIENCE, review, at(now))
    }

    #[test]
    fn what_a_token_says_can_only_refuse_it() {
        let own = jwt(&claims("uid-a"));
        assert_eq!(judge(&own, &Review::None, 0), Bearer::Unverified);
        assert_eq!(judge(&own, &Review::Refused, 0), Bearer::Refused);
        assert_eq!(
            judge(&own, &of("uid-a", "shop", "default"), 0),
            Bearer::Verified
        );
        let good = of("uid-a", "shop", "default");
        assert_eq!(judge(&own, &good, 600), Bearer::Expired);
        assert_eq!(judge(&own, &good, -61), Bearer::Expired);
        assert_eq!(judge(&own, &good, -60), Bearer::Verified, "clocks differ");
        assert_eq!(judge(&jwt(&claims("uid-b")), &good, 0), Bearer::NotOfPod);
        let mut other = claims("uid-a");
        other["aud"] = "vault".into();
        assert_eq!(judge(&jwt(&other), &good, 0), Bearer::WrongAudience);
        other["aud"] = AUDIENCE.into();
        assert_eq!(
            judge(&jwt(&other), &good, 0),
            Bearer::Verified,
            "one audience"
        );
        other["kubernetes.io"] = serde_json::json!({});
        assert_eq!(
            judge(&jwt(&other), &good, 0),
            Bearer::NotOfPod,
            "bound to no pod"
        );
    }

    #[test]
    fn the_api_servers_word_has_to_be_about_this_pod() {
        let own = jwt(&claims("uid-a"));
        for review in [
            of("uid-b", "shop", "default"),
            of("uid-a", "bank", "default"),
            of("uid-a", "shop", "admin"),
        ] {
            assert_eq!(judge(&own, &review, 0), Bearer::NotOfPod, "{review:?}");
        }
    }

    #[test]
    fn what_is_no_token() {
        let judge = |token: Option<&[u8]>| {
            let review = of("uid-a", "shop", "default");
            Bearer::judge(token, &pod("a"), AUDIENCE, &review, at(0))
        };
        assert_eq!(judge(None), Bearer::Absent);
        assert_eq!(judge(Some(b"")), Bearer::Absent);
        let own = jwt(&claims("uid-a"));
        for wrong in [
            "x".to_owned(),
            "a.b.c".to_owned(),
            format!("Bearer {own}"),
            format!("{own}.x"),
            format!("{own}\n"),
            own.rsplit_once('.').unwrap().0.to_owned(),
            format!("{}.", own.rsplit_once('.').unwrap().0),
            jwt(&serde_json::json!({"aud": AUDIENCE})),
            jwt(&serde_json::json!({"aud": 1, "exp": 1})),
            jwt(&serde_json::json!([])),
        ] {
            assert_eq!(
                judge(Some(wrong.as_bytes())),
                Bearer::Malformed,
                "{wrong:?}"
            );
        }
        assert_eq!(judge(Some(b"\xff.\xff.\xff")), Bearer::Malformed);
    }

    proptest! {
        #[test]
        fn never_panics(token in prop::collection::vec(any::<u8>(), 0..80), payload in ".{0,60}") {
            let review = of("uid-a", "shop", "default");
            let _ = Bearer::judge(Some(&token), &pod("a"), AUDIENCE, &review, at(0));
            let token = format!("x.{}.x", URL_SAFE_NO_PAD.encode(payload));
            prop_assert_eq!(judge(&token, &review, 0), Bearer::Malformed);
        }
    }
}
