//! The admin server: hyper 1 on a few fixed paths.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    ALLOW, CONTENT_SECURITY_POLICY, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use isthmus_core::{PlanReport, Rejection};
use jiff::Timestamp;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::answer::{body, text};
use super::board::Board;
use super::html;
use crate::{ListenAddress, Metrics, Page, StartError, Watches};

/// How long a client may take to send its request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

type Check = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;
type MakePage = Arc<dyn Fn() -> Page + Send + Sync>;

/// The admin server's content, and the server. Clones share the content.
///
/// | path | answer |
/// |---|---|
/// | `/livez`, `/healthz` | 200 while the process serves |
/// | `/readyz` | 200, or 503 with what is missing, one a line |
/// | `/metrics` | Prometheus text |
/// | `/plan`, `/plan?format=json` | the last plan; `null` in JSON before the first |
/// | `/`, `/?q=words` | a page for people, or the rows of it with these words |
#[derive(Clone)]
pub struct Admin {
    name: &'static str,
    metrics: Metrics,
    board: Arc<Board>,
    parts: Arc<Mutex<Parts>>,
}

#[derive(Default)]
struct Parts {
    watches: Option<Watches>,
    checks: Vec<Check>,
    page: Option<MakePage>,
    /// Whether there are neither plans nor reconciles.
    serves: bool,
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admin")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Admin {
    /// Content without watches, checks or a page of one's own.
    #[must_use]
    pub fn new(name: &'static str, metrics: Metrics) -> Self {
        Self {
            name,
            metrics,
            board: Arc::default(),
            parts: Arc::default(),
        }
    }

    /// Makes `/readyz` wait for these watches and shows them on the page.
    pub fn watches(&self, watches: &Watches) {
        self.parts().watches = Some(watches.clone());
    }

    /// Adds a condition of `/readyz`; the error says what is missing.
    pub fn ready_when(&self, check: impl Fn() -> Result<(), String> + Send + Sync + 'static) {
        self.parts().checks.push(Arc::new(check));
    }

    /// Says that the process serves requests and has neither plans nor
    /// reconciles: the page does not speak of them.
    pub fn without_plans(&self) {
        self.parts().serves = true;
    }

    /// Adds tables to the page.
    pub fn page(&self, page: impl Fn() -> Page + Send + Sync + 'static) {
        self.parts().page = Some(Arc::new(page));
    }

    /// Shows a plan. Whether it says something else than the last one.
    pub fn plan(&self, plan: &PlanReport) -> bool {
        self.board.plan(plan)
    }

    /// Shows what is rejected now, instead of what was before; gives what is new.
    pub fn rejected(&self, rejections: &[Rejection]) -> Vec<Rejection> {
        self.board.rejected(rejections)
    }

    pub(crate) fn ended(&self, took: Duration, failures: Vec<String>) {
        self.board.ended(took, failures);
    }

    /// Shows how many of something were read of AWS, and when.
    pub(crate) fn read(&self, what: &'static str, count: usize, at: SystemTime) {
        self.board
            .read(what, count, at.try_into().unwrap_or_default());
    }

    pub(crate) fn leads(&self, leads: bool) {
        self.board.leads(leads);
    }

