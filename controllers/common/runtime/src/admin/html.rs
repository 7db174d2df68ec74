//! The page at `/`: one table a topic, no scripts, nothing from elsewhere.

use std::fmt::Write as _;

use isthmus_core::GoDuration;
use jiff::Timestamp;

use super::board::{Ended, Facts, Planned};
use crate::{Page, Section};

const STYLE: &str = "\
:root{color-scheme:light dark;--line:#d5d9de;--soft:#5b6572;--code:#f3f5f7;--bad:#b3261e;--good:#17693a}\
@media(prefers-color-scheme:dark){:root{--line:#3a4149;--soft:#9aa5b1;--code:#1d2228;--bad:#ff8a80;--good:#7bd99a}}\
body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .5rem}\
p,small{color:var(--soft)}.bad{color:var(--bad)}.good{color:var(--good)}\
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%}\
th,td{text-align:left;vertical-align:top;padding:.35rem .75rem .35rem 0;border-bottom:1px solid var(--line);overflow-wrap:anywhere}\
th{color:var(--soft);font-weight:600}\
pre{background:var(--code);padding:.75rem 1rem;overflow-x:auto;border-radius:.375rem;margin:.25rem 0}";

/// What is shown besides the facts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sections<'a> {
    pub(super) page: &'a Page,
    pub(super) inputs: Option<&'a Section>,
    /// Whether there are plans and reconciles.
    pub(super) plans: bool,
}

/// The whole document.
pub(super) fn render(name: &str, facts: &Facts, sections: &Sections<'_>, now: Timestamp) -> String {
    let mut out = String::with_capacity(8192);
    let title = escape(name);
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>{title}</title><style>{STYLE}</style></head><body>\n\
         <h1>{title}</h1>\n<p>version {} · {}<a href=\"/metrics\">metrics</a> · \
         <a href=\"/readyz\">ready</a></p>\n",
        escape(env!("CARGO_PKG_VERSION")),
        if sections.plans {
            "<a href=\"/plan\">plan</a> · "
        } else {
            ""
        },
    );
    if sections.plans {
        out.push_str(&state(facts, now));
    }
    for section in &sections.page.sections {
        table(&mut out, section);
    }
    rejections(&mut out, facts);
    if sections.plans {
        plans(&mut out, facts, now);
    }
    if let Some(inputs) = sections.inputs {
        table(&mut out, inputs);
    }
    out.push_str("</body></html>\n");
    out
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

fn rejections(out: &mut String, facts: &Facts) {
    table(
        out,
        &Section {
            title: "Rejected".to_owned(),
            headings: ["Object", "Reason", "Why"].map(str::to_owned).to_vec(),
            rows: facts
                .rejections
                .iter()
                .map(|r| vec![r.object.to_string(), r.reason.to_owned(), r.message.clone()])
                .collect(),
        },
    );
}

fn plans(out: &mut String, facts: &Facts, now: Timestamp) {
    out.push_str("<h2>Last plan</h2>\n");
    let Some(plan) = &facts.plan else {
        out.push_str("<p>None yet.</p>\n");
        return;
    };
    let mut show = |plan: &Planned, what: &str| {
        let _ = writeln!(
            out,
            "<p>{what} {}</p><pre>{}</pre>",
            ago(plan.at, now),
            escape(plan.text.trim_end())
        );
    };
    show(plan, "Made");
    if let Some(busy) = facts.busy_plan.as_ref().filter(|busy| busy.at != plan.at) {
        show(busy, "The last one that had something to do, made");
    }
}

fn table(out: &mut String, section: &Section) {
    let _ = writeln!(
        out,
        "<h2>{} <small>{}</small></h2>",
        escape(&section.title),
        section.rows.len()
    );
    if section.rows.is_empty() {
        out.push_str("<p>None.</p>\n");
        return;
    }
    out.push_str("<div class=\"wide\"><table><thead><tr>");
    for heading in &section.headings {
        let _ = write!(out, "<th scope=\"col\">{}</th>", escape(heading));
    }
    out.push_str("</tr></thead><tbody>\n");
    for row in &section.rows {
        out.push_str("<tr>");
        for cell in row {
            let _ = write!(out, "<td>{}</td>", escape(cell));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
}

fn ago(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(at).as_secs().try_into().unwrap_or(0);
    let age = crate::watch::age(std::time::Duration::from_secs(seconds));
    format!("<time datetime=\"{at}\" title=\"{at}\">{age}</time>")
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
