//! Pods' own tokens: those that the kubelet keeps and those that pods present.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use isthmus_core::ErrorClass;
use jiff::Timestamp;
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, TokenReviewStatus};
use kube::Api;
use kube::api::PostParams;
use metadata_proxy_core::{Claims, Grant, Identity, Refusal, Review, Secret};
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::aws::SourceError;
use crate::kubelet::KubeletRoot;
use crate::metrics::{ProxyMetrics, Reviewed, TokenFrom};

/// How long the API server's word is good: a token can be taken back by
/// deleting its pod, which the watch shows, or its service account.
const GOOD_FOR: Duration = Duration::from_secs(60);
/// After a token that is not genuine the next one of the pod has to wait, so
/// that a pod cannot make the API server busy through us.
const AFTER_REFUSAL: Duration = Duration::from_secs(1);
/// Tokens of one pod that are remembered: the old one and the new one of a few volumes.
const OF_ONE_POD: usize = 4;

/// What is known of pods' tokens. Nothing of it is ever written down.
pub(crate) struct PodTokens {
    kubelet: KubeletRoot,
    audience: String,
    metrics: ProxyMetrics,
    /// The API server, and where it is asked: not on the thread that answers pods.
    client: OnceLock<(kube::Client, Handle)>,
    pods: Mutex<BTreeMap<String, Arc<OfPod>>>,
}

#[derive(Default)]
struct OfPod {
    seen: Mutex<Vec<Seen>>,
    /// Held by the one review of the pod that is under way.
    turn: tokio::sync::Mutex<Option<Instant>>,
}

/// A token that the API server was asked about.
struct Seen {
    token: Secret,
    review: Review,
    at: Instant,
    expires: Timestamp,
}

impl fmt::Debug for PodTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PodTokens").finish_non_exhaustive()
    }
}

impl PodTokens {
    pub(crate) fn new(kubelet: KubeletRoot, audience: String, metrics: ProxyMetrics) -> Self {
        Self {
            kubelet,
            audience,
            metrics,
            client: OnceLock::new(),
            pods: Mutex::default(),
        }
    }

    /// The API server is there. It is asked on the caller's runtime.
    pub(crate) fn connect(&self, client: kube::Client) {
        let _ = self.client.set((client, Handle::current()));
    }

    /// A token for STS of the grant's pod: what the kubelet keeps for it now, or
    /// what it presented last.
    ///
    /// # Errors
    ///
    /// There is none; nothing of it is STS's fault.
    pub(crate) async fn token(&self, grant: &Grant) -> Result<Secret, SourceError> {
        let missing = match &grant.identity {
            Identity::Node => "the session is not of the pod's own identity".to_owned(),
            Identity::Pod { token: None, .. } => {
                "the pod has to present a token at /v1/credentials again".to_owned()
            }
            Identity::Pod {
                token: Some(volume),
                ..
            } => {
                let (kubelet, volume, uid) =
                    (self.kubelet.clone(), volume.clone(), grant.pod_uid.clone());
                let shown = kubelet.shown(&volume, &uid);
                let read = tokio::task::spawn_blocking(move || kubelet.token(&volume, &uid)).await;
                match read {
                    Ok(Ok(token)) => {
                        self.metrics.pod_token(TokenFrom::Volume);
                        return Ok(token);
                    }
                    Ok(Err(error)) => format!("the pod's token {shown} cannot be read: {error}"),
                    Err(error) => format!("the pod's token {shown} cannot be read: {error}"),
                }
            }
        };
        if let Some(token) = self.presented(&grant.pod_uid) {
            self.metrics.pod_token(TokenFrom::Presented);
            return Ok(token);
        }
        self.metrics.pod_token(TokenFrom::None);
        Err(SourceError {
            class: ErrorClass::Transient,
            no_token: true,
            message: missing,
        })
    }

    /// The genuine token of a pod that lives longest.
    fn presented(&self, uid: &str) -> Option<Secret> {
        let of_pod = self.pods().get(uid).cloned()?;
        let now = Timestamp::now();
        let seen = lock(&of_pod.seen);
        let genuine = seen
            .iter()
            .filter(|seen| matches!(seen.review, Review::Of { .. }) && now < seen.expires);
        let best = genuine.max_by_key(|seen| seen.expires);
        best.map(|seen| seen.token.clone())
    }

