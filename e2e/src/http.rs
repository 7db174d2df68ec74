//! A plain HTTP client for loopback: the emulators' control pages and the
//! admin servers of the binaries.

use anyhow::{Context, Result};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use crate::PATIENCE;

/// `GET url`: the status and the body as text.
///
/// # Errors
/// If nobody answers within [`PATIENCE`].
pub async fn get(url: &str) -> Result<(StatusCode, String)> {
    send(Method::GET, url, &[], String::new()).await
}

/// `POST url` with `body` as `application/json`.
///
/// # Errors
/// If nobody answers within [`PATIENCE`].
pub async fn post(url: &str, body: String) -> Result<(StatusCode, String)> {
    send(
        Method::POST,
        url,
        &[("content-type", "application/json")],
        body,
    )
    .await
}

/// One request with the given headers.
///
/// # Errors
/// If nobody answers within [`PATIENCE`].
pub async fn send(
    method: Method,
    url: &str,
    headers: &[(&str, &str)],
    body: String,
) -> Result<(StatusCode, String)> {
    let mut request = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::from(body)))?;
    // A client of its own for each request: its connection must not outlive
    // the runtime of the test that asked.
    let client = Client::builder(TokioExecutor::new())
        .pool_max_idle_per_host(0)
        .build_http::<Full<Bytes>>();
    let answer = async {
        let response = client.request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        anyhow::Ok((status, String::from_utf8_lossy(&body).into_owned()))
    };
    tokio::time::timeout(PATIENCE, answer)
        .await
        .with_context(|| format!("{url}: no answer"))?
        .with_context(|| url.to_owned())
}
