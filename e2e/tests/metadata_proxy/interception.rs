//! Real rules in real namespaces. Needs root, `ip`, `iptables`, `ip6tables` and
//! `curl`; without them the test says so and passes.

use std::io::Write as _;

use anyhow::{Context, Result};
use isthmus_e2e::Testbed;

use crate::client::{ROLE, pod, until};
use crate::net::{Net, REAL, missing};

const PATH: &str = "/latest/meta-data/iam/security-credentials/";
const V4: &str = "http://169.254.169.254";
const V6: &str = "http://[fd00:ec2::254]";

fn port_of(url: &str) -> Result<String> {
    let port = url.rsplit(':').next().context("a port")?;
    Ok(port.trim_end_matches('/').to_owned())
}

/// A node with pods `a`, `b` and `plain`, and a real service that answers; `None`
/// and a line on stderr if that cannot be had here.
async fn node(interface: &'static str) -> Result<Option<(Testbed, Net)>> {
    if let Some(missing) = missing().await {
        // Not eprintln: the test harness would keep it to itself.
        writeln!(std::io::stderr(), "skipped: interception needs {missing}").expect("stderr");
        return Ok(None);
    }
    let testbed = Testbed::acquire().await?;
    for (n, name, role) in [
        (0, "a", Some("role-a")),
        (1, "b", Some("role-b")),
        (2, "plain", None),
    ] {
        let (v4, v6) = (format!("10.244.{n}.2"), format!("fd00:244:{n}::2"));
        let annotations: Vec<_> = role.map(|role| (ROLE, role)).into_iter().collect();
        let both = format!("{{\"ip\":\"{v4}\"}},{{\"ip\":\"{v6}\"}}");
        testbed
            .apply_yaml(
                &pod(name, &v4, &annotations).replace(&format!("{{\"ip\":\"{v4}\"}}"), &both),
            )
            .await?;
    }
    let mut net = Net::lay(interface).await?;
    let kubeconfig = std::fs::read_to_string(testbed.kubeconfig())?;
    let server = kubeconfig
        .split("https://127.0.0.1:")
        .nth(1)
        .context("server")?;
    let api = server.chars().take_while(char::is_ascii_digit).collect();
    let ports = [
        api,
        port_of(testbed.gate.url())?,
        port_of(testbed.imds.url())?,
    ];
    net.forward(&testbed, &ports).await?;
    net.python(&testbed, "imds", REAL, &[]).await?;
    for url in [V4, V6] {
        until("the real service answers", async || {
            Ok(net.curl("a", url).await?.1 == "the real service")
        })
        .await?;
    }
    Ok(Some((testbed, net)))
}

#[tokio::test]
async fn pods_are_led_to_the_proxy_and_never_past_it() -> Result<()> {
    let Some((testbed, net)) = node("cali+").await? else {
        return Ok(());
    };

    // Rules of others, and what an earlier proxy with another address left behind.
    for program in ["iptables", "ip6tables"] {
        net.nat(program, "-N KUBE-SERVICES").await?;
        net.nat(program, "-A PREROUTING -j KUBE-SERVICES").await?;
    }
    let stale = "-A PREROUTING -p tcp -d 169.254.169.254 -i cali+ -m tcp --dport 80 -m comment --comment isthmus-metadata-proxy -j DNAT --to-destination 10.9.0.7:8181";
    net.nat("iptables", stale).await?;

    // At the boot of a node: nobody is reached until there is a proxy.
    assert_eq!(net.redirect(&testbed, "check").await?, Some(1));
    assert_eq!(net.redirect(&testbed, "install").await?, Some(0));
    assert_eq!(net.redirect(&testbed, "check").await?, Some(0));
    for base in [V4, V6] {
        assert_eq!(net.curl("a", base).await?.0, 0, "{base}");
    }

    let proxy = net.proxy(&testbed, &["--container-endpoint"]).await?;
    for program in ["iptables", "ip6tables"] {
        let rules = net.rules(program).await?;
        assert!(
            rules[..2]
                .iter()
                .all(|rule| rule.contains("isthmus-metadata-proxy")),
            "first: {rules:?}"
        );
        assert_eq!(rules.len(), 3, "once, and the others' are left: {rules:?}");
    }
    for base in ["http://169.254.170.23", "http://[fd00:ec2::23]"] {
        let (status, body) = net.curl("a", &format!("{base}/v1/credentials")).await?;
        assert!(
            status == 400 && body.contains("bearer-missing"),
            "{base}: {status} {body}"
        );
    }
    for base in [V4, V6] {
        let url = format!("{base}{PATH}");
        assert_eq!(
            net.curl("a", &url).await?,
            (200, "role-a".to_owned()),
            "{base}"
        );
        assert_eq!(net.curl("b", &url).await?, (200, "role-b".to_owned()));
        assert_eq!(net.curl("plain", &url).await?.0, 404);
        let (status, body) = net.curl("a", &format!("{url}role-a")).await?;
        assert!(
            status == 200 && body.contains("AccessKeyId"),
            "{status} {body}"
        );
        assert_eq!(net.curl("b", &format!("{url}role-a")).await?.0, 403);
        assert_eq!(net.curl("a", base).await?.0, 404);
    }

    // Fails closed: the rules stay, and nobody is behind them.
    proxy.kill().await?;
    for base in [V4, V6] {
        for pod in ["a", "plain"] {
            assert_eq!(
                net.curl(pod, &format!("{base}{PATH}")).await?.0,
                0,
                "{pod} reaches somebody"
            );
        }
    }

    // Somebody got in front, and somebody doubled the rule: the next start puts both right.
    let rule = net.rules("iptables").await?[0].replacen("-A", "-I", 1);
    net.nat("iptables", &rule).await?;
    net.nat("iptables", "-I PREROUTING -j KUBE-SERVICES")
        .await?;
    assert_eq!(net.redirect(&testbed, "check").await?, Some(1));
    let proxy = net.proxy(&testbed, &["--iptables-remove"]).await?;
    let rules = net.rules("iptables").await?;
    assert!(rules[0].contains("isthmus-metadata-proxy"), "{rules:?}");
    assert_eq!(
        rules
            .iter()
            .filter(|rule| rule.contains("isthmus-metadata-proxy"))
            .count(),
        1,
        "{rules:?}"
    );

    // Taken away on request.
    let finished = proxy.terminate().await?;
    assert_eq!(finished.code, Some(0), "{finished}");
    for program in ["iptables", "ip6tables"] {
        let rules = net.rules(program).await?;
        assert!(
            !rules
                .iter()
                .any(|rule| rule.contains("isthmus-metadata-proxy")),
            "{rules:?}"
        );
    }
    assert_eq!(net.curl("a", V4).await?.1, "the real service");
    Ok(())
}

