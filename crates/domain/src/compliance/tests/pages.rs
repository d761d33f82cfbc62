//! What people are shown.

use super::*;
use proptest::prelude::*;
use std::sync::LazyLock;

/// What a text that means nothing comes to.
static PLAIN: LazyLock<Report> = LazyLock::new(|| full_of("x"));

/// A report in which this stands wherever somebody's text may.
fn full_of(text: &str) -> Report {
    let mut facts = good();
    facts.release = text.to_owned();
    facts.author = text.to_owned();
    facts.sealed_by = text.to_owned();
    facts.withdrawn = Some(text.to_owned());
    facts.recalled = Some(text.to_owned());
    let place = &mut facts.stages[1];
    place.approvals = vec![people::approved()];
    place.approvals[0].decisions[0].by = text.to_owned();
    place.approvals[0].decisions[0].comment = Some(text.to_owned());
    place.handover = Some(HandoverFacts {
        accepted: Some(Acceptance {
            by: text.to_owned(),
            ..people::accepted()
        }),
    });
    place.evidence.subjects[1].called = text.to_owned();
    place.evidence.statements[0].withdrawn = Some(Withdrawal {
        by: PrincipalId::new(),
        at: at(30),
        reason: text.to_owned(),
    });
    let deployment = deployment(&mut facts, 1);
    deployment.requested_by = text.to_owned();
    deployment.reason = Some(text.to_owned());
    for gate in &mut deployment.gates {
        gate.verdict = gates::Verdict::satisfied(text);
    }
    let mut report = report(&facts, at(50));
    // What comes over the wire is as little to be trusted, wherever it stands.
    let mut strange = found(&report, 1, "release").clone();
    strange.what = text.to_owned();
    strange.evidence = Some(text.to_owned());
    strange.unblocked_by = Some(text.to_owned());
    report.environments[1].requirements.push(strange);
    report
}

/// The tags, and the text between them as a browser makes it of its codes.
fn taken_apart(html: &str) -> (Vec<&str>, Vec<String>) {
    let mut tags = Vec::new();
    let mut texts = Vec::new();
    for part in html.split('<').skip(1) {
        let (tag, text) = part.split_once('>').unwrap();
        assert!(!text.contains('>'), "{part}");
        tags.push(tag);
        texts.push(decoded(text));
    }
    (tags, texts)
}

fn decoded(text: &str) -> String {
    let mut parts = text.split('&');
    let mut decoded = parts.next().unwrap().to_owned();
    for part in parts {
        let (code, after) = part.strip_prefix('#').unwrap().split_once(';').unwrap();
        decoded.push(char::from_u32(code.parse().unwrap()).unwrap());
        decoded += after;
    }
    decoded
}

/// Whether a part of a line of Markdown is text alone, also for those who look at it again when codes are undone.
fn is_text(part: &str) -> bool {
    part.split(' ').all(|word| {
        if let Some(code) = word.strip_prefix('`') {
            let code = code.strip_suffix('`').unwrap();
            return code
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_.:@/+=,;()".contains(c));
        }
        let means_something = |c: char| "\\`*{}[]<>!|~^$#=+%".contains(c);
        if word.contains(means_something) && !word.contains("&#") {
            return false;
        }
        let plain = word.split("&#").enumerate().map(|(i, part)| match i {
            0 => part,
            _ => part.split_once(';').unwrap().1,
        });
        if plain.clone().any(|plain| plain.contains(means_something)) {
            return false;
        }
        is_inert(&decoded(word))
    })
}

/// Whether nothing in it is taken for an address, for somebody, or for a formula.
fn is_inert(word: &str) -> bool {
    word.split('\u{200b}').all(|part| {
        let chars: Vec<char> = part.chars().collect();
        let begins = |three: &[char]| match three {
            ['@' | '#' | '$' | '\\', _, ..] | ['/', '/', ..] => true,
            [before, '.' | ':', after] => !before.is_ascii_digit() || !after.is_ascii_digit(),
            _ => false,
        };
        let www = part.to_ascii_lowercase().contains("www.");
        !www && !(0..chars.len()).any(|i| begins(&chars[i..chars.len().min(i + 3)]))
    })
}

