//! The process's few testbeds.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use anyhow::{Context, Result};
use tokio::runtime::Runtime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::emulators::{EmulatorProcesses, Emulators};
use super::imds::Imds;
use super::kubernetes::{self, Kubernetes};
use super::process::Leaving;
use super::wipe;
use crate::gate::Gate;

/// How many tests of a process run at once. Each takes about 600 MB.
const SIZE: usize = 3;

/// Where the gates and metadata services live: each test has a runtime of its
/// own, which ends with it.
static BACKGROUND: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("testbed")
        .enable_all()
        .build()
        .expect("a runtime can be built")
});

static PERMITS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(SIZE)));
static IDLE: Mutex<Vec<Arc<Host>>> = Mutex::new(Vec::new());

/// Runs something on the runtime that outlives every test.
pub(super) async fn in_background<T, F>(work: impl FnOnce() -> F + Send + 'static) -> Result<T>
where
    T: Send + 'static,
    F: Future<Output = Result<T>>,
{
    BACKGROUND
        .spawn_blocking(move || BACKGROUND.block_on(work()))
        .await?
}

/// The parts of one testbed.
pub(crate) struct Host {
    pub(crate) gate: Gate,
    pub(crate) imds: Imds,
    pub(crate) emulators: Emulators,
    pub(crate) kubeconfig: PathBuf,
    pub(crate) folder: PathBuf,
    kubernetes: Option<Kubernetes>,
    pub(crate) processes: EmulatorProcesses,
    /// Binaries of tests that are over.
    pub(super) leaving: Leaving,
}

impl Host {
    async fn start(kubeconfig: Option<PathBuf>) -> Result<Self> {
        let folder = new_folder()?;
        let kubernetes = async {
            match kubeconfig {
                Some(_) => Ok(None),
                None => Kubernetes::start(&folder).await.map(Some),
            }
        };
        let (kubernetes, (emulators, processes)) =
            tokio::try_join!(kubernetes, Emulators::start(&folder))?;
        let kubeconfig = kubeconfig
            .or_else(|| Some(kubernetes.as_ref()?.kubeconfig().to_owned()))
            .context("a kubeconfig")?;
        Ok(Self {
            gate: Gate::start(emulators.clone()).await?,
            imds: Imds::start().await?,
            emulators,
            kubeconfig,
            folder,
            kubernetes,
            processes,
            leaving: Leaving::default(),
        })
    }

    /// Forgets everything. An API server of somebody else is not touched.
    pub(crate) async fn wipe(&self) -> Result<()> {
        // Nobody of the last test must see or touch what is the next one's.
        self.leaving.gone().await?;
        self.gate.reset();
        self.gate.quiet().await;
        self.imds.reset();
        let scratch = self.folder.join("scratch");
        if scratch.exists() {
            std::fs::remove_dir_all(scratch)?;
        }
        let kubernetes = async {
            match self.kubernetes {
                Some(_) => wipe::objects(&kubernetes::client(&self.kubeconfig).await?).await,
                None => Ok(()),
            }
        };
        tokio::try_join!(kubernetes, self.emulators.reset())?;
        self.gate.reset();
        Ok(())
    }
}

/// A host that is somebody's; it goes back when this is dropped.
pub(crate) struct Lease {
    host: Arc<Host>,
    // None: not of the pool.
    permit: Option<OwnedSemaphorePermit>,
}

impl Lease {
    pub(crate) fn host(&self) -> &Arc<Host> {
        &self.host
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Whatever a process of the test still asks is held until the wipe.
        self.host.gate.stop_after(0);
        if self.permit.is_some() {
            idle().push(Arc::clone(&self.host));
        }
    }
}

fn idle() -> std::sync::MutexGuard<'static, Vec<Arc<Host>>> {
    IDLE.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) async fn lease() -> Result<Lease> {
    take(Arc::clone(&PERMITS).acquire_owned().await?).await
}

pub(super) async fn try_lease() -> Result<Option<Lease>> {
    match Arc::clone(&PERMITS).try_acquire_owned() {
        Ok(permit) => take(permit).await.map(Some),
        Err(_) => Ok(None),
    }
}

pub(super) async fn lease_with_kubeconfig(kubeconfig: &Path) -> Result<Lease> {
    let kubeconfig = kubeconfig.to_owned();
    let host = in_background(move || Host::start(Some(kubeconfig))).await?;
    Ok(Lease {
        host: Arc::new(host),
        permit: None,
    })
}

/// A wiped host: an idle one, or a new one. One that cannot be wiped is given up.
async fn take(permit: OwnedSemaphorePermit) -> Result<Lease> {
    let taken = idle().pop();
    let host = in_background(async move || {
        if let Some(host) = taken
            && host.wipe().await.is_ok()
        {
            return Ok(host);
        }
        Ok(Arc::new(Host::start(None).await?))
    })
    .await?;
    Ok(Lease {
        host,
        permit: Some(permit),
    })
}

fn new_folder() -> Result<PathBuf> {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let n = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("isthmus-testbed-{}-{n}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}
