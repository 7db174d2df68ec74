//! Plans as text. `UPDATE_GOLDEN=1` writes what comes out as what is expected.

mod support;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use dns_core::{Limits, batches};
use support::{config, decide, fake, yaml};

#[test]
fn every_case_gives_its_plan_and_then_nothing() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut paths: Vec<_> = fs::read_dir(cases)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    assert!(paths.len() >= 20, "the cases are there");
    let mut wrong = Vec::new();
    for path in paths {
        let found = run(&path);
        let file = path.join("plan.txt");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&file, &found).unwrap();
        }
        let expected = fs::read_to_string(&file).unwrap_or_default();
        if found != expected {
            wrong.push(format!(
                "{}\nexpected:\n{expected}\nfound:\n{found}",
                path.display()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn run(path: &Path) -> String {
    let (snapshot, flags, waited) = yaml::cluster(&path.join("cluster.yaml"));
    let mut observed = yaml::aws(&path.join("aws.yaml"));
    let config = config(&flags);
    let (decision, rejections) = decide(&snapshot, &observed, &config, waited);
    let mut text = decision.plan.to_string();
    for rejection in rejections {
        let _ = writeln!(text, "rejected {rejection}");
    }
    let (batches, too_large) = batches(&decision.plan, &Limits::default());
    assert!(too_large.is_empty(), "{}", path.display());
    for batch in &batches {
        fake::apply(&mut observed, batch)
            .unwrap_or_else(|words| panic!("{}: {words}", path.display()));
    }
    let (again, _) = decide(&snapshot, &observed, &config, waited);
    assert_eq!(
        again.plan.active().count(),
        0,
        "{}: once is enough:\n{}",
        path.display(),
        again.plan
    );
    text
}