/// The parts of a page in Markdown that somebody's text may be in, without what is ours around them.
fn parts(markdown: &str) -> Vec<Vec<&str>> {
    let lines = markdown.strip_suffix('\n').unwrap().split('\n');
    lines
        .map(|line| {
            if let Some(row) = line.strip_prefix("| ") {
                return row.strip_suffix(" |").unwrap().split(" | ").collect();
            }
            let entry = line
                .strip_prefix("- **")
                .and_then(|entry| entry.split_once(":** "));
            let heading = line.trim_start_matches('#').trim_start();
            vec![entry.map_or(heading, |(_, value)| value)]
        })
        .collect()
}

fn attacks() -> Vec<&'static str> {
    vec![
        "<script>alert(1)</script>",
        "</td></tr></table></title></style><img src=x onerror=alert(1)>",
        "\" onmouseover=\"alert(1)",
        "' style='x",
        "<!-- ",
        "-->",
        "<![CDATA[",
        "&lt;script&gt;",
        "&#60;b&#62;",
        "[x](javascript:alert(1))",
        "![x](http://e.example/i.png)",
        "[x]: http://e.example",
        "<http://e.example>",
        "http://e.example/x",
        "https://localhost/",
        "//localhost/x",
        "www.e.example",
        "www.1.example",
        "ftp://e.example",
        "mailto:a@e.example",
        "xmpp:a@e.example",
        "a@e.example",
        "a&#64;e.example",
        "e.example",
        "a | b",
        "a \\| b",
        "|---|---|",
        "\n| a | b |\n",
        "\n\n# x",
        "# x #",
        "\r\n---\r\n",
        "\n===",
        "\n```\nx\n```\n",
        "`x`",
        "``` x",
        "**x**",
        "_x_",
        "~~x~~",
        "==x==",
        "$x$",
        "$$\\href{javascript:alert(1)}{x}$$",
        "\\(x\\)",
        "@everyone",
        "#7",
        "a/b#7",
        ":tada:",
        "- x",
        "1. x",
        "> x",
        "<br>",
        "\u{2028}# x",
        "\u{85}| x |",
        "\u{202e}txet",
        "\u{0}\u{7}\u{1b}[31m",
        "x\\",
        "\\",
        "&",
        "&amp",
        "\t# x",
        "[^1]",
        "[[x]]",
        "{{x}}",
        "%%x%%",
        "www.",
        "a.b`c.d",
    ]
}

#[test]
fn a_page_in_markdown_has_a_table_for_each_environment() {
    let facts = good();
    let page = markdown(&report(&facts, at(50)));
    let dep = facts.stages[1].deployment.as_ref().unwrap().id;
    let evd = facts.stages[1].evidence.statements[0].id;
    for line in [
        "# Compliance of `storefront@1.0.0` – ✓ compliant".to_owned(),
        format!("- **Digest:** `{}`", facts.digest),
        format!("- **Sealed:** at {} by bo", at(0)),
        "- **Service:** storefront of team shop, criticality high".to_owned(),
        "- **Process:** delivery, version 3".to_owned(),
        "## production-eu (stage production, tier production) – ✓ compliant".to_owned(),
        format!("- **Deployment:** {dep}, succeeded since {}", at(11)),
        "| Requirement | About | From | Verdict | Since | Evidence | Detail |".to_owned(),
        "| --- | --- | --- | --- | --- | --- | --- |".to_owned(),
        format!(
            "| rollback: it can be undone | `storefront@1.0.0` | Slipway | ✓ met | {} | {dep} | first deployment here: undoing \
             it cleans the targets |",
            at(10)
        ),
        format!(
            "| evidence: test report &#96;unit&#96;, at most 24h old | `web@1.2.0` | process delivery, version 3, stage \
             production | ✓ met | {} | {evd} | the test report &#96;unit&#96; of `web@1.2.0` passed (failed: 0), 9h old of 24h \
             at most |",
            at(1)
        ),
    ] {
        assert!(page.split('\n').any(|other| other == line), "{line}\n\n{page}");
    }
}

