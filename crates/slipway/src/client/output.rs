//! What is printed: tables for people, the API's own JSON for machines.

use super::{
    exit::Failure,
    http::{Listing, Reply},
    sink::{self, Sink},
};
use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table, presets};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use std::io::IsTerminal as _;

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Format {
    /// Tables for people
    #[default]
    #[value(alias = "text")]
    Table,
    /// The API's own JSON
    Json,
}

/// A resource that can be shown in a table.
pub(crate) trait Show: DeserializeOwned {
    /// Headings.
    const COLUMNS: &'static [&'static str];

    /// One text a heading.
    fn cells(&self) -> Vec<String>;

    /// What names it: all that `--quiet` prints.
    fn key(&self) -> String;

    /// Everything worth showing of a single one; empty texts are left out.
    fn fields(&self) -> Vec<(&'static str, String)> {
        Self::COLUMNS.iter().copied().zip(self.cells()).collect()
    }
}

/// Where and how things are printed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Out {
    /// Tables or JSON.
    pub(crate) format: Format,
    /// Only what names each thing.
    pub(crate) quiet: bool,
    /// With colours.
    pub(crate) colour: bool,
    /// The end of the pipe.
    pub(crate) sink: Sink,
}

impl Out {
    /// As the flags and the terminal say.
    pub(crate) fn new(format: Format, quiet: bool, no_colour: bool) -> Self {
        let unwanted = no_colour || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let colour = !unwanted && std::io::stdout().is_terminal();
        Self {
            format,
            quiet,
            colour,
            sink: Sink::default(),
        }
    }

    /// Whether machines read it.
    pub(crate) fn json_wanted(&self) -> bool {
        self.format == Format::Json
    }

    /// Whether notes and progress are not wanted.
    pub(crate) const fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Prints text as it is.
    pub(crate) fn print(&self, text: &str) -> Result<(), Failure> {
        self.sink.write(text)
    }

    /// Prints one line.
    pub(crate) fn line(&self, text: &str) -> Result<(), Failure> {
        self.print(&format!("{text}\n"))
    }

    /// Says something beside the output, to people who want it said.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            sink::beside(&format!("{}\n", clean(text)));
        }
    }

    /// Prints JSON, indented.
    pub(crate) fn json(&self, raw: &str) -> Result<(), Failure> {
        self.print(&indented(raw))
    }

    /// Prints one resource.
    pub(crate) fn one<T: Show>(&self, reply: &Reply) -> Result<(), Failure> {
        if self.json_wanted() {
            return self.json(&reply.body);
        }
        let shown: T = reply.read()?;
        if self.quiet {
            return self.line(&clean(&shown.key()));
        }
        self.print(&self.details(&shown.fields()))
    }

    /// Prints a list.
    pub(crate) fn list<T: Show>(&self, listing: &Listing) -> Result<(), Failure> {
        if self.json_wanted() {
            return self.json(&serde_json::to_string(listing).map_err(|error| not_understood(&error))?);
        }
        let items: Vec<T> = listing
            .items
            .iter()
            .map(|item| serde_json::from_str(item.get()))
            .collect::<Result<_, _>>()
            .map_err(|error| not_understood(&error))?;
        self.rows(&items)?;
        if listing.next.is_some() {
            self.note("there are more: use --limit N or --all");
        }
        Ok(())
    }

    /// Prints things that are not a list of the API's.
    pub(crate) fn rows<T: Show>(&self, items: &[T]) -> Result<(), Failure> {
        if self.quiet {
            return items.iter().try_for_each(|item| self.line(&clean(&item.key())));
        }
        if items.is_empty() {
            self.note("nothing to show");
            return Ok(());
        }
        self.print(&self.table(T::COLUMNS, items.iter().map(Show::cells)))
    }

    /// A table, as text.
    pub(crate) fn table(&self, columns: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
        let mut table = self.blank();
        table.set_header(
            columns
                .iter()
                .map(|column| self.cell(column, Some(Attribute::Bold), None)),
        );
        for row in rows {
            table.add_row(columns.iter().zip(&row).map(|(column, text)| {
                let colour = STATEFUL.contains(column).then(|| colour_of(text)).flatten();
                self.cell(text, None, colour)
            }));
        }
        finished(table)
    }

    /// Names and values, one a line; empty ones are left out.
    pub(crate) fn details(&self, fields: &[(&str, String)]) -> String {
        let mut table = self.blank();
        for (name, text) in fields.iter().filter(|(_, text)| !text.is_empty()) {
            let colour = STATEFUL.contains(name).then(|| colour_of(text)).flatten();
            let name = name.to_lowercase();
            table.add_row([
                self.cell(&name, Some(Attribute::Dim), None),
                self.cell(text, None, colour),
            ]);
        }
        finished(table)
    }

    fn blank(&self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        if self.colour {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        if std::io::stdout().is_terminal() && !cfg!(test) {
            table.set_content_arrangement(ContentArrangement::Dynamic);
        }
        table
    }

    fn cell(&self, text: &str, attribute: Option<Attribute>, colour: Option<Color>) -> Cell {
        let mut cell = Cell::new(text.split('\n').map(clean).collect::<Vec<_>>().join("\n"));
        if self.colour {
            if let Some(attribute) = attribute {
                cell = cell.add_attribute(attribute);
            }
            if let Some(colour) = colour {
                cell = cell.fg(colour);
            }
        }
        cell
    }
}

fn not_understood(error: &serde_json::Error) -> Failure {
    Failure::unavailable(format!(
        "the server's answer is not what this command line understands: {}",
        super::exit::chain(error)
    ))
}

