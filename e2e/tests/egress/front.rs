//! An API server that lies: a door before the real one, at which lists of
//! ConfigMaps go wrong and watches are lost.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use isthmus_e2e::Testbed;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

type Answer = Response<UnsyncBoxBody<Bytes, kube::Error>>;

/// What is to go wrong, and what has been asked.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    /// So many lists have no items.
    pub(crate) empty_lists: usize,
    /// Lists are refused with 500.
    pub(crate) no_lists: bool,
    /// One more list, and the next ones are refused.
    pub(crate) last_list: bool,
    /// Watches end with 410: the history they ask for is gone.
    pub(crate) no_history: bool,
    /// How often ConfigMaps were listed.
    pub(crate) lists: usize,
}

/// The door. It is shut when this is dropped.
pub(crate) struct Front {
    kubeconfig: PathBuf,
    rules: Arc<Mutex<Rules>>,
    connections: Arc<Mutex<JoinSet<()>>>,
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Front {
    pub(crate) async fn new(testbed: &Testbed) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let server = format!("http://{}", listener.local_addr()?);
        let kubeconfig = testbed.scratch()?.join("front.kubeconfig");
        let text = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": server}}],
            "users": [{"name": "u", "user": {}}],
        });
        std::fs::write(&kubeconfig, text.to_string())?;
        let front = Self {
            kubeconfig,
            rules: Arc::default(),
            connections: Arc::default(),
        };
        let (rules, connections) = (front.rules.clone(), front.connections.clone());
        let kube = testbed.kube();
        tokio::spawn(async move {
            loop {
                // A connection that failed before it was accepted is its client's matter.
                let Ok((stream, _)) = listener.accept().await else {
                    continue;
                };
                let (kube, rules) = (kube.clone(), rules.clone());
                let service = service_fn(move |request| {
                    let (kube, rules) = (kube.clone(), rules.clone());
                    async move { Ok::<_, Infallible>(answer(kube, &rules, request).await) }
                });
                lock(&connections).spawn(async move {
                    let connection = hyper::server::conn::http1::Builder::new();
                    let served = connection.serve_connection(TokioIo::new(stream), service);
                    let _ = served.await;
                });
            }
        });
        Ok(front)
    }

    pub(crate) fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    pub(crate) fn rules(&self) -> MutexGuard<'_, Rules> {
        lock(&self.rules)
    }

    /// Cuts every connection, watches included.
    pub(crate) fn cut(&self) {
        lock(&self.connections).abort_all();
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.cut();
    }
}

async fn answer(kube: kube::Client, rules: &Mutex<Rules>, request: Request<Incoming>) -> Answer {
    let of_config_maps =
        request.method() == Method::GET && request.uri().path().ends_with("/configmaps");
    let watch = request
        .uri()
        .query()
        .unwrap_or_default()
        .contains("watch=true");
    let mut empty = false;
    if of_config_maps {
        let mut rules = lock(rules);
        if watch && rules.no_history {
            // As the API server says it: in the stream, once it has begun.
            let error = json!({"type": "ERROR", "object": status(StatusCode::GONE, "Expired")});
            return Response::new(whole(format!("{error}\n")));
        }
        if !watch {
            rules.lists += 1;
            if rules.no_lists {
                return refuse(StatusCode::INTERNAL_SERVER_ERROR, "InternalError");
            }
            rules.no_lists = rules.last_list;
            empty = rules.empty_lists > 0;
            rules.empty_lists = rules.empty_lists.saturating_sub(1);
        }
    }
    match pass(kube, request, empty).await {
        Ok(answer) => answer,
        Err(error) => refuse(StatusCode::BAD_GATEWAY, &error.to_string()),
    }
}

async fn pass(kube: kube::Client, request: Request<Incoming>, empty: bool) -> Result<Answer> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut passed = Request::builder().method(parts.method).uri(path);
    for name in ["accept", "content-type"] {
        if let Some(value) = parts.headers.get(name) {
            passed = passed.header(name, value);
        }
    }
    let body = Body::from(body.collect().await?.to_bytes().to_vec());
    let (head, body) = kube.send(passed.body(body)?).await?.into_parts();
    if !empty {
        return Ok(Response::from_parts(head, body.boxed_unsync()));
    }
    let mut list: Value = serde_json::from_slice(&body.collect().await?.to_bytes())?;
    list["items"] = json!([]);
    Ok(Response::new(whole(list.to_string())))
}

fn whole(text: String) -> UnsyncBoxBody<Bytes, kube::Error> {
    let body = Full::new(Bytes::from(text));
    body.map_err(|never| match never {}).boxed_unsync()
}

fn status(code: StatusCode, reason: &str) -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure",
        "message": reason, "reason": reason, "code": code.as_u16(),
    })
}

fn refuse(code: StatusCode, reason: &str) -> Answer {
    let mut answer = Response::new(whole(status(code, reason).to_string()));
    *answer.status_mut() = code;
    answer
}
