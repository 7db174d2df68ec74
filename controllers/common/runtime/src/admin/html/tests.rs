use base64::Engine as _;
use sha2::Digest as _;

use super::table::MOST_ROWS;
use super::*;

fn page(rows: usize) -> Page {
    let row = |n: usize| vec![format!("shop/web-{n:05}"), "lb-1".to_owned()];
    let rows = (0..rows).map(row).collect();
    Page {
        sections: vec![Section::new(
            "Ingresses",
            ["Ingress", "Load balancer"],
            rows,
        )],
    }
}

fn rendered(page: &Page, query: Option<&str>) -> String {
    let sections = Sections {
        page,
        watches: None,
        plans: true,
        filter: &Filter::from_query(query),
    };
    render(
        "isthmus-test",
        &Facts::default(),
        &sections,
        Timestamp::UNIX_EPOCH,
    )
}

#[test]
fn the_policy_knows_the_style() {
    let hash = base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(STYLE));
    assert!(POLICY.contains(&format!("'sha256-{hash}'")), "{hash}");
    assert!(
        rendered(&page(0), None).contains(&format!("<style>{STYLE}</style>")),
        "what is hashed is what is sent"
    );
}

#[test]
fn a_big_table_is_cut_and_says_so() {
    let html = rendered(&page(12_000), None);
    assert_eq!(html.matches("<td data-h=\"Ingress\">").count(), MOST_ROWS);
    assert!(
        html.contains("first 500 of 12,000; filter to see others"),
        "{}",
        &html[html.len() - 500..]
    );
}

#[test]
fn a_filter_finds_what_was_cut() {
    let html = rendered(&page(12_000), Some("x=1&q=WEB-1199+lb"));
    assert_eq!(html.matches("<td data-h=\"Ingress\">").count(), 10);
    assert!(html.contains("10 of 12,000 match"));
    assert!(html.contains("shop/web-11999"));
    assert!(html.contains("value=\"WEB-1199 lb\""), "it can be changed");
    let html = rendered(&page(12_000), Some("q=web-01"));
    assert!(html.contains("first 500 of 1,000 that match, of 12,000"));
    assert!(rendered(&page(3), Some("q=elsewhere")).contains("None."));
}

#[test]
fn a_filter_is_escaped() {
    let html = rendered(&page(1), Some("q=%22%3E%3Cscript%3E"));
    assert!(
        html.contains("value=\"&quot;&gt;&lt;script&gt;\""),
        "{html}"
    );
    assert!(!html.contains("<script"), "{html}");
}

#[test]
fn a_long_plan_is_cut_and_leads_to_the_whole() {
    let plan = Planned {
        at: Timestamp::UNIX_EPOCH,
        text: "+ route a\n".repeat(3000),
        json: serde_json::Value::Null,
    };
    let facts = Facts {
        plan: Some(plan),
        ..Facts::default()
    };
    let sections = Sections {
        page: &Page::default(),
        watches: None,
        plans: true,
        filter: &Filter::default(),
    };
    let html = render("isthmus-test", &facts, &sections, Timestamp::UNIX_EPOCH);
    assert_eq!(html.matches("+ route a").count(), PLAN_LINES);
    assert!(html.contains("first 500 of 3,000 lines"), "{html}");
    assert!(html.contains("<a href=\"/plan\">"));
}
