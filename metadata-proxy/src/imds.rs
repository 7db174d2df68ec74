//! The real instance metadata, asked in the proxy's own words.

use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::sync::Mutex;

/// A client of the real service: IMDSv2, one session, connections used again.
///
/// What goes out is a method, a path and the session token: no byte of it
/// comes from a pod, for a path is one that was on a list.
#[derive(Debug)]
pub(crate) struct Imds {
    client: Client<HttpConnector, Empty<Bytes>>,
    base: Uri,
    session: Mutex<Session>,
}

/// The session token: a secret, so there is no `Debug` of its text.
#[derive(Default)]
enum Session {
    #[default]
    None,
    Token(String, Instant),
    /// The service does not know tokens.
    V1(Instant),
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Token(..) => "Token([redacted])",
            Self::V1(_) => "V1",
        })
    }
}

/// Why the real service gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ImdsError {
    /// It does not have this.
    #[error("the instance metadata has no {0}")]
    Absent(String),
    /// It cannot be reached, or says something else.
    #[error("the instance metadata cannot be read: {0}")]
    Unavailable(String),
}

const TIMEOUT: Duration = Duration::from_secs(1);
const LARGEST: usize = 64 * 1024;
const TTL_HEADER: &str = "x-aws-ec2-metadata-token-ttl-seconds";
const TOKEN_HEADER: &str = "x-aws-ec2-metadata-token";
const TTL: Duration = Duration::from_secs(21_600);
/// A session is renewed this long before its end.
const AHEAD: Duration = Duration::from_secs(60);
/// A service without tokens is asked for one again after this.
const V1_FOR: Duration = Duration::from_secs(300);

impl Imds {
    /// A client of the service at `base`, `http://host:port`.
    pub(crate) fn new(base: Uri) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(TIMEOUT));
        connector.set_nodelay(true);
        Self {
            client: Client::builder(TokioExecutor::new())
                .pool_idle_timeout(Duration::from_secs(30))
                .build(connector),
            base,
            session: Mutex::default(),
        }
    }

    /// What the service says at `path`.
    pub(crate) async fn get(&self, path: &str) -> Result<Bytes, ImdsError> {
        let (status, body) = self.once(path).await?;
        let (status, body) = if status == StatusCode::UNAUTHORIZED {
            *self.session.lock().await = Session::None;
            self.once(path).await?
        } else {
            (status, body)
        };
        match status {
            StatusCode::OK => Ok(body),
            StatusCode::NOT_FOUND => Err(ImdsError::Absent(path.to_owned())),
            other => Err(ImdsError::Unavailable(format!("status {other}"))),
        }
    }

    /// As [`Imds::get`], as text without the space around it.
    pub(crate) async fn text(&self, path: &str) -> Result<String, ImdsError> {
        let body = self.get(path).await?;
        Ok(String::from_utf8_lossy(&body).trim().to_owned())
    }

    async fn once(&self, path: &str) -> Result<(StatusCode, Bytes), ImdsError> {
        let token = self.token().await?;
        self.send(
            Method::GET,
            path,
            token.as_deref().map(|token| (TOKEN_HEADER, token)),
        )
        .await
    }

    /// The session token, a new one if need be. Those who come meanwhile wait for it.
    async fn token(&self) -> Result<Option<String>, ImdsError> {
        let mut session = self.session.lock().await;
        let now = Instant::now();
        match &*session {
            Session::Token(token, until) if now < *until => return Ok(Some(token.clone())),
            Session::V1(until) if now < *until => return Ok(None),
            _ => {}
        }
        let seconds = TTL.as_secs().to_string();
        let (status, body) = self
            .send(
                Method::PUT,
                "/latest/api/token",
                Some((TTL_HEADER, &seconds)),
            )
            .await?;
        match status {
            StatusCode::OK => {
                let token = String::from_utf8_lossy(&body).trim().to_owned();
                *session = Session::Token(token.clone(), now + TTL - AHEAD);
                Ok(Some(token))
            }
            StatusCode::FORBIDDEN | StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
                *session = Session::V1(now + V1_FOR);
                Ok(None)
            }
            other => Err(ImdsError::Unavailable(format!(
                "no session token: status {other}"
            ))),
        }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        header: Option<(&'static str, &str)>,
    ) -> Result<(StatusCode, Bytes), ImdsError> {
        let unavailable = |error: &dyn std::error::Error| ImdsError::Unavailable(innermost(error));
        let mut parts = self.base.clone().into_parts();
        parts.path_and_query = Some(path.parse().map_err(|error| unavailable(&error))?);
        let uri = Uri::from_parts(parts).map_err(|error| unavailable(&error))?;
        let mut request = Request::builder().method(method).uri(uri);
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        let request = request
            .body(Empty::new())
            .map_err(|error| unavailable(&error))?;
        let answered = async {
            let answer = self
                .client
                .request(request)
                .await
                .map_err(|error| unavailable(&error))?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), LARGEST).collect().await;
            let body = body.map_err(|error| unavailable(&*error))?;
            Ok((status, body.to_bytes()))
        };
        tokio::time::timeout(TIMEOUT, answered)
            .await
            .unwrap_or_else(|_| Err(ImdsError::Unavailable("no answer within 1 s".to_owned())))
    }
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
