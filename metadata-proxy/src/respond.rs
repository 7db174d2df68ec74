//! The way of a request: classify, identify, decide, act, respond.

use std::net::IpAddr;
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, SERVER};
use hyper::{HeaderMap, Request, Response, StatusCode};
use jiff::Timestamp;
use metadata_proxy_core::{
    AllowedHosts, Answer, Caller, Class, Directory, Found, Headers, ImdsV2, Policy, Presented,
    Refusal, Review, Shown, Target, TokenKey, UpstreamPaths, Verdict, classify, decide,
};
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::config::Waits;
use crate::credentials::CredentialStore;
use crate::directory::SharedDirectory;
use crate::duplicates::Duplicates;
use crate::health::Health;
use crate::imds::{Imds, ImdsError};
use crate::limit::RequestLimit;
use crate::metrics::ProxyMetrics;
use crate::pod_tokens::PodTokens;
use crate::report::Reporter;

/// The two ends of a connection, as the kernel has them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    /// Who asks.
    pub(crate) address: IpAddr,
    /// Whom they asked.
    pub(crate) local: IpAddr,
}

/// Everything that an answer is made of.
pub(crate) struct Responder {
    pub(crate) hosts: AllowedHosts,
    pub(crate) upstream: UpstreamPaths,
    pub(crate) imds_v2: ImdsV2,
    pub(crate) waits: Waits,
    pub(crate) limit: RequestLimit,
    pub(crate) host_ip: String,
    pub(crate) key: TokenKey,
    pub(crate) directory: SharedDirectory,
    pub(crate) credentials: Arc<CredentialStore>,
    pub(crate) imds: Arc<Imds>,
    pub(crate) health: Health,
    /// Those that pods present, and what the API server says of them.
    pub(crate) tokens: Arc<PodTokens>,
    /// With `--resolve-duplicate-cache-ips`.
    pub(crate) duplicates: Option<Arc<Duplicates>>,
    pub(crate) reporter: Reporter,
    pub(crate) metrics: ProxyMetrics,
    /// Where everything is done that is more than an answer from memory.
    pub(crate) aside: Handle,
}

/// hyper's headers, as the core reads them.
struct HyperHeaders<'a>(&'a HeaderMap);

impl Headers for HyperHeaders<'_> {
    fn values(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.0.get_all(name).iter().map(HeaderValue::as_bytes)
    }
}

impl Responder {
    /// Whether a living pod has the address.
    pub(crate) fn knows(&self, address: IpAddr) -> bool {
        self.directory.look(|directory| {
            let found = directory.pods.find(address, Timestamp::now());
            matches!(found, Found::Pod(_) | Found::Ambiguous(_))
        })
    }

    /// Answers one request. Its body is never read.
    pub(crate) async fn respond(
        &self,
        peer: Peer,
        request: &Request<Incoming>,
    ) -> Response<Full<Bytes>> {
        let start = Instant::now();
        let headers = HyperHeaders(request.headers());
        let class = classify(
            &metadata_proxy_core::Request {
                method: request.method().as_str(),
                target: target(request.uri()),
                headers: &headers,
                local: peer.local,
            },
            &self.hosts,
            &self.upstream,
        );
        let answered = match &class {
            Class::Health => self.answer(peer.address, &class, start).await,
            // Before anything that costs more than reading what it asks.
            _ if !self.limit.allows(peer.address) => Err(Refusal::TooManyRequests),
            _ => self.answer(peer.address, &class, start).await,
        };
        let answer = match answered {
            Ok(answer) => answer,
            Err(refusal) => {
                self.metrics.refused(refusal);
                tracing::debug!(peer = %peer.address, reason = refusal.as_str(), "refused");
                match class {
                    Class::Container { .. } => Answer::container_refusal(refusal),
                    _ => Answer::refusal(refusal),
                }
            }
        };
        self.metrics.answered(answer.status, start.elapsed());
        response(answer)
    }

    async fn answer(
        &self,
        peer: IpAddr,
        class: &Class<'_>,
        start: Instant,
    ) -> Result<Answer, Refusal> {
        let verdict = self.judge(peer, class, start).await;
        let now = Timestamp::now();
        match verdict {
            Verdict::Refuse(refusal) | Verdict::Wait(refusal) => Err(refusal),
            // `judge` has had every token reviewed.
            Verdict::Review(_) => Err(Refusal::ReviewUnavailable),
            Verdict::IssueToken(pod, ttl) => {
                Ok(Answer::token(&self.key.issue(&pod.uid, ttl, now), ttl))
            }
            Verdict::ListRole(grant) => Ok(self.with_base(|base| Answer::role_list(&grant, base))),
            Verdict::DescribeRole(grant) => Ok(Answer::instance_info(&grant, now)),
            Verdict::GiveCredentials(grant) => {
                let deadline = start + self.waits.answer;
                let prepared = self.credentials.get(&grant, deadline).await?;
                Ok(Answer::credentials(&prepared))
            }
            Verdict::GiveToContainer(grant) => {
                let deadline = start + self.waits.answer;
                let prepared = self.credentials.get(&grant, deadline).await?;
                Ok(Answer::container_credentials(&prepared))
            }
            Verdict::AskUpstream(path) => {
                let (imds, path) = (self.imds.clone(), path.to_owned());
                match self.aside.spawn(async move { imds.get(&path).await }).await {
                    Ok(Ok(body)) => Ok(Answer::upstream(&body)),
                    Ok(Err(ImdsError::Absent(_))) => Err(Refusal::NotFound),
                    Ok(Err(_)) | Err(_) => Err(Refusal::UpstreamUnavailable),
                }
            }
            Verdict::TellHealth => {
                let id = self.health.check()?;
                Ok(Answer::health(&self.host_ip, &id))
            }
        }
    }

