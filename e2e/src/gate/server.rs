//! The gate's listeners and its way to the emulators.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use hyper::http::{request, response};
use hyper::{Request, Response, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::answer::AwsError;
use super::call::Outcome;
use super::record::{Delivery, Forward, Record, Verdict};
use super::request::{Asked, REHEARSED};
use super::route53::{self, Route53};
use crate::testbed::{Body, Cut, Emulators, serve};

/// What the connections share.
pub(super) struct Server {
    pub(super) record: Record,
    emulators: Emulators,
    route53: Route53,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// An emulator's answer, or a refusal in its place.
type Answer = Result<Response<Body>, Cut>;

impl Server {
    pub(super) fn new(emulators: Emulators) -> Self {
        Self {
            record: Record::new(),
            route53: Route53::new(emulators.ministack()),
            emulators,
            // moto speaks HTTP/1.0 and closes; MiniStack's connections are not
            // worth the risk of a reset on reuse.
            client: Client::builder(TokioExecutor::new())
                .pool_max_idle_per_host(0)
                .build_http(),
        }
    }

    /// Carries the call out; the status is the emulator's.
    async fn carry_out(&self, asked: &Asked, parts: &request::Parts, body: Bytes) -> Carried {
        // moto knows dry runs of some actions and carries the others out.
        if asked.action.starts_with(REHEARSED) {
            return Carried::refused(&AwsError::rehearsed(), asked);
        }
        let body = if asked.service == "route53" {
            match self.route53.before(asked, parts, body).await {
                Ok(route53::Before::Send(body)) => body,
                Ok(route53::Before::Answer(response)) => return Carried::of(response),
                Err(error) => return Carried::refused(&error, asked),
            }
        } else {
            body
        };
        let forwarded = self.forward(asked, parts, body).await;
        self.route53.after(asked);
        match forwarded {
            Ok((parts, body)) => {
                if parts.status.is_server_error() {
                    let start: String = String::from_utf8_lossy(&body).chars().take(2000).collect();
                    self.record.internal_error(format!(
                        "{} {} {:?}: {} {start}",
                        asked.service, asked.action, asked.params, parts.status
                    ));
                }
                Carried {
                    response: Response::from_parts(parts, Body::whole(body)),
                    outcome: Outcome::Answered,
                }
            }
            Err(error) => {
                self.record
                    .internal_error(format!("{} {}: {error:#}", asked.service, asked.action));
                Carried::of(AwsError::internal(&asked.service).response(asked.protocol))
            }
        }
    }

    async fn forward(
        &self,
        asked: &Asked,
        parts: &request::Parts,
        body: Bytes,
    ) -> Result<(response::Parts, Bytes)> {
        let is_route53 = asked.service == "route53";
        let base = if is_route53 {
            self.emulators.ministack()
        } else {
            self.emulators.moto()
        };
        let mut path = parts
            .uri
            .path_and_query()
            .map_or("/", |path| path.as_str())
            .to_owned();
        if is_route53 {
            path = route53::plain_query(&path);
        }
        let uri: Uri = format!("{base}{path}").parse()?;
        let mut request = Request::builder().method(&parts.method).uri(uri);
        for (name, value) in &parts.headers {
            // Framing belongs to each connection, not to the message.
            if ![CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING].contains(name) {
                request = request.header(name, value);
            }
        }
        let request = request.body(Full::new(body))?;
        let response = self.client.request(request).await.context("no answer")?;
        let (mut parts, body) = response.into_parts();
        let mut body = body.collect().await.context("half an answer")?.to_bytes();
        for name in [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
            parts.headers.remove(name);
        }
        parts.version = hyper::Version::HTTP_11;
        if is_route53 {
            body = route53::escaped_names(&body);
        }
        Ok((parts, body))
    }
}

/// What came of carrying a call out.
struct Carried {
    response: Response<Body>,
    outcome: Outcome,
}

impl Carried {
    fn of(response: Response<Body>) -> Self {
        Self {
            response,
            outcome: Outcome::Answered,
        }
    }

    fn refused(error: &AwsError, asked: &Asked) -> Self {
        Self {
            response: error.response(asked.protocol),
            outcome: Outcome::Refused,
        }
    }
}

/// Opens a listener; calls through a `recorded` one are recorded, limited and
/// struck by faults.
pub(super) async fn listen(server: &Arc<Server>, recorded: bool) -> Result<String> {
    let server = Arc::clone(server);
    serve(move |request| handle(Arc::clone(&server), recorded, request)).await
}

async fn handle(server: Arc<Server>, recorded: bool, request: Request<Incoming>) -> Answer {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
    let asked = Asked::new(&parts.method, &parts.uri, &parts.headers, &body);
    if !recorded {
        return Ok(server.carry_out(&asked, &parts, body).await.response);
    }
    // Subscribed before the verdict, so that no release is missed.
    let released = server.record.released();
    match server.record.decide(&asked, Instant::now()) {
        Verdict::Hold | Verdict::Silence => {
            released.await;
            Err(Cut)
        }
        Verdict::Cut => Err(Cut),
        Verdict::Refuse(error) => Ok(error.response(asked.protocol)),
        Verdict::Forward(forward) => {
            // A task of its own: a client that dies in the middle does not
            // take back what it asked for.
            let task = tokio::spawn(deliver(server, forward, asked, parts, body));
            task.await.map_err(|_| Cut)?
        }
    }
}

async fn deliver(
    server: Arc<Server>,
    mut forward: Forward,
    asked: Asked,
    parts: request::Parts,
    body: Bytes,
) -> Answer {
    if let Some(mut held) = forward.held.take() {
        let _ = held.changed().await;
    }
    if forward.delay > Duration::ZERO {
        tokio::time::sleep(forward.delay).await;
    }
    let mut carried = server.carry_out(&asked, &parts, body).await;
    let mut whole = forward.delivery == Delivery::Whole;
    if let Delivery::ExpiresIn(life) = forward.delivery {
        carried.response = expiring(carried.response, life).await?;
        whole = true;
    }
    let outcome = if whole {
        carried.outcome
    } else {
        Outcome::Lost
    };
    let status = carried.response.status().as_u16();
    match forward.delivery {
        Delivery::Whole | Delivery::ExpiresIn(_) => {
            server.record.done(&forward, status, outcome);
            Ok(carried.response)
        }
        Delivery::Malformed => {
            server.record.done(&forward, status, outcome);
            let page = "<html><body>It works!</body></html>";
            Ok(Response::new(Body::whole(page)))
        }
        Delivery::CutShort => {
            let (parts, body) = carried.response.into_parts();
            let body = body.collect().await?.to_bytes();
            server.record.done(&forward, status, outcome);
            let half = body.slice(..body.len() / 2);
            Ok(Response::from_parts(parts, Body::whole(half)))
        }
        Delivery::Half => {
            let (parts, body) = carried.response.into_parts();
            let body = body.collect().await?.to_bytes();
            server.record.done(&forward, status, outcome);
            Ok(Response::from_parts(parts, Body::half(&body)))
        }
        Delivery::Truncated => {
            let (mut parts, body) = carried.response.into_parts();
            let body = body.collect().await?.to_bytes();
            server.record.done(&forward, status, outcome);
            parts.headers.remove(hyper::header::CONTENT_LENGTH);
            let part = body.slice(..body.len() / 3);
            Ok(Response::from_parts(parts, Body::whole(part)))
        }
        Delivery::Lost => {
            server.record.done(&forward, 0, outcome);
            Err(Cut)
        }
        Delivery::Stop => {
            let released = server.record.released();
            server.record.done(&forward, 0, outcome);
            released.await;
            Err(Cut)
        }
    }
}

/// The answer with another end of the credentials in it.
async fn expiring(response: Response<Body>, life: Duration) -> Result<Response<Body>, Cut> {
    let (mut parts, body) = response.into_parts();
    let body = body.collect().await?.to_bytes();
    let mut text = String::from_utf8_lossy(&body).into_owned();
    let start = text
        .find("<Expiration>")
        .map(|at| at + "<Expiration>".len());
    if let Some(start) = start
        && let Some(length) = text[start..].find('<')
    {
        let end = jiff::Timestamp::now() + life;
        let end = end.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        text.replace_range(start..start + length, &end);
    }
    parts.headers.remove(CONTENT_LENGTH);
    Ok(Response::from_parts(parts, Body::whole(text)))
}
