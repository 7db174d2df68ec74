//! The thread that answers pods goes before others, where that is allowed.

use anyhow::{Context, Result, bail};
use isthmus_e2e::{Testbed, eventually};

use crate::client::{A, LIST, PROXY, Proxy, ROLE, pod, until};

/// `SCHED_RR`, in the numbers of the kernel.
const ROUND_ROBIN: &str = "2";

/// The process of a proxy: the one that was told this admin address.
fn process(proxy: &Proxy) -> Result<std::path::PathBuf> {
    let address = proxy.process.admin.trim_start_matches("http://").as_bytes();
    let holds = |bytes: &[u8]| bytes.windows(address.len()).any(|part| part == address);
    for entry in std::fs::read_dir("/proc")? {
        let path = entry?.path();
        let program = std::fs::read(path.join("comm")).unwrap_or_default();
        let told =
            ["cmdline", "environ"].map(|file| std::fs::read(path.join(file)).unwrap_or_default());
        // The kernel cuts the name after 15 bytes.
        if program.starts_with(&PROXY.as_bytes()[..15]) && told.iter().any(|bytes| holds(bytes)) {
            return Ok(path);
        }
    }
    bail!("no process with {}", proxy.process.admin)
}

/// The [scheduling policy](https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html)
/// of each thread, by name.
fn policies(proxy: &Proxy) -> Result<Vec<(String, String)>> {
    let mut policies = Vec::new();
    for thread in std::fs::read_dir(process(proxy)?.join("task"))? {
        // A thread that ended meanwhile has none.
        let Ok(stat) = std::fs::read_to_string(thread?.path().join("stat")) else {
            continue;
        };
        let (name, fields) = stat
            .split_once('(')
            .context("a name")?
            .1
            .rsplit_once(") ")
            .context("fields")?;
        // The state is field 3, the policy 41.
        let policy = fields.split(' ').nth(38).context("a policy")?;
        policies.push((name.to_owned(), policy.to_owned()));
    }
    Ok(policies)
}

#[tokio::test]
async fn pods_are_answered_first_and_nothing_else_is() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    testbed
        .apply_yaml(&pod("a", A, &[(ROLE, "role-a")]))
        .await?;
    let proxy = Proxy::start(&testbed, &["--log-level=info"]).await?;
    proxy.credentials(A).await?;
    let told = async || {
        let (_, metrics) = proxy.process.admin_page("/metrics").await?;
        let told = |line: &str| metrics.lines().any(|found| found == line);
        Ok::<_, anyhow::Error>(told("isthmus_proxy_realtime 1"))
    };
    // It says one or the other: that it may not, in the log, or that it does.
    let denied = eventually("its priority", async || {
        let denied = proxy.process.stderr().contains("at ordinary priority");
        Ok((denied || told().await?).then_some(denied))
    })
    .await?;
    if denied {
        eprintln!("skipped: real-time priority is not permitted here");
        assert!(!told().await?);
    } else {
        // Whoever has run for half of the last tenth of a second waits a turn.
        until("one thread goes first", async || {
            let policies = policies(&proxy)?;
            let first = |(_, policy): &&(_, String)| policy == ROUND_ROBIN;
            let first: Vec<_> = policies.iter().filter(first).collect();
            assert!(first.iter().all(|(name, _)| name == "pods"), "{policies:?}");
            Ok(first.len() == 1)
        })
        .await?;
    }

    let ordinary = Proxy::start(&testbed, &["--realtime=false"]).await?;
    assert_eq!(ordinary.get(A, LIST).await?.body, "role-a");
    let policies = policies(&ordinary)?;
    assert!(
        policies.iter().all(|(_, policy)| policy == "0"),
        "{policies:?}"
    );
    Ok(())
}
