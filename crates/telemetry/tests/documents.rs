//! The table in `docs/operating.md`, the dashboard and the alert rules name the metrics that there are, and no others.

use serde_json::Value;
use slipway_telemetry::catalogue::{ALL, Kind, of_series};
use std::{collections::BTreeSet, fmt::Write as _, fs, path::PathBuf};

const BEGIN: &str = "<!-- metrics: written by `UPDATE_DOCS=1 cargo test -p slipway-telemetry` -->\n";
const END: &str = "<!-- metrics end -->\n";

fn path(below_root: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(below_root)
}

fn read(below_root: &str) -> String {
    fs::read_to_string(path(below_root)).unwrap_or_else(|e| panic!("{below_root}: {e}"))
}

fn rows() -> String {
    let mut rows = String::new();
    for metric in ALL {
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Seconds | Kind::Wait => "histogram",
        };
        let labels: Vec<String> = metric
            .labels
            .iter()
            .map(|label| format!("`{}`", label.name))
            .collect();
        let (name, labels, by) = (metric.name, labels.join(" "), metric.by.as_str());
        writeln!(rows, "| `{name}` | {kind} | {labels} | {by} | {} |", metric.help).expect("a string");
    }
    rows
}

#[test]
fn the_table_of_metrics_is_the_catalogue() {
    const FILE: &str = "docs/operating.md";
    let text = read(FILE);
    let begin = text.find(BEGIN).expect("where the table begins");
    let end = text.find(END).expect("where the table ends") + END.len();
    let head = "| metric | kind | labels | said by | what it is |\n|---|---|---|---|---|\n";
    let wanted = format!("{BEGIN}\n{head}{}\n{END}", rows());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let text = format!("{}{wanted}{}", &text[..begin], &text[end..]);
        fs::write(path(FILE), text).expect("the page");
        return;
    }
    assert!(
        text[begin..end] == wanted,
        "{FILE} is behind the catalogue: UPDATE_DOCS=1 cargo test -p slipway-telemetry"
    );
}

/// Every name in an expression that begins as ours do.
fn series(expression: &str) -> BTreeSet<&str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    expression
        .split(|c| !is_name(c))
        .filter(|word| word.starts_with("slipway"))
        .collect()
}

/// Labels that are compared in the selectors of an expression: `{name="value", …}`.
fn selected(expression: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    for part in expression.split('{').skip(1) {
        let inside = part.split('}').next().unwrap_or_default();
        for matcher in inside.split(", ").flat_map(|m| m.split("\",")) {
            if let Some((name, value)) = matcher.split_once('=') {
                let name = name.trim_end_matches('!').trim();
                found.push((name, value.trim_matches(|c| c == '"' || c == '~')));
            }
        }
    }
    found
}

fn check(place: &str, expression: &str) {
    let all = series(expression);
    assert!(!all.is_empty(), "{place}: no metric of ours in `{expression}`");
    let mut labels = BTreeSet::from(["job", "instance", "le"]);
    for name in all {
        let metric = of_series(name).unwrap_or_else(|| panic!("{place}: there is no `{name}`"));
        labels.extend(metric.labels.iter().map(|label| label.name));
        for (label, value) in selected(expression) {
            let known = metric.labels.iter().find(|known| known.name == label);
            if let Some(known) = known.filter(|known| !known.values.is_empty() && !value.contains('$')) {
                for value in value.split('|') {
                    assert!(
                        known.values.contains(&value),
                        "{place}: `{label}` is never `{value}`"
                    );
                }
            }
        }
    }
    for (label, _) in selected(expression) {
        assert!(
            labels.contains(label),
            "{place}: no metric of it has the label `{label}`"
        );
    }
}

#[test]
fn the_alert_rules_use_only_metrics_and_labels_that_there_are() {
    let rules: Value = serde_saphyr::from_str(&read("deploy/observability/alerts.yaml")).expect("YAML");
    let mut names = BTreeSet::new();
    for group in rules["groups"].as_array().expect("groups") {
        for rule in group["rules"].as_array().expect("rules") {
            let name = rule["alert"].as_str().expect("its name");
            assert!(names.insert(name.to_owned()), "{name} is there twice");
            check(name, rule["expr"].as_str().expect("its expression"));
            let severity = rule["labels"]["severity"].as_str().expect("its severity");
            assert!(
                ["info", "warning", "critical"].contains(&severity),
                "{name}: {severity}"
            );
            for what in ["summary", "action"] {
                assert!(rule["annotations"][what].is_string(), "{name} has no {what}");
            }
        }
    }
    assert!(names.len() >= 20, "{names:?}");
}

#[test]
fn the_dashboard_uses_only_metrics_and_labels_that_there_are_and_shows_every_one() {
    let dashboard: Value =
        serde_json::from_str(&read("deploy/observability/grafana-dashboard.json")).expect("JSON");
    let mut shown = BTreeSet::new();
    for panel in dashboard["panels"].as_array().expect("panels") {
        let title = panel["title"].as_str().expect("a title");
        for target in panel["targets"].as_array().into_iter().flatten() {
            let expression = target["expr"].as_str().expect("its expression");
            check(title, expression);
            shown.extend(
                series(expression)
                    .into_iter()
                    .filter_map(of_series)
                    .map(|metric| metric.name),
            );
        }
    }
    for variable in dashboard["templating"]["list"].as_array().expect("variables") {
        if let Some(query) = variable["query"]["query"].as_str() {
            check("a variable", query);
        }
    }
    // What is for looking into by hand only.
    let by_hand = [
        "slipway_drift_watches",
        "slipway_drift_comparison_seconds",
        "slipway_drift_faults_total",
    ];
    let missing: Vec<_> = ALL
        .iter()
        .map(|metric| metric.name)
        .filter(|name| !shown.contains(name) && !by_hand.contains(name))
        .collect();
    assert!(missing.is_empty(), "nobody sees {missing:?}");
}
