//! `slipway drift`.

use super::{diff::value, filters};
use crate::client::{
    Context,
    exit::Failure,
    http::{Paging, Query},
    output::{clean, time},
};
use clap::{Args, ValueEnum};
use slipway_api_types::drift::Drift as Drifted;
use std::fmt::Write as _;

#[derive(Debug, Args)]
pub(crate) struct Drift {
    /// One of them, by its id; else a list
    id: Option<String>,
    /// Only of this service
    #[arg(long, conflicts_with = "id")]
    service: Option<String>,
    /// Only in this environment
    #[arg(long, conflicts_with = "id")]
    environment: Option<String>,
    /// Only on this cluster
    #[arg(long, conflicts_with = "id")]
    cluster: Option<String>,
    /// What has drifted now, what did once, or both
    #[arg(long, value_enum, default_value_t, conflicts_with = "id")]
    state: State,
    #[command(flatten)]
    paging: Paging,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum State {
    /// What is not as it was applied now
    #[default]
    Open,
    /// What was not, and is over
    Resolved,
    /// Both
    Any,
}

impl Drift {
    /// Carries it out.
    pub(crate) async fn run(self, cx: &Context) -> Result<(), Failure> {
        if let Some(id) = self.id {
            let reply = cx.api.get(&["v1", "drift", &id], &Query::new()).await?;
            if cx.out.json_wanted() {
                return cx.out.json(&reply.body);
            }
            return print(cx, &[reply.read()?]);
        }
        let state = match self.state {
            State::Open => Some("open".to_owned()),
            State::Resolved => Some("resolved".to_owned()),
            State::Any => None,
        };
        let query = filters([
            ("service", self.service),
            ("environment", self.environment),
            ("cluster", self.cluster),
            ("state", state),
        ]);
        let listing = cx.api.list(&["v1", "drift"], query, self.paging).await?;
        if cx.out.json_wanted() {
            let text = serde_json::to_string(&listing).map_err(|error| not_understood(&error))?;
            return cx.out.json(&text);
        }
        let items: Vec<Drifted> = listing
            .items
            .iter()
            .map(|item| serde_json::from_str(item.get()))
            .collect::<Result<_, _>>()
            .map_err(|error| not_understood(&error))?;
        if items.is_empty() {
            cx.out.note("everything is as it was applied");
            return Ok(());
        }
        print(cx, &items)?;
        if listing.next.is_some() {
            cx.out.note("there are more: use --limit N or --all");
        }
        Ok(())
    }
}

fn not_understood(error: &serde_json::Error) -> Failure {
    Failure::unavailable(format!(
        "the server's answer is not what this command line understands: {error}"
    ))
}

fn print(cx: &Context, items: &[Drifted]) -> Result<(), Failure> {
    if cx.out.quiet {
        return items.iter().try_for_each(|item| cx.out.line(&clean(&item.id)));
    }
    items
        .iter()
        .try_for_each(|item| cx.out.print(&text(item, cx.out.colour)))
}

/// One object: what, where, since when and by whom; then a line a field.
fn text(drift: &Drifted, colour: bool) -> String {
    let (sign, paint) = match (drift.state.as_str(), drift.kind.as_str()) {
        ("resolved", _) => ('=', "\u{1b}[32m"),
        (_, "missing") => ('-', "\u{1b}[31m"),
        _ => ('~', "\u{1b}[33m"),
    };
    let namespace = drift
        .object
        .namespace
        .as_ref()
        .map(|namespace| format!("{namespace}/"))
        .unwrap_or_default();
    let by = match &drift.hand {
        Some(hand) => {
            let through = hand
                .subresource
                .as_ref()
                .map(|s| format!(" through {s}"))
                .unwrap_or_default();
            let at = hand.at.map(|at| format!(", {}", time(at))).unwrap_or_default();
            format!(" by {}{through}{at}", hand.manager)
        }
        None => String::new(),
    };
    let head = format!(
        "{sign} {} {namespace}{} on {} ({} in {}): {}{by}",
        drift.object.kind, drift.object.name, drift.cluster, drift.service, drift.environment, drift.kind
    );
    let (on, off) = if colour { (paint, "\u{1b}[0m") } else { ("", "") };
    let mut text = format!("{on}{}{off}\n", clean(&head));
    for field in &drift.fields {
        let by = field
            .manager
            .as_ref()
            .map(|manager| format!(" ({manager})"))
            .unwrap_or_default();
        let _ = writeln!(
            text,
            "    {}: applied {}, found {}{}",
            clean(&field.pointer),
            value(field.applied.as_ref()),
            value(field.found.as_ref()),
            clean(&by)
        );
    }
    if drift.omitted > 0 {
        let _ = writeln!(text, "    … and {} more", drift.omitted);
    }
    for note in [&drift.problem, &drift.left_alone].into_iter().flatten() {
        let _ = writeln!(text, "    ! {}", clean(note));
    }
    let over = drift
        .resolved_at
        .map(|at| format!(", {} {}", drift.resolution.as_deref().unwrap_or("over"), time(at)))
        .unwrap_or_default();
    let _ = writeln!(
        text,
        "    {} seen {}{}",
        clean(&drift.id),
        time(drift.seen_at),
        clean(&over)
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, from_value, json};

    fn drifted(kind: &str, more: Value) -> Drifted {
        let mut all = json!({
            "id": "drf_1", "service": "storefront", "environment": "production", "cluster": "eu",
            "namespace": "shop", "target": "tgt_1", "deployment": "dep_1", "kind": kind, "state": "open", "fields": [],
            "object": {"api_version": "apps/v1", "kind": "Deployment", "namespace": "shop", "name": "web"},
            "seen_at": "2026-11-23T02:00:00Z", "updated_at": "2026-11-23T02:00:00Z",
        });
        let Value::Object(more) = more else { unreachable!() };
        all.as_object_mut().unwrap().extend(more);
        from_value(all).unwrap()
    }

    #[test]
    fn a_drift_is_shown_with_who_did_it_and_every_field() {
        let one = drifted(
            "changed",
            json!({"omitted": 3, "left_alone": "two fight over it",
                "hand": {"manager": "kubectl-scale", "operation": "Update", "subresource": "scale", "at": "2026-11-23T01:59:58Z"},
                "fields": [{"pointer": "/spec/replicas", "applied": 3, "found": 5, "manager": "kubectl-scale"},
                    {"pointer": "/spec/paused", "applied": false}]}),
        );
        assert_eq!(
            text(&one, false),
            "~ Deployment shop/web on eu (storefront in production): changed by kubectl-scale through scale, 2026-11-23 01:59:58Z\n    \
             /spec/replicas: applied 3, found 5 (kubectl-scale)\n    \
             /spec/paused: applied false, found (none)\n    \
             … and 3 more\n    \
             ! two fight over it\n    \
             drf_1 seen 2026-11-23 02:00:00Z\n"
        );
        let over = drifted(
            "missing",
            json!({"state": "resolved", "resolved_at": "2026-11-23T02:01:00Z", "resolution": "reverted"}),
        );
        assert_eq!(
            text(&over, false),
            "= Deployment shop/web on eu (storefront in production): missing\n    \
             drf_1 seen 2026-11-23 02:00:00Z, reverted 2026-11-23 02:01:00Z\n"
        );
    }

    #[test]
    fn what_others_wrote_cannot_steer_a_terminal() {
        let one = drifted(
            "changed",
            json!({"hand": {"manager": "\u{1b}[2J", "operation": "Update"}}),
        );
        assert!(!text(&one, false).contains('\u{1b}'));
    }
}
