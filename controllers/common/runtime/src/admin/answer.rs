//! Answers of the admin server. None may be cached.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};

pub(super) fn text(status: StatusCode, content: String) -> Response<Full<Bytes>> {
    body(status, "text/plain; charset=utf-8", content)
}

pub(super) fn body(
    status: StatusCode,
    kind: &'static str,
    content: String,
) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(Bytes::from(content)));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
