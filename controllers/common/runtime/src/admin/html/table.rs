//! One table, however many rows there are.

use std::fmt::Write as _;

use super::{Filter, escape};
use crate::Section;

/// How many rows of one table are shown: a page of a big cluster stays one that
/// a phone can open.
pub(super) const MOST_ROWS: usize = 500;

pub(super) fn table(out: &mut String, section: &Section, filter: &Filter) {
    let found: Vec<&Vec<String>> = section
        .rows
        .iter()
        .filter(|row| filter.admits(row))
        .collect();
    let _ = writeln!(
        out,
        "<h2 id=\"{}\">{} <small>{}</small></h2>",
        slug(&section.title),
        escape(&section.title),
        count(found.len(), section.rows.len()),
    );
    if found.is_empty() {
        out.push_str("<p>None.</p>\n");
        return;
    }
    out.push_str("<table><thead><tr>");
    for heading in &section.headings {
        let _ = write!(out, "<th scope=\"col\">{}</th>", escape(heading));
    }
    out.push_str("</tr></thead><tbody>\n");
    let headings: Vec<String> = section.headings.iter().map(|text| escape(text)).collect();
    for row in found.into_iter().take(MOST_ROWS) {
        out.push_str("<tr>");
        for (cell, heading) in row.iter().zip(&headings) {
            let _ = write!(out, "<td data-h=\"{heading}\">{}</td>", escape(cell));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table>\n");
}

/// How many rows there are, and which of them are shown.
fn count(found: usize, all: usize) -> String {
    let (shown, all_text) = (found.min(MOST_ROWS), thousands(all));
    match (shown < found, found < all) {
        (true, true) => format!(
            "first {shown} of {} that match, of {all_text}",
            thousands(found)
        ),
        (true, false) => format!("first {shown} of {all_text}; filter to see others"),
        (false, true) => format!("{} of {all_text} match", thousands(found)),
        (false, false) => all_text,
    }
}

/// `12,000`.
pub(super) fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A title as an anchor.
pub(super) fn slug(title: &str) -> String {
    let words = title.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<String> = words
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    words.join("-")
}