/// Whether the chain of a family begins with the proxy's rule and has it once.
async fn first_and_once(net: &Net, program: &str) -> Result<bool> {
    let rules = net.rules(program).await?;
    let ours = |rule: &&String| rule.contains("isthmus-metadata-proxy");
    Ok(rules.first().is_some_and(|rule| ours(&rule)) && rules.iter().filter(ours).count() == 1)
}

/// The rules of a running proxy are taken away, doubled and put behind others.
#[tokio::test]
async fn the_rules_are_kept_in_place() -> Result<()> {
    let Some((testbed, net)) = node("!eth0").await? else {
        return Ok(());
    };
    let proxy = net
        .proxy(&testbed, &["--iptables-check-interval=1s"])
        .await?;
    let rules = net.rules("iptables").await?;
    assert!(rules[0].contains("! -i eth0"), "{rules:?}");
    for base in [V4, V6] {
        let url = format!("{base}{PATH}");
        assert_eq!(net.curl("a", &url).await?.1, "role-a", "{base}");
        assert_eq!(net.curl("b", &url).await?.1, "role-b", "{base}");
    }
    let rule = rules[0].trim_start_matches("-A PREROUTING").to_owned();
    let damages = [
        "-F PREROUTING".to_owned(),
        "-I PREROUTING -p udp -j ACCEPT".to_owned(),
        format!("-A PREROUTING{rule}"),
        "-D PREROUTING 1".to_owned(),
    ];
    for damage in &damages {
        for program in ["iptables", "ip6tables"] {
            // The other family's rule has other addresses.
            if program == "iptables" || !damage.contains("DNAT") {
                net.nat(program, damage).await?;
            }
            until("the rules are right again", async || {
                first_and_once(&net, program).await
            })
            .await?;
        }
    }
    assert_eq!(net.curl("a", &format!("{V4}{PATH}")).await?.1, "role-a");
    // It is said behind the deed.
    until("the log says so", async || {
        Ok(proxy.stderr().contains("were put right"))
    })
    .await?;

    // The node itself, and so every pod in its network, is refused by its address.
    let (status, body) = net
        .curl("node", &format!("http://10.9.0.1:8181{PATH}"))
        .await?;
    assert_eq!(
        (status, body.trim()),
        (403, "pods in the host network are not served")
    );
    let (status, _) = net
        .curl("node", &format!("http://10.9.0.1:8181{PATH}role-a"))
        .await?;
    assert_eq!(status, 403);

    // At the end they stay, until they are taken away.
    assert_eq!(proxy.terminate().await?.code, Some(0));
    assert_eq!(net.redirect(&testbed, "check").await?, Some(0));
    assert_eq!(net.curl("a", &format!("{V4}{PATH}")).await?.0, 0);
    assert_eq!(net.redirect(&testbed, "remove").await?, Some(0));
    assert_eq!(net.redirect(&testbed, "check").await?, Some(1));
    assert_eq!(net.curl("a", V4).await?.1, "the real service");
    Ok(())
}
