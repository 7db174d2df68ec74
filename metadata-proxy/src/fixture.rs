//! A proxy over real sockets with literal pods, an STS and an instance metadata
//! that say what a test wants.

mod fakes;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use isthmus_runtime::Metrics;
use metadata_proxy_core::{
    AllowedHosts, BaseArn, CachePolicy, Directory, ImdsV2, Pod, RoleRules, STS_AUDIENCE, TokenKey,
    UpstreamPaths,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use fakes::{FakeSts, fake_imds};

use crate::config::Waits;
use crate::credentials::CredentialStore;
use crate::directory::SharedDirectory;
use crate::health::Health;
use crate::imds::Imds;
use crate::kubelet::KubeletRoot;
use crate::limit::RequestLimit;
use crate::metrics::ProxyMetrics;
use crate::pod_tokens::PodTokens;
use crate::report::Reporter;
use crate::respond::Responder;
use crate::start::Readiness;

/// A running proxy. It ends with the test's runtime.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    pub(crate) responder: Arc<Responder>,
    pub(crate) directory: SharedDirectory,
    pub(crate) sts: FakeSts,
    pub(crate) store: Arc<CredentialStore>,
    pub(crate) tokens: Arc<PodTokens>,
    upstream: Arc<Mutex<Vec<String>>>,
}

/// What of the configuration tests change.
pub(crate) struct Setting {
    pub(crate) imds_v2: ImdsV2,
    pub(crate) rules: RoleRules,
    /// 0: no limit.
    pub(crate) request_rate: u32,
    pub(crate) waits: Waits,
    /// How long a denial of STS is remembered.
    pub(crate) error_ttl: Option<Duration>,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            imds_v2: ImdsV2::Optional,
            rules: RoleRules {
                base: Some(BaseArn::parse("arn:aws:iam::123456789012:role").unwrap()),
                ..RoleRules::default()
            },
            request_rate: 0,
            waits: WAITS,
            error_ttl: None,
        }
    }
}

impl Setting {
    /// Whoever waits for a pod waits for longer than a test does.
    pub(crate) fn patient() -> Self {
        Self {
            waits: Waits {
                pod: PATIENCE,
                answer: PATIENCE,
            },
            ..Self::default()
        }
    }
}

/// A pod `shop/<name>` at `address` with a role.
pub(crate) fn pod(name: &str, address: &str, role: Option<&str>) -> Pod {
    Pod {
        uid: format!("uid-{name}"),
        namespace: "shop".into(),
        name: name.into(),
        service_account: "default".into(),
        addresses: vec![address.parse().unwrap()],
        host_addresses: vec![],
        host_network: false,
        finished: false,
        gone_by: None,
        role: role.map(str::to_owned),
        external_id: None,
        session_policies: None,
        token: None,
    }
}

/// A token with this payload and a signature of nobody.
pub(crate) fn jwt(payload: &serde_json::Value) -> String {
    let payload = URL_SAFE_NO_PAD.encode(payload.to_string());
    format!("e30.{payload}.c2ln")
}

/// How long a test waits for what must come: longer than a busy machine stands still.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// For STS nobody waits in vain unless a test says so.
pub(crate) const WAITS: Waits = Waits {
    pod: Duration::from_millis(500),
    answer: PATIENCE,
};

impl Proxy {
    /// With pods `a` (127.0.1.1, role-a), `b` (127.0.1.2, team/role-b) and `plain` (127.0.1.3, none).
    pub(crate) async fn start() -> Self {
        Self::with(Setting::default()).await
    }

