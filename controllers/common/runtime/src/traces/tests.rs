use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use serde_json::Value;
use tracing_subscriber::layer::SubscriberExt as _;

use super::*;

/// A collector: the first line and the body of each request.
fn collector() -> (OtlpEndpoint, Receiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let (mut first, mut length) = (String::new(), 0);
            reader.read_line(&mut first).unwrap();
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if let Some(value) = line.strip_prefix("Content-Length: ") {
                    length = value.trim().parse().unwrap();
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let body = serde_json::from_slice(&body).unwrap();
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
            reader.get_mut().write_all(answer).unwrap();
            let _ = sender.send((first, body));
        }
    });
    (format!("http://{address}").parse().unwrap(), receiver)
}

#[test]
fn calls_are_below_steps_and_steps_below_the_reconcile() {
    let (endpoint, received) = collector();
    let (layer, traces) = start("isthmus-test", &endpoint);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        let reconcile = tracing::info_span!(target: TRACE, "reconcile", full = true).entered();
        let step = tracing::info_span!(target: TRACE, "step", step = "observe").entered();
        tracing::debug!(
            target: CALL, service = "ec2", operation = "DescribeSubnets", outcome = "throttled",
            request_id = "r-1", took_ms = 20.0, "AWS call"
        );
        tracing::info!("no span");
        drop((step, reconcile));
    });
    drop(traces);
    // In one request, or in several where the machine is slow.
    let mut spans = Vec::new();
    while spans.len() < 3 {
        let (first, body) = received.recv().unwrap();
        assert_eq!(first, "POST /v1/traces HTTP/1.1\r\n");
        let resource = &body["resourceSpans"][0];
        let service = &resource["resource"]["attributes"][0]["value"]["stringValue"];
        assert_eq!(service, "isthmus-test");
        spans.extend_from_slice(resource["scopeSpans"][0]["spans"].as_array().unwrap());
    }
    let names: Vec<_> = spans
        .iter()
        .map(|span| span["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["ec2.DescribeSubnets", "observe", "reconcile"]);
    let [call, step, reconcile] = spans.as_slice() else {
        panic!("{spans:?}");
    };
    assert_eq!(call["parentSpanId"], step["spanId"]);
    assert_eq!(step["parentSpanId"], reconcile["spanId"]);
    assert_eq!(reconcile["parentSpanId"], "");
    assert_eq!(call["traceId"], reconcile["traceId"]);
    assert_eq!(call["traceId"].as_str().unwrap().len(), 32);
    assert_eq!(
        (&call["kind"], &call["status"]["code"]),
        (&3.into(), &2.into())
    );
    let time = |span: &Value, name: &str| span[name].as_str().unwrap().parse::<u128>().unwrap();
    let took = time(call, "endTimeUnixNano") - time(call, "startTimeUnixNano");
    assert_eq!(took, 20_000_000);
    let attributes = call["attributes"].to_string();
    for said in ["aws.request_id", "r-1", "rpc.method", "isthmus.outcome"] {
        assert!(attributes.contains(said), "{said} in {attributes}");
    }
    assert!(!attributes.contains("AWS call"), "{attributes}");
}

#[test]
fn nobody_listens_and_nothing_waits() {
    let endpoint = "http://127.0.0.1:1".parse().unwrap();
    let (layer, traces) = start("isthmus-test", &endpoint);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        for _ in 0..5000 {
            drop(tracing::info_span!(target: TRACE, "reconcile"));
        }
    });
    drop(traces);
}

#[test]
fn endpoints() {
    let read = |text: &str| text.parse::<OtlpEndpoint>().map(|e| e.to_string());
    for (text, url) in [
        ("http://otel:4318", "http://otel:4318/v1/traces"),
        ("http://otel:4318/", "http://otel:4318/v1/traces"),
        ("http://otel:4318/v1/traces", "http://otel:4318/v1/traces"),
        (
            "http://[::1]:4318/otlp/",
            "http://[::1]:4318/otlp/v1/traces",
        ),
    ] {
        assert_eq!(read(text).as_deref(), Ok(url), "{text}");
    }
    for text in [
        "otel:4318",
        "https://otel:4318",
        "http://otel",
        "http://:4318",
        "http://otel:0",
        "http://otel:4318/a b",
        "http://user@otel:4318",
        "http://otel:4318/\r\nX: y",
        "",
    ] {
        assert!(read(text).is_err(), "{text}");
    }
}
