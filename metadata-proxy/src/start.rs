//! What a proxy is made of, and the order in which it comes up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use isthmus_runtime::{Admin, Aws, Events, Metrics, StartError, Trigger, Watches};
use metadata_proxy_core::{Directory, PodIndex, RoleRules, ServiceAccounts, SourceMode, TokenKey};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::aws::StsClient;
use crate::config::Config;
use crate::credentials::CredentialStore;
use crate::directory::SharedDirectory;
use crate::duplicates::Duplicates;
use crate::health::Health;
use crate::imds::Imds;
use crate::kubelet::KubeletRoot;
use crate::limit::RequestLimit;
use crate::metrics::ProxyMetrics;
use crate::netfilter::Netfilter;
use crate::pod_tokens::PodTokens;
use crate::proxy::NAME;
use crate::report::Reporter;
use crate::respond::Responder;
use crate::taint::StartupTaint;
use crate::tidy::Tidy;
use crate::{cluster, discover, page, watch};

/// Whether the start is over and every watch has delivered its first list. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Readiness {
    started: Arc<AtomicBool>,
    watches: Watches,
}

impl Readiness {
    /// Of a proxy whose start is over, with nothing to watch.
    #[cfg(test)]
    pub(crate) fn settled(shutdown: &CancellationToken) -> Self {
        Self {
            started: Arc::new(true.into()),
            watches: Watches::new(Trigger::default(), shutdown.clone()),
        }
    }

    /// What is missing, if something is.
    pub(crate) fn check(&self) -> Result<(), String> {
        if !self.started.load(Ordering::Relaxed) {
            return Err("the start is not over".to_owned());
        }
        match self.watches.missing() {
            missing if missing.is_empty() => Ok(()),
            missing => Err(missing.join("; ")),
        }
    }
}

/// The proxy's own credentials have to be there only where they are used.
async fn aws(source: SourceMode, metrics: &Metrics) -> Result<Aws, StartError> {
    match source {
        SourceMode::AssumeRole => Aws::connect(metrics).await,
        SourceMode::WebIdentity => Aws::connect_unsigned(metrics).await,
    }
}

/// What exists before anything is connected.
pub(crate) struct Parts {
    metrics: Metrics,
    pub(crate) proxy_metrics: ProxyMetrics,
    directory: SharedDirectory,
    reporter: Reporter,
    readiness: Readiness,
    watches: Watches,
    imds: Arc<Imds>,
    health: Health,
    tokens: Arc<PodTokens>,
    sts: StsClient,
    pub(crate) credentials: Arc<CredentialStore>,
    duplicates: Option<Arc<Duplicates>>,
    pub(crate) netfilter: Netfilter,
    shutdown: CancellationToken,
}

impl Parts {
    pub(crate) fn new(config: &Config, shutdown: CancellationToken) -> Self {
        let metrics = Metrics::new();
        let proxy_metrics = ProxyMetrics::new(&metrics);
        let directory = SharedDirectory::new(Directory {
            pods: PodIndex::new(config.host_addresses.iter().copied()),
            ..Directory::default()
        });
        let reporter = Reporter::new(directory.clone());
        let watches = Watches::new(Trigger::default(), shutdown.clone());
        let readiness = Readiness {
            started: Arc::default(),
            watches: watches.clone(),
        };
        let tokens = Arc::new(PodTokens::new(
            KubeletRoot::new(config.credentials.kubelet_root.clone()),
            config.roles.rules.audience.clone(),
            proxy_metrics.clone(),
        ));
        let sts = StsClient::new(config.credentials.session, tokens.clone());
        let failures = reporter.clone();
        Self {
            credentials: CredentialStore::new(
                Box::new(sts.clone()),
                config.credentials.policy,
                proxy_metrics.clone(),
                Box::new(move |grant, error| failures.no_credentials(grant, error)),
                shutdown.clone(),
            ),
            duplicates: config
                .cluster
                .resolve_duplicates
                .then(|| Arc::new(Duplicates::new(config.keys.clone(), directory.clone()))),
            health: Health::new(readiness.clone()),
            imds: Arc::new(Imds::new(config.imds.clone())),
            netfilter: Netfilter::new(config.redirects.clone(), proxy_metrics.clone()),
            metrics,
            proxy_metrics,
            directory,
            reporter,
            readiness,
            watches,
            tokens,
            sts,
            shutdown,
        }
    }

    /// What pods are answered with; what takes longer is done on the caller's runtime.
    pub(crate) fn responder(&self, config: &Config) -> Responder {
        let mut key = [0; 32];
        // The kernel's generator does not fail once the machine is up.
        getrandom::fill(&mut key).expect("random bytes for the session tokens' key");
        Responder {
            hosts: config.hosts.clone(),
            upstream: config.upstream.clone(),
            imds_v2: config.imds_v2,
            waits: config.waits,
            limit: RequestLimit::new(config.request_rate),
            host_ip: config.host_ip.clone(),
            key: TokenKey::new(key),
            directory: self.directory.clone(),
            credentials: self.credentials.clone(),
            imds: self.imds.clone(),
            health: self.health.clone(),
            tokens: self.tokens.clone(),
            duplicates: self.duplicates.clone(),
            reporter: self.reporter.clone(),
            metrics: self.proxy_metrics.clone(),
            aside: Handle::current(),
        }
    }

