//! Headless Chromium, driven over the pipe of its [DevTools protocol].
//!
//! [DevTools protocol]: https://chromedevtools.github.io/devtools-protocol/

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use base64::Engine as _;
use isthmus_e2e::PATIENCE;
use serde_json::{Value, json};

/// Its standard input and output become the pipe that it reads commands from
/// and writes answers to: file descriptors 3 and 4.
const PIPED: &str = r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1"#;

/// A screen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Screen {
    pub(crate) name: &'static str,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) phone: bool,
    pub(crate) dark: bool,
}

/// What one look at a page has shown.
#[derive(Debug)]
pub(crate) struct Look {
    /// What the questions in JavaScript were answered.
    pub(crate) answers: Value,
    /// What was said on the console, policies that were violated among it.
    pub(crate) console: Vec<String>,
    /// Every URL that was asked for.
    pub(crate) requests: Vec<String>,
    /// What was visible first.
    pub(crate) png: Vec<u8>,
}

/// A browser with one tab; it ends with the test.
pub(crate) struct Browser {
    child: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    profile: PathBuf,
    session: String,
    last: u64,
    events: Vec<Value>,
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.send("Browser.close", &json!({}), false);
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}

/// Where Chromium is on this machine.
pub(crate) fn installed() -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders)
        .map(|folder| folder.join("chromium"))
        .find(|program| program.is_file())
}

impl Browser {
    pub(crate) fn start(program: &Path, scratch: &Path) -> Result<Self> {
        let profile = scratch.join(format!("profile-{}", std::process::id()));
        std::fs::create_dir_all(&profile)?;
        let mut child = Command::new("sh")
            .args(["-c", PIPED])
            .arg(program)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
            ])
            .args(["--no-first-run", "--disable-background-networking"])
            .args(["--disable-component-update", "--disable-sync"])
            .args(["--disable-dev-shm-usage", "--hide-scrollbars"])
            .args(["--force-color-profile=srgb", "--remote-debugging-pipe"])
            .arg(format!("--user-data-dir={}", profile.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let to = child.stdin.take().context("its input")?;
        let from = read(child.stdout.take().context("its output")?);
        let mut browser = Self {
            child,
            to,
            from,
            profile,
            session: String::new(),
            last: 0,
            events: Vec::new(),
        };
        browser.open_tab()?;
        Ok(browser)
    }

    fn open_tab(&mut self) -> Result<()> {
        let tab = self.call("Target.createTarget", &json!({"url": "about:blank"}))?;
        let attach = json!({"targetId": tab["targetId"], "flatten": true});
        let attached = self.call("Target.attachToTarget", &attach)?;
        self.session = text(&attached["sessionId"]);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            self.call(&format!("{domain}.enable"), &json!({}))?;
        }
        Ok(())
    }

    /// Opens a page, waits until it has loaded and asks `question`, an expression
    /// in JavaScript.
    pub(crate) fn look(&mut self, url: &str, screen: Screen, question: &str) -> Result<Look> {
        let metrics = json!({
            "width": screen.width, "height": screen.height,
            "deviceScaleFactor": 1, "mobile": screen.phone,
        });
        self.call("Emulation.setDeviceMetricsOverride", &metrics)?;
        let scheme = if screen.dark { "dark" } else { "light" };
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.call("Emulation.setEmulatedMedia", &media)?;
        self.events.clear();
        let opened = self.call("Page.navigate", &json!({ "url": url }))?;
        ensure!(opened["errorText"].is_null(), "{url}: {opened}");
        self.wait_for("Page.loadEventFired")?;
        let ask = json!({"expression": question, "returnByValue": true});
        let answered = self.call("Runtime.evaluate", &ask)?;
        ensure!(answered["exceptionDetails"].is_null(), "{answered}");
        let shot = self.call("Page.captureScreenshot", &json!({"format": "png"}))?;
        let png = base64::engine::general_purpose::STANDARD.decode(text(&shot["data"]))?;
        Ok(Look {
            answers: answered["result"]["value"].clone(),
            console: self.console(),
            requests: self.requests(),
            png,
        })
    }

    fn console(&self) -> Vec<String> {
        let said = self.events.iter().filter(|event| {
            [
                "Log.entryAdded",
                "Runtime.consoleAPICalled",
                "Runtime.exceptionThrown",
            ]
            .contains(&event["method"].as_str().unwrap_or_default())
        });
        said.map(|event| event["params"].to_string()).collect()
    }

    fn requests(&self) -> Vec<String> {
        let sent = self
            .events
            .iter()
            .filter(|event| event["method"] == "Network.requestWillBeSent");
        sent.map(|event| text(&event["params"]["request"]["url"]))
            .collect()
    }

    fn call(&mut self, method: &str, params: &Value) -> Result<Value> {
        let id = self.send(method, params, true)?;
        let mut answer = self.wait(method, |message| message["id"] == id)?;
        if !answer["error"].is_null() {
            bail!("{method}: {}", answer["error"]);
        }
        Ok(answer["result"].take())
    }

    fn send(&mut self, method: &str, params: &Value, in_tab: bool) -> Result<u64> {
        self.last += 1;
        let mut message = json!({"id": self.last, "method": method, "params": params});
        if in_tab && !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        self.to.write_all(message.to_string().as_bytes())?;
        self.to.write_all(&[0])?;
        Ok(self.last)
    }

    fn wait_for(&mut self, event: &str) -> Result<()> {
        if self.events.iter().any(|seen| seen["method"] == event) {
            return Ok(());
        }
        self.wait(event, |message| message["method"] == event)
            .map(drop)
    }

    /// Reads messages until one fits. Events are kept.
    fn wait(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Result<Value> {
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let message = self.from.recv_timeout(left);
            let message = message.with_context(|| format!("Chromium does not answer {what}"))?;
            if message["method"].is_string() {
                self.events.push(message.clone());
            }
            if fits(&message) {
                return Ok(message);
            }
        }
    }
}

/// The messages, each ended by a zero byte.
fn read(output: ChildStdout) -> Receiver<Value> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut message = Vec::new();
        while matches!(output.read_until(0, &mut message), Ok(1..)) {
            message.pop();
            let Ok(value) = serde_json::from_slice(&message) else {
                return;
            };
            if sender.send(value).is_err() {
                return;
            }
            message.clear();
        }
    });
    receiver
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
