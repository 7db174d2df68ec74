//! A collector of traces on loopback: it keeps what it is sent.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use serde_json::Value;

#[derive(Clone, Default)]
pub(crate) struct Collector {
    pub(crate) url: String,
    /// By the name of the service.
    spans: Arc<Mutex<BTreeMap<String, Vec<Value>>>>,
}

impl Collector {
    pub(crate) fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let collector = Self {
            url: format!("http://{}", listener.local_addr()?),
            ..Self::default()
        };
        let keeper = collector.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if let Err(error) = keeper.take(stream) {
                    eprintln!("collector: {error:#}");
                }
            }
        });
        Ok(collector)
    }

    /// What a service has sent so far.
    pub(crate) fn spans(&self, service: &str) -> Vec<Value> {
        let spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        spans.get(service).cloned().unwrap_or_default()
    }

    fn take(&self, stream: TcpStream) -> Result<()> {
        let mut reader = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let lower = line.to_ascii_lowercase();
            if let Some(value) = lower.strip_prefix("content-length: ") {
                length = value.trim().parse()?;
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let body: Value = serde_json::from_slice(&body).context("JSON")?;
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
        reader.get_mut().write_all(answer)?;
        let resource = &body["resourceSpans"][0];
        let service = &resource["resource"]["attributes"][0]["value"]["stringValue"];
        let service = service.as_str().context("a service")?.to_owned();
        let new = resource["scopeSpans"][0]["spans"].as_array();
        let mut spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        let known = spans.entry(service).or_default();
        known.extend(new.context("spans")?.iter().cloned());
        Ok(())
    }
}