    /// Brings everything up, in an order in which nothing is served that is not known.
    pub(crate) async fn start(&self, config: &Config) -> Result<(), StartError> {
        let admin = self.admin();
        admin
            .listen(&config.common.metrics_address, self.shutdown.clone())
            .await?;
        self.netfilter.install().await?;
        let guard = self.netfilter.clone();
        tokio::spawn(guard.keep(config.redirect_interval, self.shutdown.clone()));
        tokio::spawn(
            self.health
                .clone()
                .poll(self.imds.clone(), self.shutdown.clone()),
        );
        let (kube, aws, rules) = tokio::try_join!(
            cluster::client(&config.cluster, &config.common),
            aws(config.roles.rules.source, &self.metrics),
            discover::rules(&config.roles, &self.imds),
        )?;
        self.sts.connect(&aws);
        let instance = std::env::var("HOSTNAME").unwrap_or_else(|_| config.cluster.node.clone());
        self.reporter
            .connect(Events::start(kube.clone(), NAME, instance));
        if let Some(duplicates) = &self.duplicates {
            duplicates.connect(kube.clone());
        }
        self.tokens.connect(kube.clone());
        self.proxy_metrics.source(rules.source);
        self.watch(config, &kube, rules).await;
        self.untaint(config, &kube);
        tokio::spawn(self.tidy(admin).keep(self.shutdown.clone()));
        let credentials = self.credentials.clone();
        tokio::spawn(credentials.keep(self.directory.clone(), config.credentials.prefetch));
        self.metrics.leader(true);
        self.readiness.started.store(true, Ordering::Relaxed);
        self.watches.ready().await;
        let pods = self
            .directory
            .look(|directory| directory.pods.pods().count());
        tracing::info!(pods, "ready");
        Ok(())
    }

    fn tidy(&self, admin: Admin) -> Tidy {
        Tidy {
            directory: self.directory.clone(),
            tokens: self.tokens.clone(),
            watches: self.watches.clone(),
            admin,
            reporter: self.reporter.clone(),
            metrics: self.proxy_metrics.clone(),
            common: self.metrics.clone(),
        }
    }

    fn admin(&self) -> Admin {
        let admin = Admin::new(NAME, self.metrics.clone());
        admin.without_plans();
        admin.watches(&self.watches);
        let (readiness, netfilter) = (self.readiness.clone(), self.netfilter.clone());
        admin.ready_when(move || match readiness.started.load(Ordering::Relaxed) {
            true => Ok(()),
            false => Err("the start is not over".to_owned()),
        });
        admin.ready_when(move || netfilter.check());
        let (directory, credentials) = (self.directory.clone(), self.credentials.clone());
        admin.page(move || page::page(&directory, &credentials));
        admin
    }

    /// Takes the start-up taint away once pods are led here and known.
    fn untaint(&self, config: &Config, kube: &kube::Client) {
        let Some(key) = &config.cluster.startup_taint else {
            return;
        };
        let mut watches = self.watches.clone();
        let taint = StartupTaint::new(
            (key, &config.cluster.node),
            kube,
            &mut watches,
            &self.proxy_metrics,
            &self.reporter,
        );
        let (readiness, netfilter) = (self.readiness.clone(), self.netfilter.clone());
        let serves = move || readiness.check().is_ok() && netfilter.check().is_ok();
        tokio::spawn(taint.keep(serves, self.shutdown.clone()));
    }

    async fn watch(&self, config: &Config, kube: &kube::Client, rules: RoleRules) {
        let restrictions = rules.restrictions;
        let accounts =
            config.roles.of_service_accounts && cluster::may_list_service_accounts(kube).await;
        self.directory.change(|directory| {
            directory.rules = rules;
            if accounts {
                directory.service_accounts = ServiceAccounts::watched();
            }
        });
        let mut watches = self.watches.clone();
        if accounts {
            let key = &config.keys.role;
            watch::service_accounts(&mut watches, kube, key, &self.directory);
        }
        if let Some(format) = restrictions {
            let key = &config.keys.allowed_roles;
            watch::namespaces(
                &mut watches,
                kube,
                key,
                format,
                &self.reporter,
                &self.directory,
            );
        }
        if config.cluster.node.is_empty() {
            tracing::warn!("--node is not set: the pods of all nodes are watched");
        }
        watch::pods(
            &mut watches,
            kube,
            config,
            &self.proxy_metrics,
            &self.directory,
        );
    }
}
