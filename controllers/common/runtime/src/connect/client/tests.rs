use std::net::SocketAddr;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::connect::describe;
use crate::testing::FakeServer;
use crate::{Trigger, Watches, watcher_config};

/// For what would last for ever.
const PATIENCE: Duration = Duration::from_secs(60);

/// Short waits, and an hour for the others.
fn limits() -> Limits {
    let hour = Duration::from_secs(3600);
    Limits {
        answer: hour,
        silence: hour,
        pause: Duration::from_millis(1),
    }
}

fn client_of(address: SocketAddr, limits: Limits) -> kube::Client {
    crate::install_crypto();
    let config = kube::Config::new(format!("http://{address}").parse().unwrap());
    client(&config, limits).unwrap()
}

const SHORT: Duration = Duration::from_millis(200);

#[tokio::test]
async fn an_answer_that_never_comes_is_an_error() {
    let server = FakeServer::start(|_| None).await;
    let limits = Limits {
        answer: SHORT,
        ..limits()
    };
    let kube = client_of(server.address, limits);
    let asked = timeout(PATIENCE, kube.apiserver_version()).await;
    let error = asked.expect("it waits for ever").unwrap_err();
    assert!(describe(&error).contains("no answer within "), "{error:?}");
}

#[tokio::test]
async fn what_is_refused_for_now_is_asked_a_few_times_more() {
    let refusal = r#"{"kind":"Status","apiVersion":"v1","status":"Failure","message":"later","reason":"ServiceUnavailable","code":503}"#;
    let server = FakeServer::start(|_| Some((503, refusal.to_owned()))).await;
    let kube = client_of(server.address, limits());
    let error = kube.apiserver_version().await.unwrap_err();
    assert_eq!(describe(&error), "later (503)");
    assert_eq!(server.asked().len(), 4);
}

/// A server whose watches begin and then say nothing; each request is told.
async fn silent_server() -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (asked, requests) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, asked.clone()));
        }
    });
    (address, requests)
}

async fn serve(stream: TcpStream, asked: mpsc::UnboundedSender<String>) -> Option<()> {
    const LIST: &str = r#"{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"10"},"items":[]}"#;
    const BOOKMARK: &str = r#"{"type":"BOOKMARK","object":{"kind":"ConfigMap","apiVersion":"v1","metadata":{"resourceVersion":"12"}}}"#;
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).await.ok()? == 0 {
                return None;
            }
        }
        let request = head.lines().next()?.to_owned();
        let answer = if request.contains("watch=true") {
            let length = BOOKMARK.len() + 1;
            format!("Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{BOOKMARK}\n\r\n")
        } else {
            format!("Content-Length: {}\r\n\r\n{LIST}", LIST.len())
        };
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{answer}");
        stream.write_all(answer.as_bytes()).await.ok()?;
        let _ = asked.send(request);
    }
}

#[tokio::test]
async fn a_watch_that_has_gone_silent_is_taken_up_where_it_was() {
    let (address, mut requests) = silent_server().await;
    let limits = Limits {
        silence: SHORT,
        ..limits()
    };
    let mut watches = Watches::new(Trigger::default(), CancellationToken::new());
    let maps: Api<ConfigMap> = Api::all(client_of(address, limits));
    watches.add("ConfigMap", maps, watcher_config(), |_| {});
    let mut next = async || timeout(PATIENCE, requests.recv()).await.unwrap().unwrap();
    assert!(next().await.contains("limit=500"));
    assert!(next().await.contains("resourceVersion=10"));
    let again = next().await;
    assert!(
        again.contains("watch=true") && again.contains("resourceVersion=12"),
        "{again}"
    );
    assert_eq!(
        watches.in_sync(),
        [("ConfigMap", true)],
        "it has not failed"
    );
}

/// The kernel's list of connections names the timer of each: 02 is that of keepalive.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_kernel_asks_quiet_connections_for_a_sign_of_life() {
    let server = FakeServer::start(|_| None).await;
    let kube = client_of(server.address, limits());
    let _waiting = tokio::spawn(async move { kube.apiserver_version().await.is_ok() });
    let remote = format!("0100007F:{:04X}", server.address.port());
    let watched = async {
        loop {
            let connections = std::fs::read_to_string("/proc/net/tcp").unwrap();
            let ours = connections.lines().any(|line| {
                let mut fields = line.split_whitespace().skip(2);
                let is_it = fields.next() == Some(remote.as_str());
                is_it && fields.nth(2).is_some_and(|timer| timer.starts_with("02:"))
            });
            if ours {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, watched).await.expect("no keepalive");
}
