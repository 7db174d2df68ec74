//! Enough of HTML to tell a whole document from a broken one.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, bail, ensure};

/// Elements without an end tag.
const VOID: [&str; 4] = ["meta", "link", "input", "br"];

/// Checks that every element is closed in its turn, that ids are unique, that
/// links between parts lead somewhere, and that nothing runs or is loaded.
pub(crate) fn check(html: &str) -> Result<()> {
    ensure!(html.starts_with("<!doctype html>"), "no doctype");
    let mut open: Vec<String> = Vec::new();
    let (mut ids, mut targets) = (BTreeSet::new(), BTreeSet::new());
    let mut rest = html.split_once('>').context("a doctype")?.1;
    while let Some(at) = rest.find('<') {
        let (tag, after) = rest[at + 1..].split_once('>').context("a tag that ends")?;
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            let last = open.pop();
            ensure!(last.as_deref() == Some(name), "</{name}> ends {last:?}");
            continue;
        }
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        ensure!(
            !["script", "iframe", "img", "object"].contains(&name),
            "<{tag}>"
        );
        for (attribute, value) in pairs(attributes)? {
            match attribute.as_str() {
                "id" => ensure!(ids.insert(value.clone()), "two of id {value}"),
                "href" if value.starts_with('#') => drop(targets.insert(value[1..].to_owned())),
                "href" => ensure!(value == "data:," || value.starts_with('/'), "<{tag}>"),
                "src" | "style" | "action" => bail!("<{tag}>"),
                on if on.starts_with("on") => bail!("<{tag}>"),
                _ => {}
            }
        }
        if !VOID.contains(&name) {
            open.push(name.to_owned());
        }
    }
    ensure!(open.is_empty(), "{open:?} are not closed");
    let dead: Vec<_> = targets.difference(&ids).collect();
    ensure!(dead.is_empty(), "nothing has the ids {dead:?}");
    Ok(())
}

/// The attributes of a tag; every value is quoted.
fn pairs(attributes: &str) -> Result<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    let mut rest = attributes.trim();
    while !rest.is_empty() {
        let (name, after) = rest.split_once("=\"").context("a quoted value")?;
        let (value, after) = after.split_once('"').context("the end of a value")?;
        pairs.push((name.trim().to_owned(), value.to_owned()));
        rest = after.trim_start();
    }
    Ok(pairs)
}

/// The cells of the table below a heading, row by row.
pub(crate) fn rows(html: &str, id: &str) -> Vec<Vec<String>> {
    let Some((_, section)) = html.split_once(&format!("<h2 id=\"{id}\">")) else {
        return Vec::new();
    };
    let section = section.split("<h2").next().unwrap_or_default();
    let rows = section.split("<tr>").skip(2);
    rows.map(|row| {
        let cells = row.split("<td ").skip(1);
        let text = |cell: &str| {
            let cell = cell.split_once('>')?.1;
            Some(cell.split_once("</td>")?.0.to_owned())
        };
        cells.filter_map(text).collect()
    })
    .collect()
}

#[test]
fn a_broken_document_is_told_from_a_whole_one() {
    let whole = |body: &str| format!("<!doctype html><html><body>{body}</body></html>");
    assert!(check(&whole("<h2 id=\"a\">x</h2><a href=\"#a\">a</a>")).is_ok());
    for broken in [
        "<p><b></p></b>",
        "<p>",
        "<a href=\"#a\">a</a>",
        "<h2 id=\"a\"></h2><h2 id=\"a\"></h2>",
        "<a href=\"https://example.org\">a</a>",
        "<script>1</script>",
        "<p onclick=\"x\"></p>",
        "<p a=b></p>",
    ] {
        assert!(check(&whole(broken)).is_err(), "{broken}");
    }
}

#[test]
fn a_table_is_read() {
    let html = "<h2 id=\"a\">A</h2><table><thead><tr><th>H</th></tr></thead><tbody>\n\
                <tr><td data-h=\"H\">1</td><td data-h=\"I\">2</td></tr>\n</tbody></table><h2 id=\"b\">";
    assert_eq!(rows(html, "a"), [["1", "2"]]);
    assert_eq!(rows(html, "b"), Vec::<Vec<String>>::new());
}
