use super::*;
use proptest::{prelude::*, strategy::Strategy};

/// What a label is made of, other than breaks of lines that are ours: nothing that means anything in Mermaid, Markdown or HTML.
fn is_plain(label: &str) -> bool {
    let mut rest = label;
    while let Some((before, code)) = rest.split_once('#') {
        let Some((number, after)) = code.split_once(';') else {
            return false;
        };
        let is_code = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        if !is_code || !is_text(before) {
            return false;
        }
        rest = after;
    }
    is_text(rest)
}

fn is_text(text: &str) -> bool {
    text.bytes()
        .all(|b| b.is_ascii_alphanumeric() || b" ,-_".contains(&b))
}

/// A text as Mermaid makes it of its codes.
fn decoded(label: &str) -> String {
    let mut parts = label.split('#');
    let mut text = parts.next().unwrap().to_owned();
    for part in parts {
        let (code, after) = part.split_once(';').unwrap();
        text.push(char::from_u32(code.parse().unwrap()).unwrap());
        text += after;
    }
    text
}

/// Whether nothing is in a text that Mermaid would still take for more than a text.
fn is_inert(decoded: &str) -> bool {
    ["fa:fa-", "fab:fa-", "$$", "\\n", "ﬂ°", "¶ß"]
        .iter()
        .all(|mark| !decoded.contains(mark))
}

/// The labels of the nodes and of the edges; every line of a picture is one or the other, but for the first two.
fn labels(picture: &str) -> (Vec<&str>, Vec<&str>) {
    let lines: Vec<_> = picture.strip_suffix('\n').unwrap().split('\n').collect();
    let [first, title, rest @ ..] = &lines[..] else {
        panic!("{picture}");
    };
    assert_eq!(*first, "flowchart LR");
    assert_eq!(*title, "    accTitle: process delivery, version 3");
    let nodes: Vec<_> = (0..)
        .zip(rest)
        .map_while(|(i, line)| line.strip_prefix(&format!("    s{i}[\""))?.strip_suffix("\"]"))
        .collect();
    let edges: Vec<_> = (0..)
        .zip(&rest[nodes.len()..])
        .map_while(|(i, line)| {
            line.strip_prefix(&format!("    s{i} -->|\""))?
                .strip_suffix(&format!("\"| s{}", i + 1))
        })
        .collect();
    assert_eq!(nodes.len() + edges.len(), rest.len(), "{picture}");
    (nodes, edges)
}

#[test]
fn a_picture_shows_every_stage_and_what_it_asks_for() {
    let mut process = document(vec![Place::Tier(Tier::Test)]);
    process.stages[0].soak = SignedDuration::from_mins(90);
    process.stages.push(full());
    process
        .stages
        .push(Stage::new(name("end"), environment("archive")));
    let lines = [
        "flowchart LR",
        "    accTitle: process delivery, version 3",
        r#"    s0["stage-0<br/>tier test<br/>soak 1h 30m"]"#,
        concat!(
            r#"    s1["production<br/>tier production<br/>soak 36h<br/>90 percent of its targets<br/>"#,
            r#"evidence test_report#58;unit, signed, max age 24h<br/>evidence scan<br/>approvals 2, authority<br/>"#,
            r#"check looked-at, operator#58; it looks as it should<br/>handover to operations"]"#
        ),
        r#"    s2["end<br/>environment archive"]"#,
        r#"    s0 -->|"automatic, soak 1h 30m"| s1"#,
        r#"    s1 -->|"manual, soak 36h"| s2"#,
        "",
    ];
    assert_eq!(process.mermaid(&name("delivery"), 3), lines.join("\n"));
}

#[test]
fn texts_that_attack_are_shown_and_do_nothing() {
    for attack in [
        r#""]; click s0 href "javascript:alert(1)""#,
        "</div><img src=x onerror=alert(1)>",
        "%%{init: {\"securityLevel\": \"loose\"}}%%",
        "a\n    click s0 call alert()",
        "a\u{2028}style s0 fill:#f00;",
        "```\n<script>alert(1)</script>",
        "`**bold** [link](javascript:alert(1))`",
        "#quot;] fa:fa-bomb $$x$$ a\\nb",
        "ﬂ°°60¶ßscript",
        "style s0 x:#quot;;",
    ] {
        let mut process = document(vec![environment("eu"), environment("us")]);
        process.stages[0].checklist = vec![check("looked-at", attack)];
        let picture = process.mermaid(&name("delivery"), 3);
        let (nodes, edges) = labels(&picture);
        assert_eq!((nodes.len(), edges.len()), (2, 1), "{attack}");
        let line = nodes[0].split("<br/>").last().unwrap();
        assert!(is_plain(line), "{line}");
        let seen = attack.split_whitespace().collect::<Vec<_>>().join(" ");
        let shown = decoded(line);
        assert!(is_inert(&shown), "{shown}");
        let shown = shown.replace('\u{200b}', "");
        assert_eq!(shown, format!("check looked-at, operator: {seen}"));
    }
}

#[test]
fn of_a_long_text_the_beginning_is_shown() {
    let mut process = document(vec![environment("eu")]);
    process.stages[0].checklist = vec![check("a", &"ä".repeat(80)), check("b", &"ä".repeat(81))];
    let picture = process.mermaid(&name("delivery"), 3);
    let (nodes, _) = labels(&picture);
    let shown: Vec<_> = nodes[0].split("<br/>").skip(2).map(decoded).collect();
    let text = "ä".repeat(80);
    assert_eq!(
        shown,
        [
            format!("check a, operator: {text}"),
            format!("check b, operator: {text}…")
        ]
    );
}

/// Any text, and such as is made of what means something.
fn texts() -> impl Strategy<Value = String> {
    let meaning =
        r#"(["'`<>\[\](){}|#;:%&*_~$\\/\n\r-]|click |style |end|s0|--|%%|&lt;|#quot;|ﬂ°|¶ß|fa:fa-){0,40}"#;
    prop_oneof![any::<String>(), meaning]
}

proptest! {
    #[test]
    fn no_text_of_an_author_adds_to_a_picture_or_leaves_its_label(
        description in texts(),
        stages in prop::collection::vec(
            ("[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", prop::collection::vec(texts(), 0..4), any::<i64>(), any::<u8>()),
            0..6,
        ),
    ) {
        let mut process = Document { description, stages: Vec::new() };
        for (called, texts, seconds, share) in stages {
            // Also of what has faults: a draft is shown as well.
            let soak = SignedDuration::new(seconds, 1);
            process.stages.push(Stage {
                soak,
                success_share: share,
                evidence: vec![RequiredEvidence { max_age: Some(soak), ..evidence(Kind::Sbom) }],
                checklist: texts.iter().map(|text| check("looked-at", text)).collect(),
                ..Stage::new(name(&called), environment(&called))
            });
        }
        let picture = process.mermaid(&name("delivery"), 3);
        let (nodes, edges) = labels(&picture);
        prop_assert_eq!(nodes.len(), process.stages.len());
        prop_assert_eq!(edges.len(), process.stages.len().saturating_sub(1));
        for (node, stage) in nodes.iter().zip(&process.stages) {
            let lines: Vec<_> = node.split("<br/>").collect();
            prop_assert!(lines.iter().all(|line| is_plain(line) && is_inert(&decoded(line))), "{}", node);
            let checks = lines.iter().filter(|line| line.starts_with("check looked-at")).count();
            prop_assert_eq!(checks, stage.checklist.len());
        }
        prop_assert!(edges.iter().all(|edge| is_plain(edge)));
    }
}