#[test]
fn a_page_in_html_is_one_document_fit_to_print() {
    let mut facts = good();
    facts.stages.push(stage("end", Tier::Production));
    let page = html(&report(&facts, at(50)));
    for part in [
        "<!DOCTYPE html>\n<html lang=\"en\">",
        "<meta charset=\"utf-8\">",
        "<title>Compliance of storefront@1.0.0</title>",
        "@page { size: A4 landscape;",
        "@media print {",
        "<h1>Compliance of storefront@1.0.0 – <span class=\"verdict\">○ open</span></h1>",
        "<td class=\"verdict met\">✓ met</td>",
        "<td class=\"verdict open\">○ open</td>",
    ] {
        assert!(page.contains(part), "{part}\n\n{page}");
    }
    assert_eq!(page.matches("<table>").count(), 3);
    let (tags, _) = taken_apart(&page);
    for foreign in ["script", "link", "img", "iframe", "a ", "form", "object", "base"] {
        assert!(tags.iter().all(|tag| !tag.starts_with(foreign)), "{foreign}");
    }
    assert!(!page.contains("url(") && !page.contains("@import") && !page.contains("http:"));
}

#[test]
fn what_nobody_would_see_is_written_out() {
    let report = full_of("a\u{202e}b\u{0}c\td\u{200b}");
    let shown = "a[U+202E]b[U+0000]c d[U+200B]";
    assert!(html(&report).contains(&format!("<dd>{shown}</dd>")));
    let mut lines = markdown(&report).split('\n').map(decoded).collect::<Vec<_>>();
    lines.retain(|line| *line == format!("- **Withdrawn:** {shown}"));
    assert_eq!(lines.len(), 1);
}

/// Any text, and such as is made of what means something.
fn texts() -> impl Strategy<Value = String> {
    let marks = "[-\\\\`*_{}\\[\\]()<>#+.!|~^$:@/&;=%'\"a-c0-2wW \n\r\t\u{2028}\u{200b}é]{0,12}";
    let attack = prop::sample::select(attacks()).prop_map(str::to_owned);
    prop_oneof![
        any::<String>(),
        marks.prop_map(|text| text),
        prop::collection::vec(prop_oneof![attack, marks.prop_map(|text| text)], 1..4)
            .prop_map(|all| all.concat()),
    ]
}

fn check_html(text: &str) {
    let (page, plain) = (html(&full_of(text)), html(&PLAIN));
    let (tags, texts) = taken_apart(&page);
    assert_eq!(tags, taken_apart(&plain).0, "{text:?}");
    // As it is, and not as something else.
    let shown = page::shown(text);
    assert!(
        texts.iter().filter(|other| **other == shown).count() >= 4,
        "{text:?}"
    );
}

fn check_markdown(text: &str) {
    let (page, plain) = (markdown(&full_of(text)), markdown(&PLAIN));
    let (of_page, of_plain) = (parts(&page), parts(&plain));
    assert_eq!(of_page.len(), of_plain.len(), "{text:?}: no line more");
    for (parts, plain) in of_page.iter().zip(&of_plain) {
        assert_eq!(parts.len(), plain.len(), "{text:?}: no cell more");
        for part in parts {
            assert!(is_text(part), "{text:?}: {part}");
        }
    }
    let marks = |page: &str| page.matches(['|', '#', '*']).count();
    let codes = |page: &str| page.matches("&#").count();
    assert_eq!(
        marks(&page) - codes(&page),
        marks(&plain) - codes(&plain),
        "{text:?}"
    );
    let withdrawn = page
        .split('\n')
        .find_map(|line| line.strip_prefix("- **Withdrawn:** "));
    let words = withdrawn
        .unwrap()
        .split(' ')
        .map(|word| decoded(word.trim_matches('`')));
    let read = words.collect::<Vec<_>>().join(" ").replace('\u{200b}', "");
    assert_eq!(read, page::shown(text));
}

#[test]
fn texts_that_attack_are_shown_and_do_nothing() {
    for attack in attacks() {
        check_html(attack);
        check_markdown(attack);
    }
}

proptest! {
    #[test]
    fn no_text_adds_a_tag_an_attribute_or_a_link_to_html(text in texts()) {
        check_html(&text);
    }

    #[test]
    fn no_text_adds_a_link_an_image_html_a_cell_a_row_a_heading_or_code_to_markdown(text in texts()) {
        check_markdown(&text);
    }
}
