//! The four programs, and what they say.

use anyhow::{Context, Result, bail};

use super::kubelet::NODE;
use crate::testbed::free_port;
use crate::{CLUSTER_ID, Call, Command, Gate, Outcome, Process, Testbed, World};

/// The four programs of the playground, running.
pub struct Programs {
    all: Vec<Program>,
    proxy: String,
    gate: Gate,
    /// The number of the last call to AWS that has been told.
    told_call: usize,
}

struct Program {
    name: &'static str,
    process: Process,
    /// How much of its log has been told.
    told: usize,
}

impl Programs {
    /// Starts them, each as `changed`, and waits until each is ready.
    pub(super) async fn start(
        testbed: &Testbed,
        world: &World,
        changed: impl Fn(&'static str, Command) -> Command,
    ) -> Result<Self> {
        let zone = &world.private_subnets.first().context("a subnet")?.zone;
        let second = &world.private_subnets.get(1).context("two subnets")?.zone;
        let third = &world.private_subnets.get(2).context("three subnets")?.zone;
        let port = free_port()?;
        let cluster = format!("--cluster-id={CLUSTER_ID}");
        let commands: [(&str, Vec<String>); 4] = [
            (
                "isthmus-ingress",
                // Not the default: six minutes are long for somebody who watches.
                vec![cluster.clone(), "--min-load-balancer-age=0s".into()],
            ),
            (
                "isthmus-dns",
                vec![
                    "--source=ingress".into(),
                    "--provider=aws".into(),
                    "--domain-filter=example.org".into(),
                    "--txt-owner-id=kube-1".into(),
                    "--policy=sync".into(),
                    "--alias-ipv6=dualstack".into(),
                ],
            ),
            (
                "isthmus-egress",
                vec![
                    cluster,
                    "--provider=aws".into(),
                    format!("--vpc-id={}", world.vpc),
                    format!("--aws-az={zone}"),
                    "--aws-nat-cidr-block=10.20.64.0/28".into(),
                    format!("--aws-az={second}"),
                    "--aws-nat-cidr-block=10.20.64.16/28".into(),
                    format!("--aws-az={third}"),
                    "--aws-nat-cidr-block=10.20.64.32/28".into(),
                ],
            ),
            (
                "isthmus-metadata-proxy",
                vec![
                    format!("--app-port={port}"),
                    format!("--node={NODE}"),
                    format!("--base-role-arn=arn:aws:iam::{}:role/", crate::ACCOUNT),
                ],
            ),
        ];
        let mut all = Vec::new();
        for (name, args) in commands {
            let args: Vec<_> = args.iter().map(String::as_str).collect();
            println!("  {name} {}", args.join(" "));
            let command = testbed.command(name).await?.args(&args);
            let mut process = changed(name, command).spawn()?;
            process.wait_ready().await?;
            let told = process.stderr().len();
            all.push(Program {
                name,
                process,
                told,
            });
        }
        Ok(Self {
            all,
            proxy: format!("http://127.0.0.1:{port}"),
            gate: testbed.gate.clone(),
            told_call: 0,
        })
    }

    /// Each program's name and what it has logged so far.
    pub fn logs(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.all
            .iter()
            .map(|program| (program.name, program.process.stderr()))
    }

    /// Where the metadata proxy answers pods.
    #[must_use]
    pub fn proxy(&self) -> &str {
        &self.proxy
    }

    /// Each program's name and admin address.
    pub fn admin_pages(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.all
            .iter()
            .map(|program| (program.name, program.process.admin.as_str()))
    }

    /// Prints what was logged and what was changed at AWS since the last time.
    pub(super) fn narrate(&mut self) {
        self.tell_logs();
        let answered = |call: &Call| call.outcome != Outcome::Pending;
        let calls = self.gate.calls().into_iter().skip(self.told_call);
        for call in calls.take_while(answered) {
            self.told_call = call.n;
            if call.is_write() {
                let (program, action) = (short(&call.caller), &call.action);
                match call.status {
                    200..300 => println!("  {program:>14} │ AWS: {action}"),
                    status => println!("  {program:>14} │ AWS: {action} refused ({status})"),
                }
            }
        }
    }

    fn tell_logs(&mut self) {
        for program in &mut self.all {
            let log = program.process.stderr();
            let new = &log[program.told..];
            let whole = new.rfind('\n').map_or(0, |end| end + 1);
            for line in new[..whole].lines() {
                println!("  {:>14} │ {}", short(program.name), message(line));
            }
            program.told += whole;
        }
    }

    /// Fails if one of them has ended.
    pub(super) fn check(&mut self) -> Result<()> {
        for program in &mut self.all {
            if let Some(status) = program.process.ended()? {
                bail!(
                    "{} ended ({status})\n{}",
                    program.name,
                    program.process.stderr()
                );
            }
        }
        Ok(())
    }

    /// Tells what happens until Ctrl-C.
    pub(super) async fn follow_until_interrupted(&mut self) -> Result<()> {
        let mut tick = tokio::time::interval(std::time::Duration::from_millis(200));
        let interrupted = tokio::signal::ctrl_c();
        tokio::pin!(interrupted);
        loop {
            tokio::select! {
                done = &mut interrupted => return done.context("wait for Ctrl-C"),
                _ = tick.tick() => {
                    self.narrate();
                    self.check()?;
                }
            }
        }
    }

    /// Ends them as Kubernetes would, with SIGTERM.
    pub(super) async fn stop(self) -> Result<()> {
        for program in self.all {
            let ended = program.process.terminate().await?;
            if ended.code != Some(0) {
                bail!("{} did not end well: {ended}", program.name);
            }
        }
        Ok(())
    }
}

fn short(program: &str) -> &str {
    program.trim_start_matches("isthmus-")
}

/// A log line without its time and its target: who watches wants to know what, not when.
fn message(line: &str) -> &str {
    ["INFO ", "WARN ", "ERROR ", "DEBUG "]
        .iter()
        .find_map(|level| {
            line.find(level)
                .map(|at| line[at + level.len()..].trim_start())
        })
        .unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::message;

    #[test]
    fn a_log_line_is_cut_to_what_it_says() {
        assert_eq!(
            message("2026-11-21T04:00:00.000000Z  INFO plan: + record-set a"),
            "plan: + record-set a"
        );
        assert_eq!(message("no level"), "no level");
    }
}