/// Headings whose texts are coloured by what they say.
const STATEFUL: &[&str] = &["STATE", "VERDICT", "CHANGE", "DECISION"];

fn colour_of(text: &str) -> Option<Color> {
    match text {
        "succeeded" | "satisfied" | "approved" | "approve" | "sealed" | "available" | "created" => {
            Some(Color::Green)
        }
        "failed" | "errored" | "refused" | "rejected" | "reject" | "recalled" | "withdrawn"
        | "rolled_back" | "pruned" => Some(Color::Red),
        "pending" | "waiting" | "paused" | "deprecated" | "rolling_back" | "expired" | "updated" => {
            Some(Color::Yellow)
        }
        "running" | "queued" => Some(Color::Cyan),
        _ => None,
    }
}

fn finished(mut table: Table) -> String {
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let mut text = table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect::<Vec<_>>()
        .join("\n");
    text.push('\n');
    text
}

/// Text of others, made harmless for a terminal: control characters are shown, not obeyed.
pub(crate) fn clean(text: &str) -> String {
    text.chars()
        .fold(String::with_capacity(text.len()), |mut clean, c| {
            match c {
                '\t' => clean.push(' '),
                c if c.is_control() || is_bidi(c) => clean.extend(c.escape_unicode()),
                c => clean.push(c),
            }
            clean
        })
}

/// Characters that turn the direction of text, and so can make it read as something else.
const fn is_bidi(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A time, to the second, in UTC.
pub(crate) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// A time, if there is one.
pub(crate) fn some_time(at: Option<Timestamp>) -> String {
    at.map(time).unwrap_or_default()
}

/// Labels as `k=v,k=v`.
pub(crate) fn labels(labels: &slipway_api_types::Labels) -> String {
    labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect::<Vec<_>>()
        .join(",")
}

/// A digest as tables show it: enough to tell apart, never to decide on.
pub(crate) fn short(digest: &str) -> String {
    match digest.strip_prefix("sha256:") {
        Some(hex) if hex.is_ascii() && hex.len() > 12 => format!("sha256:{}…", &hex[..12]),
        _ => digest.to_owned(),
    }
}

/// JSON text, indented by two, with the order of its keys and the spelling of its numbers kept.
pub(crate) fn indented(json: &str) -> String {
    let mut text = String::with_capacity(json.len() * 2);
    let (mut depth, mut just_opened, mut in_string, mut escaped) = (0_usize, false, false, false);
    for c in json.chars() {
        if in_string {
            text.push(c);
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
            continue;
        }
        if c.is_ascii_whitespace() {
            continue;
        }
        if matches!(c, '}' | ']') {
            depth = depth.saturating_sub(1);
            if !just_opened {
                new_line(&mut text, depth);
            }
        } else if just_opened {
            new_line(&mut text, depth);
        }
        just_opened = matches!(c, '{' | '[');
        depth += usize::from(just_opened);
        in_string = c == '"';
        match c {
            ',' => {
                text.push(c);
                new_line(&mut text, depth);
            }
            ':' => text.push_str(": "),
            c => text.push(c),
        }
    }
    text.push('\n');
    text
}

fn new_line(text: &mut String, depth: usize) {
    text.push('\n');
    text.extend(std::iter::repeat_n("  ", depth));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                proptest::collection::btree_map(any::<String>(), inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn indented_json_is_what_serde_would_write(value in any_json()) {
            let compact = serde_json::to_string(&value).unwrap();
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            prop_assert_eq!(indented(&compact), format!("{pretty}\n"));
            prop_assert_eq!(indented(&pretty), format!("{pretty}\n"));
        }
    }

    #[test]
    fn keys_keep_their_order_and_numbers_their_spelling() {
        assert_eq!(
            indented(r#"{"b":1.50,"a":{}}"#),
            "{\n  \"b\": 1.50,\n  \"a\": {}\n}\n"
        );
    }

    #[test]
    fn a_table_has_columns_and_no_trailing_space() {
        let out = Out::default();
        let rows = [
            vec!["storefront".into(), "running".into()],
            vec!["a".into(), String::new()],
        ];
        insta::assert_snapshot!(out.table(&["NAME", "STATE"], rows.into_iter()), @r"
        NAME        STATE
        storefront  running
        a
        ");
        let fields = [
            ("NAME", "storefront".to_owned()),
            ("NOTES", String::new()),
            ("TEAM", "shop".to_owned()),
        ];
        insta::assert_snapshot!(out.details(&fields), @r"
        name  storefront
        team  shop
        ");
    }

    #[test]
    fn states_are_coloured_only_where_colours_are_wanted() {
        let row = || std::iter::once(vec!["failed".to_owned()]);
        assert!(
            Out {
                colour: true,
                ..Out::default()
            }
            .table(&["STATE"], row())
            .contains("\u{1b}[")
        );
        assert!(!Out::default().table(&["STATE"], row()).contains('\u{1b}'));
    }

    #[test]
    fn what_others_wrote_cannot_drive_the_terminal() {
        let evil = json!("ok\u{1b}[2Jgone\u{202e}").as_str().unwrap().to_owned();
        assert_eq!(clean(&evil), "ok\\u{1b}[2Jgone\\u{202e}");
        let table = Out::default().table(&["REASON"], std::iter::once(vec![evil]));
        assert!(
            !table.contains('\u{1b}') && !table.contains('\u{202e}'),
            "{table}"
        );
    }
}