    /// Decides, and decides again with each change of what is known while a pod
    /// or its namespace may still appear, and once the API server has had its say
    /// about a token.
    async fn judge<'a>(&self, peer: IpAddr, class: &Class<'a>, start: Instant) -> Verdict<'a> {
        let deadline = start + self.waits.pod;
        let mut changes = None;
        let mut review = Review::None;
        loop {
            let (caller, verdict) = self
                .directory
                .look(|directory| self.decide(directory, peer, class, &review));
            if let (Verdict::Review(pod), Class::Container { bearer }) = (&verdict, class) {
                let token = bearer.unwrap_or_default();
                let deadline = start + self.waits.answer;
                match self.tokens.review(token, &pod.uid, deadline).await {
                    Ok(said) if said != Review::None => review = said,
                    Ok(_) => return Verdict::Refuse(Refusal::ReviewUnavailable),
                    Err(refusal) => return Verdict::Refuse(refusal),
                }
                continue;
            }
            if let Verdict::Refuse(refusal) = verdict {
                if refusal == Refusal::AmbiguousAddress && self.resolve(peer, deadline).await {
                    continue;
                }
                self.reporter.refused(peer, &caller, refusal);
            }
            if !matches!(verdict, Verdict::Wait(_)) {
                return verdict;
            }
            let Some(changes) = changes.as_mut() else {
                // Subscribe, then look once more: a change in between is not missed.
                changes = Some(self.directory.changes());
                continue;
            };
            if !matches!(
                tokio::time::timeout_at(deadline, changes.changed()).await,
                Ok(Ok(()))
            ) {
                return verdict;
            }
        }
    }

    /// Whether the API server had something to say about an address of more than one pod.
    async fn resolve(&self, peer: IpAddr, deadline: Instant) -> bool {
        let Some(duplicates) = self.duplicates.clone() else {
            return false;
        };
        let resolving = self
            .aside
            .spawn(async move { duplicates.resolve(peer).await });
        let resolved = tokio::time::timeout_at(deadline, resolving).await;
        matches!(resolved, Ok(Ok(true)))
    }

    fn decide<'a>(
        &self,
        directory: &Directory,
        peer: IpAddr,
        class: &Class<'a>,
        review: &Review,
    ) -> (Caller, Verdict<'a>) {
        let policy = Policy {
            imds_v2: self.imds_v2,
            base: directory.rules.base.as_ref(),
        };
        let caller = match class {
            // Nothing about them depends on who asks.
            Class::Refused(_) | Class::Health => Caller::Unknown,
            Class::Token(_) => self.shown(directory, peer, None),
            Class::Metadata { token, .. } => self.shown(directory, peer, *token),
            Class::Container { bearer } => {
                let presented = Presented {
                    token: *bearer,
                    review,
                };
                self.directory
                    .identify_bearer(directory, peer, presented, Timestamp::now())
            }
        };
        let verdict = decide(class, &caller, policy);
        (caller, verdict)
    }

    fn shown(&self, directory: &Directory, peer: IpAddr, token: Option<&[u8]>) -> Caller {
        let shown = Shown {
            token,
            key: &self.key,
        };
        self.directory
            .identify(directory, peer, shown, Timestamp::now())
    }

    fn with_base<T>(&self, make: impl FnOnce(Option<&metadata_proxy_core::BaseArn>) -> T) -> T {
        self.directory
            .look(|directory| make(directory.rules.base.as_ref()))
    }
}

/// hyper has parsed the target and cut a fragment off; nothing else was changed.
fn target(uri: &hyper::Uri) -> Target<'_> {
    if uri.scheme().is_some() || uri.authority().is_some() {
        return Target::Proxy;
    }
    Target::Origin {
        path: uri.path(),
        query: uri.query().is_some(),
    }
}

fn response(answer: Answer) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_owner(answer.body)));
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(
        SERVER,
        HeaderValue::from_static(metadata_proxy_core::SERVER),
    );
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    if let Some((name, value)) = answer.header
        && let Ok(value) = HeaderValue::from_str(&value)
    {
        headers.insert(HeaderName::from_static(name), value);
    }
    if answer.close {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
