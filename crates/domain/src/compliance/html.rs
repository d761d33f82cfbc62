//! A report in HTML: one document that is all there is to it, fit to be printed on A4.
//!
//! It has no scripts, no links and nothing from elsewhere, and says so to the browser. What somebody wrote stands in text
//! alone, never in an attribute, a style or a comment, with every mark that could end text as a code.

use super::{
    Overall, Report, Verdict,
    page::{COLUMNS, Line, NOTE, Page, Section, VERDICT, overall, shown},
};

/// Refuses whatever is not written here, should it ever be.
const NOTHING_ELSE: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// Verdicts are words with marks, and refused ones are framed: none is told by its colour alone.
const STYLE: &str = "
@page { size: A4 landscape; margin: 12mm; }
body { font: 10pt/1.4 sans-serif; color: #111; background: #fff; margin: 2em auto; max-width: 273mm; padding: 0 1em; }
h1 { font-size: 16pt; } h2 { font-size: 13pt; margin-top: 2em; }
dl { display: grid; grid-template-columns: max-content auto; gap: .1em 1em; } dt { font-weight: bold; } dd { margin: 0; }
dd, td { overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; table-layout: fixed; font-size: 9pt; }
* { box-sizing: border-box; }
th, td { border: 1px solid #777; padding: .3em .5em; text-align: left; vertical-align: top; }
th { background: #eee; }
.verdict { font-weight: bold; white-space: nowrap; }
td.refused { border: 3px double #900; color: #900; } td.open { border-style: dashed; color: #640; } td.met { color: #050; }
th:nth-child(1) { width: 16%; } th:nth-child(2) { width: 9%; } th:nth-child(3) { width: 12%; } th:nth-child(4) { width: 8%; }
th:nth-child(5) { width: 14%; } th:nth-child(6) { width: 13%; }
@media print {
  body { margin: 0; max-width: none; padding: 0; font-size: 9pt; }
  table { font-size: 8pt; } thead { display: table-header-group; } tr { break-inside: avoid; } h2, dl { break-after: avoid; }
}
";

/// Writes it.
#[must_use]
pub fn html(report: &Report) -> String {
    let page = Page::of(report);
    let title = escaped(&page.title);
    let mut parts = vec![format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{NOTHING_ELSE}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <h1>{title} – {}</h1>\n{}<p>{}</p>\n",
        whole(page.verdict),
        list(&page.lines),
        escaped(NOTE)
    )];
    parts.extend(page.sections.iter().map(section));
    parts.push("</body>\n</html>\n".to_owned());
    parts.concat()
}

fn section(section: &Section) -> String {
    let heads = COLUMNS.map(|name| format!("<th scope=\"col\">{name}</th>"));
    let rows = section.rows.iter().map(|(verdict, cells)| row(*verdict, cells));
    format!(
        "<section>\n<h2>{} – {}</h2>\n{}<table>\n<thead><tr>{}</tr></thead>\n<tbody>\n{}</tbody>\n</table>\n</section>\n",
        escaped(&section.title),
        whole(section.verdict),
        list(&section.lines),
        heads.concat(),
        rows.collect::<String>()
    )
}

fn whole(verdict: Overall) -> String {
    format!("<span class=\"verdict\">{}</span>", overall(verdict))
}

fn list(lines: &[Line]) -> String {
    let lines = lines
        .iter()
        .map(|(name, value)| format!("<dt>{name}</dt><dd>{}</dd>\n", escaped(value)));
    format!("<dl>\n{}</dl>\n", lines.collect::<String>())
}

fn row(verdict: Verdict, cells: &[String]) -> String {
    let cells = cells.iter().enumerate().map(|(i, cell)| {
        let cell = escaped(cell);
        if i == VERDICT {
            format!("<td class=\"verdict {}\">{cell}</td>", verdict.as_str())
        } else {
            format!("<td>{cell}</td>")
        }
    });
    format!("<tr>{}</tr>\n", cells.collect::<String>())
}

/// The text, as text.
pub(super) fn escaped(text: &str) -> String {
    shown(text).chars().fold(String::new(), |mut escaped, c| {
        match c {
            '&' | '<' | '>' | '"' | '\'' | '`' => {
                escaped.extend(["&#", &u32::from(c).to_string(), ";"]);
            }
            _ => escaped.push(c),
        }
        escaped
    })
}