    /// Asks the API server whether the token that the pod of this UID presents
    /// is genuine, unless it has just said so. A question that takes longer than
    /// `deadline` goes on for those who ask later.
    ///
    /// # Errors
    ///
    /// It cannot be asked now, and has never found this token genuine.
    pub(crate) async fn review(
        self: &Arc<Self>,
        token: &[u8],
        uid: &str,
        deadline: Instant,
    ) -> Result<Review, Refusal> {
        let token = std::str::from_utf8(token).map_err(|_| Refusal::BearerMalformed)?;
        let of_pod = self.pods().entry(uid.to_owned()).or_default().clone();
        if let Some(review) = of_pod.known(token) {
            return Ok(review);
        }
        let Some((_, runtime)) = self.client.get() else {
            return of_pod.once_genuine(token).ok_or(Refusal::NotReady);
        };
        let (tokens, secret) = (self.clone(), Secret::new(token));
        let pod = of_pod.clone();
        let asked = runtime.spawn(async move { tokens.in_turn(&pod, &secret).await });
        match tokio::time::timeout_at(deadline, asked).await {
            Ok(Ok(Ok(review))) => Ok(review),
            // As pods are served that are known while the API server is away.
            Ok(Ok(Err(refusal))) => of_pod.once_genuine(token).ok_or(refusal),
            Ok(Err(_)) | Err(_) => of_pod.once_genuine(token).ok_or(Refusal::ReviewUnavailable),
        }
    }

    /// One review of a pod at a time.
    async fn in_turn(&self, of_pod: &OfPod, token: &Secret) -> Result<Review, Refusal> {
        let token = token.expose();
        let mut refused = of_pod.turn.lock().await;
        // Another request has asked meanwhile.
        if let Some(review) = of_pod.known(token) {
            return Ok(review);
        }
        if refused.is_some_and(|at| at.elapsed() < AFTER_REFUSAL) {
            return Err(Refusal::ReviewUnavailable);
        }
        let review = self.ask(token).await?;
        *refused = (review == Review::Refused).then(Instant::now);
        of_pod.keep(token, &review);
        Ok(review)
    }

    async fn ask(&self, token: &str) -> Result<Review, Refusal> {
        let (client, _) = self.client.get().ok_or(Refusal::NotReady)?;
        let question = TokenReview {
            spec: TokenReviewSpec {
                token: Some(token.to_owned()),
                audiences: Some(vec![self.audience.clone()]),
            },
            ..TokenReview::default()
        };
        let reviews = Api::<TokenReview>::all(client.clone());
        match reviews.create(&PostParams::default(), &question).await {
            Ok(answer) => {
                let review = read(answer.status.unwrap_or_default(), &self.audience);
                self.metrics.reviewed(match review {
                    Review::Of { .. } => Reviewed::Genuine,
                    Review::Refused | Review::None => Reviewed::Refused,
                });
                Ok(review)
            }
            Err(error) => {
                self.metrics.reviewed(Reviewed::Failed);
                tracing::warn!(%error, "a pod's token cannot be reviewed");
                Err(Refusal::ReviewUnavailable)
            }
        }
    }

    /// Forgets the tokens of pods that are gone.
    pub(crate) fn retain(&self, lives: impl Fn(&str) -> bool) {
        self.pods().retain(|uid, _| lives(uid));
    }

    fn pods(&self) -> MutexGuard<'_, BTreeMap<String, Arc<OfPod>>> {
        lock(&self.pods)
    }
}

impl OfPod {
    /// What the API server has just said of this token.
    fn known(&self, token: &str) -> Option<Review> {
        let seen = lock(&self.seen);
        let same = seen
            .iter()
            .find(|seen| seen.token.expose() == token && seen.at.elapsed() < GOOD_FOR);
        same.map(|seen| seen.review.clone())
    }

    /// What the API server has said of a genuine token at any time. That it has
    /// expired is seen elsewhere.
    fn once_genuine(&self, token: &str) -> Option<Review> {
        let seen = lock(&self.seen);
        let genuine =
            |seen: &&Seen| seen.token.expose() == token && matches!(seen.review, Review::Of { .. });
        seen.iter().find(genuine).map(|seen| seen.review.clone())
    }

    fn keep(&self, token: &str, review: &Review) {
        let mut seen = lock(&self.seen);
        seen.retain(|seen| seen.token.expose() != token);
        if seen.len() >= OF_ONE_POD {
            // One that is not genuine before one that is, and the oldest first.
            let oldest = seen
                .iter()
                .enumerate()
                .min_by_key(|(_, seen)| (matches!(seen.review, Review::Of { .. }), seen.at));
            if let Some((at, _)) = oldest {
                seen.remove(at);
            }
        }
        let expires = Claims::read(token.as_bytes()).map(|claims| claims.expires);
        seen.push(Seen {
            token: Secret::new(token),
            review: review.clone(),
            at: Instant::now(),
            expires: expires.unwrap_or(Timestamp::MIN),
        });
    }
}

