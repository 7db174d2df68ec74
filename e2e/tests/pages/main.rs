//! The page at `/` of each program, after the playground's scenario and some
//! mistakes of users: what it says, and how it looks in a browser.
//!
//! The screenshots are in the folder that the test names. `UPDATE_DOCS=1` puts
//! one of each program into `docs/images`.

mod browser;
mod html;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use browser::{Browser, Screen};
use isthmus_e2e::{PATIENCE, Testbed, http, playground};
use playground::Programs;

/// Things that cannot be had, one for each program.
const TROUBLE: &str = r#"
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: typo
  namespace: shop
  annotations: {zalando.org/aws-load-balancer-scheme: Internal}
spec:
  rules: [{host: typo.example.org, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {name: http}}}}]}}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: hasty
  namespace: shop
  annotations: {external-dns.alpha.kubernetes.io/ttl: soon}
spec:
  rules: [{host: hasty.example.org, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {name: http}}}}]}}]
status: {loadBalancer: {ingress: [{hostname: hasty-1234.eu-central-1.elb.amazonaws.com}]}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: too-much, namespace: shop, labels: {egress: static}}
data: {everything: 0.0.0.0/0}
---
apiVersion: v1
kind: Pod
metadata:
  name: confused
  namespace: shop
  annotations: {iam.amazonaws.com/role: "not a role"}
spec:
  nodeName: playground
  containers: [{name: c, image: registry.k8s.io/pause:3.10}]
status: {phase: Running, podIP: 127.0.10.9, podIPs: [{ip: 127.0.10.9}]}
"#;

/// What each page shows: the table, and words that are in one of its rows.
const SHOWN: [(&str, &str, &[&str]); 9] = [
    (
        "isthmus-ingress",
        "ingresses",
        &["Ingress shop/web", "example.org", ".elb.amazonaws.com"],
    ),
    ("isthmus-ingress", "load-balancers", &["active"]),
    (
        "isthmus-ingress",
        "rejected",
        &["Ingress shop/typo", "Internal"],
    ),
    (
        "isthmus-dns",
        "names",
        &["shop.example.org", "alias", "ingress/shop/web"],
    ),
    ("isthmus-dns", "rejected", &["shop/hasty", "soon"]),
    (
        "isthmus-egress",
        "networks",
        &[
            "203.0.113.0/24",
            "shop/partner-bank",
            "rtb-",
            "nat-",
            "in place",
        ],
    ),
    (
        "isthmus-egress",
        "rejected",
        &["shop/too-much", "0.0.0.0/0"],
    ),
    (
        "isthmus-metadata-proxy",
        "pods",
        &["shop/web", "role/shop-web", "until 20"],
    ),
    (
        "isthmus-metadata-proxy",
        "rejected",
        &["shop/confused", "not a role"],
    ),
];

const SCREENS: [Screen; 4] = [
    screen("phone-light", 390, 844, false),
    screen("phone-dark", 390, 844, true),
    screen("desktop-light", 1040, 560, false),
    screen("desktop-dark", 1040, 560, true),
];

const fn screen(name: &'static str, width: u32, height: u32, dark: bool) -> Screen {
    Screen {
        name,
        width,
        height,
        phone: width < 600,
        dark,
    }
}

/// Whether something is cut off on the right, whether the style is in force, and
/// how bright the text is.
const QUESTION: &str = "({
    content: document.documentElement.scrollWidth,
    window: window.innerWidth,
    heading: getComputedStyle(document.querySelector('h1')).fontSize,
    text: getComputedStyle(document.body).color,
    dark: matchMedia('(prefers-color-scheme: dark)').matches,
})";

