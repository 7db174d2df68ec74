//! What any server would need here: a bare hyper server in a process of its own.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::service::service_fn;
use hyper::{Request, Response, body::Incoming};
use hyper_util::rt::TokioIo;
use isthmus_e2e::free_port;
use tokio::net::{TcpListener, TcpStream};

/// The argument that makes this program the server.
pub(crate) const FLOOR: &str = "--floor";

/// As long as credentials.
const BODY: [u8; 1200] = [b'x'; 1200];

/// The server; it ends with this value.
pub(crate) struct Floor {
    pub(crate) address: SocketAddr,
    child: Child,
}

impl Floor {
    pub(crate) async fn start() -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let child = Command::new(std::env::current_exe()?)
            .args([FLOOR, &address.to_string()])
            .stdin(Stdio::null())
            .spawn()?;
        let floor = Self { address, child };
        while TcpStream::connect(address).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        Ok(floor)
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves for ever, on one thread as the proxy does.
pub(crate) fn serve(address: Option<String>) -> Result<()> {
    let address: SocketAddr = address.context("an address")?.parse()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(address).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let hello = service_fn(|_: Request<Incoming>| async {
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(&BODY))))
            });
            let server = hyper::server::conn::http1::Builder::new();
            tokio::spawn(server.serve_connection(TokioIo::new(stream), hello));
        }
    })
}
