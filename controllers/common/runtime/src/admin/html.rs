//! The page at `/`: one table a topic, no scripts, nothing from elsewhere.

mod filter;
mod table;

use std::fmt::Write as _;

use isthmus_core::GoDuration;
use jiff::Timestamp;

use super::board::{Ended, Facts, Planned};
use crate::{Page, Section};
pub(super) use filter::Filter;
use table::{slug, table, thousands};

const STYLE: &str = include_str!("style.css");

/// What the page may load: its own style, known by its hash, and nothing else.
/// The empty picture keeps browsers from asking for one.
pub(super) const POLICY: &str = "default-src 'none'; style-src 'sha256-4ft0S9pzg41UVr5+2vNI5Sj2JGe+7emCnsXf47qrr1s='; \
     img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// How much of a plan is shown; `/plan` has all of it.
const PLAN_LINES: usize = 500;

/// What is shown besides the facts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sections<'a> {
    pub(super) page: &'a Page,
    pub(super) watches: Option<&'a Section>,
    /// Whether there are plans and reconciles.
    pub(super) plans: bool,
    pub(super) filter: &'a Filter,
}

/// The whole document.
pub(super) fn render(name: &str, facts: &Facts, sections: &Sections<'_>, now: Timestamp) -> String {
    let mut tables: Vec<Section> = Vec::new();
    tables.push(rejections(facts));
    tables.extend(reads(facts, now));
    let managed = sections.page.sections.iter();
    let shown: Vec<&Section> = managed.chain(&tables).chain(sections.watches).collect();
    let mut out = String::with_capacity(16 * 1024);
    head(&mut out, name, sections.plans);
    if sections.plans {
        out.push_str(&state(facts, now));
    }
    contents(&mut out, &shown, sections);
    for section in shown {
        table(&mut out, section, sections.filter);
    }
    if sections.plans {
        plans(&mut out, facts, now);
    }
    out.push_str("</main></body></html>\n");
    out
}

fn head(out: &mut String, name: &str, plans: bool) {
    let title = escape(name);
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <link rel=\"icon\" href=\"data:,\">\
         <title>{title}</title><style>{STYLE}</style></head><body><main>\n\
         <h1>{title}</h1>\n<p>version {} · {}<a href=\"/metrics\">metrics</a> · \
         <a href=\"/readyz\">ready</a></p>\n",
        escape(env!("CARGO_PKG_VERSION")),
        if plans {
            "<a href=\"/plan\">plan</a> · "
        } else {
            ""
        },
    );
}

/// Where to find what, and the filter.
fn contents(out: &mut String, shown: &[&Section], sections: &Sections<'_>) {
    out.push_str("<ul>");
    for section in shown {
        let _ = write!(
            out,
            "<li><a href=\"#{}\">{}</a> {}</li>",
            slug(&section.title),
            escape(&section.title),
            thousands(section.rows.len()),
        );
    }
    if sections.plans {
        out.push_str("<li><a href=\"#last-plan\">Last plan</a></li>");
    }
    let filter = sections.filter;
    let _ = write!(
        out,
        "</ul>\n<form><input type=\"search\" name=\"q\" value=\"{}\" \
         aria-label=\"Rows with these words\" placeholder=\"Rows with these words\">\
         <button>Filter</button></form>\n",
        escape(filter.text()),
    );
    if !filter.is_empty() {
        out.push_str(
            "<p>Only rows with all of these words are shown. <a href=\"/\">Show all</a></p>\n",
        );
    }
}

fn state(facts: &Facts, now: Timestamp) -> String {
    let mut out = String::from("<p>");
    match facts.leads {
        Some(true) => out.push_str("This replica leads. "),
        Some(false) => out.push_str("This replica stands by: another one holds the lease. "),
        None => {}
    }
    match &facts.ended {
        None => out.push_str("No reconcile has ended yet.</p>\n"),
        Some(Ended { at, took, failures }) => {
            let took = GoDuration(std::time::Duration::from_millis(
                u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            ));
            let (class, word) = match failures.len() {
                0 => ("good", "went well".to_owned()),
                1 => ("bad", "had 1 failure".to_owned()),
                n => ("bad", format!("had {n} failures")),
            };
            let _ = writeln!(
                out,
                "The last reconcile <span class=\"{class}\">{word}</span>; it ended {} and took {took}.</p>",
                ago(*at, now),
            );
            for failure in failures {
                let _ = writeln!(out, "<pre class=\"bad\">{}</pre>", escape(failure));
            }
        }
    }
    out
}

fn rejections(facts: &Facts) -> Section {
    let row = |rejection: &isthmus_core::Rejection| {
        vec![
            rejection.object.to_string(),
            rejection.reason.to_owned(),
            rejection.message.clone(),
        ]
    };
    Section::new(
        "Rejected",
        ["Object", "Reason", "Why"],
        facts.rejections.iter().map(row).collect(),
    )
}

/// What was read of AWS, and when.
fn reads(facts: &Facts, now: Timestamp) -> Option<Section> {
    let row = |(what, (count, at)): (&&str, &(usize, Timestamp))| {
        vec![(*what).to_owned(), thousands(*count), age(*at, now)]
    };
    let rows: Vec<_> = facts.reads.iter().map(row).collect();
    (!rows.is_empty()).then(|| Section::new("Read from AWS", ["What", "Count", "Read"], rows))
}

fn plans(out: &mut String, facts: &Facts, now: Timestamp) {
    out.push_str("<h2 id=\"last-plan\">Last plan</h2>\n");
    let Some(plan) = &facts.plan else {
        out.push_str("<p>None yet.</p>\n");
        return;
    };
    let mut show = |plan: &Planned, what: &str| {
        let count = plan.text.lines().count();
        let first: Vec<&str> = plan.text.lines().take(PLAN_LINES).collect();
        let more = if count > PLAN_LINES {
            format!("; first {PLAN_LINES} of {} lines", thousands(count))
        } else {
            String::new()
        };
        let _ = writeln!(
            out,
            "<p>{what} {}{more}</p><pre>{}</pre>",
            ago(plan.at, now),
            escape(first.join("\n").trim_end())
        );
    };
    show(plan, "Made");
    if let Some(busy) = facts.busy_plan.as_ref().filter(|busy| busy.at != plan.at) {
        show(busy, "The last one that had something to do, made");
    }
}

fn age(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(at).as_secs().try_into().unwrap_or(0);
    crate::watch::age(std::time::Duration::from_secs(seconds))
}

fn ago(at: Timestamp, now: Timestamp) -> String {
    format!(
        "<time datetime=\"{at}\" title=\"{at}\">{}</time>",
        age(at, now)
    )
}

/// Text as HTML content or attribute value.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests;
