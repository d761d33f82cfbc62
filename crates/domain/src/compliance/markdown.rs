//! A report in Markdown: a table for each environment.
//!
//! Whatever somebody wrote stands behind words of ours, on one line, and means nothing there: letters, digits, spaces and the
//! few marks that mean nothing inside a line are as they are, all others are [entity codes]. It can begin no line, end no cell,
//! and open nothing.
//!
//! That is not enough against links: renderers look for addresses in what the codes came out as (GitHub's for `www.`, `://` and
//! `name@host`, others for anything with a dot in it, or `//`), for people and issues (`@name`, `#7`), and for formulas (`$`,
//! `\(`). A word with one of these in it is written as code, which is left alone, if nothing in it could end code; then it can
//! be copied as it is: `web@1.2.0`. Else a space of no width keeps the mark apart from what is beside it. Which they are was
//! found by rendering such texts with cmark-gfm, markdown-it 15 (and 4 in Python), marked 18, mistune 3 and remark-gfm 4, all
//! with whatever they have for links.
//!
//! [entity codes]: https://spec.commonmark.org/0.31.2/#entity-and-numeric-character-references

use super::{
    Report,
    page::{COLUMNS, Line, NOTE, Page, Section, overall, shown},
};

/// A space of no width.
const APART: &str = "&#8203;";

/// Writes it.
#[must_use]
pub fn markdown(report: &Report) -> String {
    let page = Page::of(report);
    let mut parts = vec![format!(
        "# {} – {}\n\n{}\n{}\n",
        escaped(&page.title),
        overall(page.verdict),
        list(&page.lines),
        escaped(NOTE)
    )];
    parts.extend(page.sections.iter().map(section));
    parts.concat()
}

fn section(section: &Section) -> String {
    let head = format!(
        "\n## {} – {}\n\n{}\n",
        escaped(&section.title),
        overall(section.verdict),
        list(&section.lines)
    );
    let mut parts = vec![
        head,
        row(&COLUMNS.map(str::to_owned)),
        row(&COLUMNS.map(|_| "---".to_owned())),
    ];
    let rows = section.rows.iter();
    parts.extend(rows.map(|(_, cells)| row(&cells.each_ref().map(|cell| escaped(cell)))));
    parts.concat()
}

fn list(lines: &[Line]) -> String {
    let lines = lines
        .iter()
        .map(|(name, value)| format!("- **{name}:** {}\n", escaped(value)));
    lines.collect()
}

fn row(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

/// The text, inside a line.
pub(super) fn escaped(text: &str) -> String {
    let shown = shown(text);
    let words: Vec<_> = shown.split(' ').map(word).collect();
    words.join(" ")
}

fn word(word: &str) -> String {
    let chars: Vec<char> = word.chars().collect();
    let apart: Vec<bool> = (0..chars.len()).map(|i| begins_something(&chars, i)).collect();
    if apart.contains(&true) && chars.iter().all(|c| stays_in_code(*c)) {
        return format!("`{word}`");
    }
    (0..chars.len()).fold(String::new(), |mut escaped, i| {
        let c = chars[i];
        // Before a dot, since `www.` is enough to begin an address, whatever follows.
        if apart[i] && c == '.' {
            escaped += APART;
        }
        if is_plain(&chars, i) {
            escaped.push(c);
        } else {
            escaped.extend(["&#", &u32::from(c).to_string(), ";"]);
        }
        if apart[i] && c != '.' {
            escaped += APART;
        }
        escaped
    })
}

/// Whether both what is before and what is after are so.
fn is_between(chars: &[char], i: usize, of: impl Fn(char) -> bool) -> bool {
    let before = i.checked_sub(1).and_then(|before| chars.get(before));
    let after = chars.get(i + 1);
    before.is_some_and(|c| of(*c)) && after.is_some_and(|c| of(*c))
}

/// What means nothing inside a line. An underscore does not between letters and digits.
fn is_plain(chars: &[char], i: usize) -> bool {
    match chars[i] {
        '_' => is_between(chars, i, |c| c.is_ascii_alphanumeric()),
        c => !c.is_ascii() || c.is_ascii_alphanumeric() || ",;.:()/-@?'\"".contains(c),
    }
}

/// What renderers take for a part of more than a text, even when it was written as a code. Between digits, as in a time or a
/// version, they do not.
fn begins_something(chars: &[char], i: usize) -> bool {
    let (before, after) = (&chars[..i], chars.get(i + 1));
    let between_digits = || is_between(chars, i, |c| c.is_ascii_digit());
    match chars[i] {
        '.' => is_www(before) || (after.is_some() && !between_digits()),
        ':' => after.is_some() && !between_digits(),
        '/' => before.ends_with(&['/']) || after == Some(&'/'),
        '@' | '#' | '$' | '\\' => after.is_some(),
        _ => false,
    }
}

fn is_www(before: &[char]) -> bool {
    before
        .rchunks(3)
        .next()
        .is_some_and(|last| last.len() == 3 && last.iter().all(|c| c.eq_ignore_ascii_case(&'w')))
}

/// What neither ends code nor the cell that it is in.
fn stays_in_code(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_.:@/+=,;()".contains(c)
}