    /// Binds the address, logs where it is bound, and serves until `shutdown`.
    ///
    /// # Errors
    ///
    /// The address cannot be bound.
    pub async fn listen(
        &self,
        address: &ListenAddress,
        shutdown: CancellationToken,
    ) -> Result<SocketAddr, StartError> {
        let failed = |error| StartError::new(format_args!("--metrics-address {address}: {error}"));
        let listener = address.bind().await.map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        tracing::info!(address = %bound, "admin server listening");
        let admin = self.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = admin.accept(listener) => {}
                () = shutdown.cancelled() => {}
            }
        });
        Ok(bound)
    }

    async fn accept(&self, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    tokio::spawn(self.clone().serve(stream));
                }
                Err(error) => {
                    // Out of file descriptors, most likely: let some be closed.
                    tracing::warn!(%error, "admin server cannot accept");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    async fn serve(self, stream: TcpStream) {
        let service = service_fn(|request: Request<Incoming>| {
            let answer = self.answer(
                request.method(),
                request.uri().path(),
                request.uri().query(),
            );
            async move { Ok::<_, Infallible>(answer) }
        });
        let served = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .serve_connection(TokioIo::new(stream), service)
            .await;
        if let Err(error) = served {
            tracing::debug!(%error, "admin connection");
        }
    }

    /// hyper leaves the body of an answer to HEAD away and keeps its length.
    fn answer(&self, method: &Method, path: &str, query: Option<&str>) -> Response<Full<Bytes>> {
        let known = matches!(
            path,
            "/" | "/livez" | "/healthz" | "/readyz" | "/metrics" | "/plan"
        );
        if !known {
            return text(StatusCode::NOT_FOUND, "not found\n".to_owned());
        }
        if method != Method::GET && method != Method::HEAD {
            let mut answer = text(
                StatusCode::METHOD_NOT_ALLOWED,
                "method not allowed\n".to_owned(),
            );
            answer
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        match path {
            "/readyz" => self.readyz(),
            "/metrics" => self.metrics_answer(),
            "/plan" => self.plan_answer(query),
            "/" => self.page_answer(query),
            _ => text(StatusCode::OK, "ok\n".to_owned()),
        }
    }

    fn readyz(&self) -> Response<Full<Bytes>> {
        let (watches, checks) = {
            let parts = self.parts();
            (parts.watches.clone(), parts.checks.clone())
        };
        let mut missing = watches.map_or_else(Vec::new, |watches| watches.missing());
        missing.extend(checks.iter().filter_map(|check| check().err()));
        if missing.is_empty() {
            text(StatusCode::OK, "ok\n".to_owned())
        } else {
            text(StatusCode::SERVICE_UNAVAILABLE, missing.join("\n") + "\n")
        }
    }

    /// Whether the watches are in sync is asked when somebody wants to know.
    fn metrics_answer(&self) -> Response<Full<Bytes>> {
        let watches = self.parts().watches.clone();
        for (watch, in_sync) in watches.iter().flat_map(Watches::in_sync) {
            self.metrics.watch(watch, in_sync);
        }
        let kind = "text/plain; version=0.0.4; charset=utf-8";
        body(StatusCode::OK, kind, self.metrics.render())
    }

    fn plan_answer(&self, query: Option<&str>) -> Response<Full<Bytes>> {
        let plan = self.board.facts().plan;
        let format = query
            .into_iter()
            .flat_map(|query| query.split('&'))
            .find_map(|pair| pair.strip_prefix("format="));
        match format {
            None | Some("text") => text(
                StatusCode::OK,
                plan.map_or_else(|| self.no_plan().to_owned(), |plan| plan.text),
            ),
            Some("json") => body(
                StatusCode::OK,
                "application/json",
                plan.map_or(serde_json::Value::Null, |plan| plan.json)
                    .to_string()
                    + "\n",
            ),
            Some(_) => text(StatusCode::BAD_REQUEST, "format: text or json\n".to_owned()),
        }
    }

    fn no_plan(&self) -> &'static str {
        if self.parts().serves {
            "there are no plans: this program changes nothing\n"
        } else {
            "no plan yet\n"
        }
    }

    fn page_answer(&self, query: Option<&str>) -> Response<Full<Bytes>> {
        let (watches, page, serves) = {
            let parts = self.parts();
            (parts.watches.clone(), parts.page.clone(), parts.serves)
        };
        let watches = watches.map(|watches| watches.section());
        let filter = html::Filter::from_query(query);
        let page = page.map_or_else(Page::default, |page| page());
        let facts = self.board.facts();
        let sections = html::Sections {
            page: &page,
            watches: watches.as_ref(),
            plans: !serves,
            filter: &filter,
        };
        let html = html::render(self.name, &facts, &sections, Timestamp::now());
        let mut answer = body(StatusCode::OK, "text/html; charset=utf-8", html);
        let headers = answer.headers_mut();
        for (name, value) in [
            (CONTENT_SECURITY_POLICY, html::POLICY),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (REFERRER_POLICY, "no-referrer"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        answer
    }

    /// A poisoned lock still holds whole values: each write is one assignment.
    fn parts(&self) -> MutexGuard<'_, Parts> {
        self.parts
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
