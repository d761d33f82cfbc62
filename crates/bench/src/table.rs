//! The table of what was measured, and whether it is good enough: pure.

/// What a value must be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Goal {
    /// This or less.
    AtMost(f64),
    /// This or more.
    AtLeast(f64),
    /// Whatever: it is shown only.
    None,
}

impl Goal {
    /// Whether a value is good enough; a value that is no number never is.
    #[must_use]
    pub(crate) fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtMost(most) => value <= most,
            Self::AtLeast(least) => value >= least && value.is_finite(),
            Self::None => true,
        }
    }
}

/// One line of the table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    /// The row of the design's table.
    pub(crate) row: u8,
    /// What is compared.
    pub(crate) what: String,
    /// Our side, with its unit.
    pub(crate) ours: String,
    /// The other side, with its unit; empty for a value of its own.
    pub(crate) baseline: String,
    /// The ratio, or the value.
    pub(crate) value: f64,
    /// Unit of the value; empty for a ratio.
    pub(crate) unit: &'static str,
    /// What it must be.
    pub(crate) goal: Goal,
}

/// What became of one row.
#[derive(Debug)]
pub(crate) struct Row {
    /// Its number.
    pub(crate) number: u8,
    /// Its lines; or why there are none.
    pub(crate) outcome: Result<Measured, String>,
}

/// What was measured for a row.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    /// The lines of the table.
    pub(crate) lines: Vec<Line>,
    /// What else there is to know, a sentence each.
    pub(crate) notes: Vec<String>,
}

const HEAD: [&str; 7] = ["row", "what", "Slipway", "baseline", "ratio", "goal", ""];

/// A value with as many digits as mean something.
#[must_use]
pub(crate) fn shown(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn cells(line: &Line) -> [String; 7] {
    let with_unit = |value: f64| match line.unit {
        "" => shown(value),
        unit => format!("{} {unit}", shown(value)),
    };
    let (goal, verdict) = match line.goal {
        Goal::AtMost(most) => (format!("≤ {}", with_unit(most)), line.goal.is_met(line.value)),
        Goal::AtLeast(least) => (format!("≥ {}", with_unit(least)), line.goal.is_met(line.value)),
        Goal::None => (String::new(), true),
    };
    let verdict = match (line.goal, verdict) {
        (Goal::None, _) => "",
        (_, true) => "met",
        (_, false) => "**missed**",
    };
    [
        line.row.to_string(),
        line.what.clone(),
        line.ours.clone(),
        line.baseline.clone(),
        with_unit(line.value),
        goal,
        verdict.to_owned(),
    ]
}

/// The table as Markdown. A row that could not be measured says so, and has no figures.
#[must_use]
pub(crate) fn markdown(rows: &[Row]) -> String {
    let mut lines = vec![
        format!("| {} |", HEAD.join(" | ")),
        format!("|{}", "---|".repeat(HEAD.len())),
    ];
    for row in rows {
        match &row.outcome {
            Ok(measured) => lines.extend(
                measured
                    .lines
                    .iter()
                    .map(|line| format!("| {} |", cells(line).join(" | "))),
            ),
            Err(why) => {
                let why = why.replace('|', "/").replace('\n', " ");
                lines.push(format!(
                    "| {} | not measured: {why} | | | | | **failed** |",
                    row.number
                ));
            }
        }
    }
    let notes: Vec<String> = rows
        .iter()
        .filter_map(|row| row.outcome.as_ref().ok().map(|measured| (row.number, measured)))
        .flat_map(|(number, measured)| {
            measured
                .notes
                .iter()
                .map(move |note| format!("- Row {number}: {note}"))
        })
        .collect();
    if !notes.is_empty() {
        lines.push(String::new());
        lines.extend(notes);
    }
    lines.join("\n")
}

/// Rows that could not be measured.
#[must_use]
pub(crate) fn failed(rows: &[Row]) -> usize {
    rows.iter().filter(|row| row.outcome.is_err()).count()
}

/// Lines that miss their goal.
#[must_use]
pub(crate) fn missed(rows: &[Row]) -> usize {
    rows.iter()
        .filter_map(|row| row.outcome.as_ref().ok())
        .flat_map(|measured| &measured.lines)
        .filter(|line| !line.goal.is_met(line.value))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(value: f64, goal: Goal) -> Line {
        Line {
            row: 2,
            what: "reads".to_owned(),
            ours: "60k/s".to_owned(),
            baseline: "100k/s".to_owned(),
            value,
            unit: "",
            goal,
        }
    }

    fn measured(lines: Vec<Line>) -> Row {
        Row {
            number: 2,
            outcome: Ok(Measured {
                lines,
                notes: vec!["of 32 connections".to_owned()],
            }),
        }
    }

    #[test]
    fn a_goal_is_met_at_its_bound_and_never_by_what_is_no_number() {
        assert!(Goal::AtLeast(0.6).is_met(0.6) && !Goal::AtLeast(0.6).is_met(0.59));
        assert!(Goal::AtMost(0.5).is_met(0.5) && !Goal::AtMost(0.5).is_met(0.51));
        for none in [f64::NAN, f64::INFINITY] {
            assert!(!Goal::AtLeast(0.6).is_met(none) && !Goal::AtMost(0.6).is_met(none));
        }
    }

    #[test]
    fn the_table_says_what_is_met_and_what_is_missed() {
        let rows = [measured(vec![
            line(0.61, Goal::AtLeast(0.6)),
            line(0.59, Goal::AtLeast(0.6)),
            line(0.59, Goal::None),
        ])];
        assert_eq!(
            markdown(&rows),
            "| row | what | Slipway | baseline | ratio | goal |  |\n|---|---|---|---|---|---|---|\n\
             | 2 | reads | 60k/s | 100k/s | 0.61 | ≥ 0.60 | met |\n\
             | 2 | reads | 60k/s | 100k/s | 0.59 | ≥ 0.60 | **missed** |\n\
             | 2 | reads | 60k/s | 100k/s | 0.59 |  |  |\n\n- Row 2: of 32 connections"
        );
        assert_eq!((failed(&rows), missed(&rows)), (0, 1));
    }

    #[test]
    fn a_row_that_failed_has_no_figures_and_says_why() {
        let rows = [Row {
            number: 5,
            outcome: Err("a | b\nc".to_owned()),
        }];
        assert!(markdown(&rows).ends_with("| 5 | not measured: a / b c | | | | | **failed** |"));
        assert_eq!((failed(&rows), missed(&rows)), (1, 0));
    }
}