/// The pod in the API server's answer. The extra fields are those of
/// [bound tokens](https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#bound-service-account-tokens).
fn read(status: TokenReviewStatus, audience: &str) -> Review {
    let for_us = status.audiences.iter().flatten().any(|of| of == audience);
    if status.authenticated != Some(true) || !for_us {
        return Review::Refused;
    }
    let user = status.user.unwrap_or_default();
    let name = user.username.unwrap_or_default();
    let account = name
        .strip_prefix("system:serviceaccount:")
        .and_then(|name| name.split_once(':'));
    let uids = user
        .extra
        .and_then(|mut extra| extra.remove("authentication.kubernetes.io/pod-uid"));
    match (account, uids.unwrap_or_default().as_slice()) {
        (Some((namespace, service_account)), [pod_uid]) => Review::Of {
            pod_uid: pod_uid.clone(),
            namespace: namespace.to_owned(),
            service_account: service_account.to_owned(),
        },
        _ => Review::Refused,
    }
}

/// A poisoned lock still holds whole values: each write is one assignment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
impl PodTokens {
    /// As if the API server had just said this.
    pub(crate) fn say(&self, uid: &str, token: &str, review: &Review) {
        let of_pod = self.pods().entry(uid.to_owned()).or_default().clone();
        of_pod.keep(token, review);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(json: serde_json::Value) -> TokenReviewStatus {
        serde_json::from_value(json).unwrap()
    }

    fn genuine() -> serde_json::Value {
        serde_json::json!({
            "authenticated": true,
            "audiences": ["sts.amazonaws.com"],
            "user": {
                "username": "system:serviceaccount:shop:web",
                "extra": {"authentication.kubernetes.io/pod-uid": ["u1"]},
            },
        })
    }

    #[test]
    fn only_a_bound_token_of_a_service_account_for_this_audience_is_genuine() {
        let read = |json| read(status(json), "sts.amazonaws.com");
        let of = Review::Of {
            pod_uid: "u1".into(),
            namespace: "shop".into(),
            service_account: "web".into(),
        };
        assert_eq!(read(genuine()), of);
        for (pointer, value) in [
            ("/authenticated", serde_json::json!(false)),
            ("/audiences", serde_json::json!(["vault"])),
            ("/audiences", serde_json::json!([])),
            ("/user/username", serde_json::json!("alice")),
            ("/user/extra", serde_json::json!({})),
            (
                "/user/extra",
                serde_json::json!({"authentication.kubernetes.io/pod-uid": ["u1", "u2"]}),
            ),
        ] {
            let mut json = genuine();
            *json.pointer_mut(pointer).unwrap() = value;
            assert_eq!(read(json), Review::Refused, "{pointer}");
        }
        assert_eq!(read(serde_json::json!({})), Review::Refused);
    }

    #[tokio::test]
    async fn a_token_once_genuine_is_so_while_the_api_server_is_away() {
        let kubelet = KubeletRoot::new("/nonexistent".into());
        let metrics = ProxyMetrics::new(&isthmus_runtime::Metrics::new());
        let tokens = Arc::new(PodTokens::new(kubelet, "sts.amazonaws.com".into(), metrics));
        let of = Review::Of {
            pod_uid: "u1".into(),
            namespace: "shop".into(),
            service_account: "web".into(),
        };
        tokens.say("u1", "genuine", &of);
        tokens.say("u1", "bogus", &Review::Refused);
        let long_ago = |seen: &mut Seen| seen.at = seen.at.checked_sub(2 * GOOD_FOR).unwrap();
        let of_pod = tokens.pods()["u1"].clone();
        of_pod.seen.lock().unwrap().iter_mut().for_each(long_ago);
        let deadline = || Instant::now() + Duration::from_secs(5);
        let ask = async |token: &str| tokens.review(token.as_bytes(), "u1", deadline()).await;
        assert_eq!(ask("genuine").await, Ok(of));
        assert_eq!(ask("bogus").await, Err(Refusal::NotReady));
        assert_eq!(ask("new").await, Err(Refusal::NotReady));
    }

    #[test]
    fn few_tokens_of_a_pod_are_remembered() {
        let of_pod = OfPod::default();
        let of = Review::Of {
            pod_uid: "u1".into(),
            namespace: "shop".into(),
            service_account: "web".into(),
        };
        of_pod.keep("genuine", &of);
        for n in 0..100 {
            of_pod.keep(&format!("bogus-{n}"), &Review::Refused);
        }
        assert_eq!(of_pod.seen.lock().unwrap().len(), OF_ONE_POD);
        assert_eq!(of_pod.known("genuine"), Some(of));
        assert_eq!(of_pod.known("bogus-99"), Some(Review::Refused));
        assert_eq!(of_pod.known("bogus-0"), None);
    }
}