    pub(crate) async fn with(setting: Setting) -> Self {
        let directory = SharedDirectory::new(Directory {
            rules: setting.rules,
            ..Directory::default()
        });
        for pod in [
            pod("a", "127.0.1.1", Some("role-a")),
            pod("b", "127.0.1.2", Some("team/role-b")),
            pod("plain", "127.0.1.3", None),
        ] {
            directory.change(|directory| directory.pods.apply(pod));
        }
        let (imds, upstream) = fake_imds().await;
        let (sts, metrics, shutdown) = (
            FakeSts::default(),
            ProxyMetrics::new(&Metrics::new()),
            CancellationToken::new(),
        );
        let policy = CachePolicy {
            least: Duration::from_secs(1800),
            error_ttl: setting.error_ttl,
        };
        let store = CredentialStore::new(
            Box::new(sts.clone()),
            policy,
            metrics.clone(),
            Box::new(|_, _| {}),
            shutdown.clone(),
        );
        let kubelet = KubeletRoot::new(std::env::temp_dir().join("no-kubelet-here"));
        let audience = STS_AUDIENCE.to_owned();
        let tokens = Arc::new(PodTokens::new(kubelet, audience, metrics.clone()));
        let imds = Arc::new(Imds::new(format!("http://{imds}").parse().unwrap()));
        let health = Health::new(Readiness::settled(&shutdown));
        tokio::spawn(health.clone().poll(imds.clone(), shutdown.clone()));
        let responder = Responder {
            hosts: AllowedHosts::new([]),
            upstream: UpstreamPaths::new([]).unwrap(),
            imds_v2: setting.imds_v2,
            waits: setting.waits,
            limit: RequestLimit::new(setting.request_rate),
            host_ip: "10.0.0.1".into(),
            key: TokenKey::new([7; 32]),
            directory: directory.clone(),
            credentials: store.clone(),
            imds,
            health,
            duplicates: None,
            tokens: tokens.clone(),
            reporter: Reporter::new(directory.clone()),
            metrics: metrics.clone(),
            aside: Handle::current(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let responder = Arc::new(responder);
        tokio::spawn(super::server::serve(
            listener,
            responder.clone(),
            metrics,
            shutdown,
        ));
        Self {
            address,
            responder,
            directory,
            sts,
            store,
            tokens,
            upstream,
        }
    }

    /// What the instance metadata was asked for pods: every head but those of
    /// the proxy's own session and its poll of the instance id.
    pub(crate) fn upstream(&self) -> Vec<String> {
        let own = |head: &String| {
            head.contains("/instance-id ") || head.starts_with("PUT /latest/api/token ")
        };
        let heads = self.upstream.lock().unwrap();
        heads.iter().filter(|head| !own(head)).cloned().collect()
    }

    /// How many sessions the instance metadata was asked for.
    pub(crate) fn upstream_sessions(&self) -> usize {
        let heads = self.upstream.lock().unwrap();
        heads.iter().filter(|head| head.starts_with("PUT ")).count()
    }

    /// A connection from a pod's address.
    pub(crate) async fn connect(&self, from: &str) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        let from: IpAddr = from.parse().unwrap();
        socket.bind((from, 0).into()).unwrap();
        socket.connect(self.address).await.unwrap()
    }

    /// Sends bytes and reads until the proxy closes.
    pub(crate) async fn raw(&self, from: &str, bytes: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect(from).await;
        stream.write_all(bytes.as_ref()).await.unwrap();
        let mut answer = Vec::new();
        // A reset after the answer is as good as an end.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Asks again and again until `enough` holds for the answer.
    pub(crate) async fn get_until(
        &self,
        from: &str,
        path: &str,
        enough: impl Fn(&Reply) -> bool,
    ) -> Reply {
        let asking = async {
            loop {
                let reply = self.get(from, path).await;
                if enough(&reply) {
                    return reply;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let asked = tokio::time::timeout(PATIENCE, asking).await;
        asked.unwrap_or_else(|_| panic!("waited in vain for {path}"))
    }

    /// One request with more headers (each ended by CR LF).
    pub(crate) async fn ask(&self, from: &str, method: &str, path: &str, headers: &str) -> Reply {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 169.254.169.254\r\n{headers}Connection: close\r\n\r\n"
        );
        Reply::read(&self.raw(from, head).await)
    }

    pub(crate) async fn get(&self, from: &str, path: &str) -> Reply {
        self.ask(from, "GET", path, "").await
    }

    pub(crate) async fn token(&self, from: &str, ttl: u32) -> String {
        let ttl = format!("X-aws-ec2-metadata-token-ttl-seconds: {ttl}\r\n");
        let reply = self.ask(from, "PUT", "/latest/api/token", &ttl).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.body
    }
}

/// An answer, taken apart.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: String,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn read(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let status = head
            .get(9..12)
            .and_then(|code| code.parse().ok())
            .unwrap_or_default();
        Self {
            status,
            headers: head.to_ascii_lowercase(),
            body: body.to_owned(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.headers.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}