#[tokio::test]
async fn the_pages_show_what_is_managed_and_can_be_read_anywhere() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let then = async |programs: &Programs| {
        testbed.apply_yaml(TROUBLE).await?;
        for (program, admin) in programs.admin_pages() {
            let html = settled(program, admin).await?;
            html::check(&html)?;
            ensure!(!html.contains("testbed-secret"), "{program} shows a secret");
            filtered(program, admin).await?;
        }
        let pages: Vec<_> = programs.admin_pages().collect();
        let pages = pages
            .into_iter()
            .map(|(program, admin)| (program, admin.to_owned()))
            .collect();
        tokio::task::spawn_blocking(move || in_a_browser(pages)).await?
    };
    playground::perform(&testbed, |_, command| command, then).await
}

/// The page of a program once it shows what it should.
async fn settled(program: &str, admin: &str) -> Result<String> {
    let start = Instant::now();
    loop {
        let (status, html) = http::get(&format!("{admin}/")).await?;
        ensure!(status.is_success(), "{program}: {status}");
        let missing: Vec<_> = SHOWN
            .iter()
            .filter(|(of, table, words)| {
                let has = |row: &Vec<String>| {
                    let row = row.join(" ");
                    words.iter().all(|word| row.contains(word))
                };
                *of == program && !html::rows(&html, table).iter().any(has)
            })
            .collect();
        if missing.is_empty() {
            return Ok(html);
        }
        if start.elapsed() > PATIENCE {
            bail!("{missing:?} are not in\n{html}");
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The filter leaves rows with its words and no others.
async fn filtered(program: &str, admin: &str) -> Result<()> {
    let (_, html) = http::get(&format!("{admin}/?q=SHOP%2F")).await?;
    html::check(&html)?;
    let rows = html::rows(&html, "rejected");
    let fits = |row: &Vec<String>| row.join(" ").to_lowercase().contains("shop/");
    ensure!(
        !rows.is_empty() && rows.iter().all(fits),
        "{program}: {rows:?}"
    );
    let (_, html) = http::get(&format!("{admin}/?q=nothing-has-this")).await?;
    html::check(&html)?;
    ensure!(html::rows(&html, "rejected").is_empty(), "{program}");
    Ok(())
}

fn in_a_browser(pages: Vec<(&'static str, String)>) -> Result<()> {
    let Some(program) = browser::installed() else {
        eprintln!("pages: chromium is not installed: the pages were read, but not looked at");
        return Ok(());
    };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages");
    std::fs::create_dir_all(&folder)?;
    let mut browser = Browser::start(&program, &folder)?;
    for (program, admin) in pages {
        for screen in SCREENS {
            let page = format!("{program} on {}", screen.name);
            let look = browser.look(&format!("{admin}/"), screen, QUESTION)?;
            let file = folder.join(format!("{program}-{}.png", screen.name));
            std::fs::write(&file, &look.png)?;
            println!("{}", file.display());
            let answers = &look.answers;
            ensure!(
                answers["content"].as_u64() <= answers["window"].as_u64(),
                "{page} is cut off: {answers}"
            );
            ensure!(
                answers["heading"] == "24px",
                "{page} has no style: {answers}"
            );
            let bright = answers["text"].as_str() == Some("rgb(255, 255, 255)");
            ensure!(
                answers["dark"] == screen.dark && bright == screen.dark,
                "{page}: {answers}"
            );
            ensure!(look.console.is_empty(), "{page}: {:?}", look.console);
            let elsewhere =
                |url: &&String| !url.starts_with(&format!("{admin}/")) && *url != "data:,";
            let elsewhere: Vec<_> = look.requests.iter().filter(elsewhere).collect();
            ensure!(elsewhere.is_empty(), "{page} asks for {elsewhere:?}");
            if screen.name == "desktop-light" && std::env::var_os("UPDATE_DOCS").is_some() {
                std::fs::write(picture(program)?, &look.png)?;
            }
        }
    }
    Ok(())
}

/// The picture of a program in the documents.
fn picture(program: &str) -> Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/images");
    std::fs::create_dir_all(&folder)?;
    Ok(folder.join(format!("page-{program}.png")))
}
