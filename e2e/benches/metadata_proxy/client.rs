//! A connection of a pod that asks one thing again and again.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::net::TcpSocket;

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Question<'a> {
    Token,
    List,
    Credentials(&'a str),
    Path(&'a str),
}

/// A connection with its request. It blocks: a thread each costs the client
/// less than a runtime would, on a machine that it shares with the proxy.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    request: Vec<u8>,
    buffer: Vec<u8>,
}

const LIST: &str = "/latest/meta-data/iam/security-credentials/";

impl Client {
    pub(crate) async fn connect(
        to: SocketAddr,
        from: IpAddr,
        question: Question<'_>,
        token: Option<&str>,
    ) -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((from, 0).into())?;
        let stream = socket.connect(to).await?.into_std()?;
        stream.set_nonblocking(false)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        let (method, path) = match question {
            Question::Token => ("PUT", "/latest/api/token".to_owned()),
            Question::List => ("GET", LIST.to_owned()),
            Question::Credentials(role) => ("GET", format!("{LIST}{role}")),
            Question::Path(path) => ("GET", path.to_owned()),
        };
        let header = match (question, token) {
            (Question::Token, _) => "X-aws-ec2-metadata-token-ttl-seconds: 21600\r\n".to_owned(),
            (_, Some(token)) => format!("X-aws-ec2-metadata-token: {token}\r\n"),
            (_, None) => String::new(),
        };
        let agent = "User-Agent: bench\r\nAccept: */*\r\nAccept-Encoding: identity\r\n";
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: 169.254.169.254\r\n{agent}{header}\r\n");
        Ok(Self {
            stream,
            request: request.into_bytes(),
            buffer: Vec::with_capacity(8192),
        })
    }

    /// A session token for the pod of an address.
    pub(crate) async fn token(to: SocketAddr, from: IpAddr) -> Result<String> {
        let mut client = Self::connect(to, from, Question::Token, None).await?;
        let status = client.ask()?;
        ensure!(status == 200, "{status}");
        Ok(String::from_utf8_lossy(client.body()).into_owned())
    }

    /// One request and its answer: the status.
    pub(crate) fn ask(&mut self) -> Result<u16> {
        self.send()?;
        self.receive()
    }

    pub(crate) fn send(&mut self) -> Result<()> {
        Ok(self.stream.write_all(&self.request)?)
    }

    pub(crate) fn receive(&mut self) -> Result<u16> {
        self.buffer.clear();
        loop {
            let mut chunk = [0; 4096];
            let read = self.stream.read(&mut chunk)?;
            ensure!(read > 0, "the proxy closed the connection");
            self.buffer.extend_from_slice(&chunk[..read]);
            if let Some(head) = self.head() {
                let text = std::str::from_utf8(&self.buffer[..head])?;
                if self.buffer.len() >= head + length(text)? {
                    return Ok(text.get(9..12).context("a status")?.parse()?);
                }
            }
        }
    }

    fn body(&self) -> &[u8] {
        &self.buffer[self.head().unwrap_or_default()..]
    }

    /// Where the head ends.
    fn head(&self) -> Option<usize> {
        let end = self
            .buffer
            .windows(4)
            .position(|four| four == b"\r\n\r\n")?;
        Some(end + 4)
    }
}

fn length(head: &str) -> Result<usize> {
    let line = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    Ok(line.context("a length")?.parse()?)
}
