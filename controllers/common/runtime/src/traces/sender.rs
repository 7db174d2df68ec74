//! The way to the collector.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use serde_json::json;

use super::OtlpEndpoint;
use super::span::Span;

/// How many spans may wait. More are dropped: traces never hold work up.
const MOST: usize = 2048;
/// How many go in one request, and how long the first of them waits at most.
const BATCH: usize = 256;
const WAIT: Duration = Duration::from_secs(2);
/// How long a collector may take, and the last request of a process.
const PATIENCE: Duration = Duration::from_secs(5);
const AT_THE_END: Duration = Duration::from_secs(1);

enum Message {
    Done(Box<Span>),
    /// Send what there is, and say when that is done.
    End(SyncSender<()>),
}

/// Where spans wait to be sent.
#[derive(Clone)]
pub(super) struct Queue(SyncSender<Message>);

impl Queue {
    /// Never waits.
    pub(super) fn put(&self, span: Span) {
        let _ = self.0.try_send(Message::Done(Box::new(span)));
    }
}

/// The thread that sends spans. At its end, what waits is sent.
pub(crate) struct Traces(SyncSender<Message>);

impl std::fmt::Debug for Traces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Traces")
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        let (done, end) = sync_channel(1);
        if self.0.try_send(Message::End(done)).is_ok() {
            let _ = end.recv_timeout(AT_THE_END);
        }
    }
}

impl Traces {
    pub(super) fn start(service: &'static str, endpoint: OtlpEndpoint) -> (Self, Queue) {
        let (sender, receiver) = sync_channel(MOST);
        let mut collector = Collector {
            service,
            endpoint,
            failing: false,
        };
        std::thread::spawn(move || collector.serve(&receiver));
        (Self(sender.clone()), Queue(sender))
    }
}

struct Collector {
    service: &'static str,
    endpoint: OtlpEndpoint,
    failing: bool,
}

impl Collector {
    fn serve(&mut self, receiver: &Receiver<Message>) {
        while let Ok(first) = receiver.recv() {
            let mut spans = Vec::new();
            let mut end = None;
            let mut next = Ok(first);
            let until = Instant::now() + WAIT;
            loop {
                match next {
                    Ok(Message::Done(span)) => spans.push(*span),
                    Ok(Message::End(done)) => end = Some(done),
                    Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
                }
                if spans.len() >= BATCH || end.is_some() {
                    break;
                }
                next = receiver.recv_timeout(until.saturating_duration_since(Instant::now()));
            }
            if !spans.is_empty() {
                self.send(&spans);
            }
            if let Some(done) = end {
                let _ = done.send(());
            }
        }
    }

    /// A failure is said once, until it is over; the spans are lost.
    fn send(&mut self, spans: &[Span]) {
        match self.post(&self.body(spans)) {
            Ok(()) if self.failing => {
                tracing::info!("traces are taken again");
                self.failing = false;
            }
            Ok(()) => {}
            Err(error) if self.failing => tracing::debug!(%error, "traces are lost"),
            Err(error) => {
                tracing::warn!(%error, endpoint = %self.endpoint, "traces are lost: --otlp-endpoint does not take them");
                self.failing = true;
            }
        }
    }

    fn body(&self, spans: &[Span]) -> String {
        let attribute =
            |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
        let spans: Vec<_> = spans.iter().map(Span::json).collect();
        let resource = [
            attribute("service.name", self.service),
            attribute("service.version", env!("CARGO_PKG_VERSION")),
        ];
        json!({"resourceSpans": [{
            "resource": {"attributes": resource},
            "scopeSpans": [{"scope": {"name": "isthmus"}, "spans": spans}],
        }]})
        .to_string()
    }

    /// One request on a connection of its own: there is one every few seconds.
    fn post(&self, body: &str) -> std::io::Result<()> {
        let authority = &self.endpoint.authority;
        let mut addresses = authority.to_socket_addrs()?;
        let nobody = || std::io::Error::other("the name has no address");
        let address = addresses.next().ok_or_else(nobody)?;
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let path = &self.endpoint.path;
        let length = body.len();
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nHost: {authority}\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )?;
        let mut status = String::new();
        BufReader::new(stream).read_line(&mut status)?;
        let code = status.split(' ').nth(1).unwrap_or_default();
        if code.starts_with('2') {
            Ok(())
        } else {
            Err(std::io::Error::other(format!("it answers {code:?}")))
        }
    }
}
