use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

fn object(kind: &str) -> Value {
    let (api_version, kind) = kind.split_once(' ').unwrap();
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}})
}

fn hook(phases: &str) -> Value {
    json!({"apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": phases.replace(',', "-"), "annotations": {"slipway.dev/hook": phases}}})
}

fn renderings() -> impl Strategy<Value = Rendering> {
    let kinds = proptest::sample::subsequence(
        vec![
            "v1 Namespace",
            "apiextensions.k8s.io/v1 CustomResourceDefinition",
            "rbac.authorization.k8s.io/v1 Role",
            "v1 ConfigMap",
            "v1 PersistentVolumeClaim",
            "v1 Service",
            "apps/v1 Deployment",
            "example.com/v1 Widget",
        ],
        0..8,
    );
    let hooks = proptest::sample::subsequence(vec!["before", "after", "rollback", "before,rollback"], 0..4);
    (kinds, hooks).prop_map(|(kinds, hooks)| Rendering {
        objects: kinds.into_iter().map(object).collect(),
        hooks: hooks.into_iter().map(hook).collect(),
    })
}

fn intents() -> impl Strategy<Value = Intent> {
    prop_oneof![
        Just(Intent::Apply),
        Just(Intent::RollBack),
        Just(Intent::Clean),
        Just(Intent::Heal)
    ]
}

fn done(progress: &mut Progress, step: Step) {
    let at = Timestamp::UNIX_EPOCH;
    let record = StepRecord {
        begun_at: at,
        done_at: Some(at),
        output: Value::Null,
    };
    progress.0.insert(step.into(), record);
}

const fn writes(step: Step) -> bool {
    matches!(step, Step::Hook(..) | Step::Apply(_) | Step::Prune)
}

proptest! {
    #[test]
    fn every_plan_ends_and_does_each_step_once(intent in intents(), rendering in renderings()) {
        let mut progress = Progress::default();
        let mut seen = Vec::new();
        while let Some(step) = next(intent, &rendering, &progress) {
            prop_assert!(!seen.contains(&step), "{step:?} twice");
            seen.push(step);
            done(&mut progress, step);
        }
        prop_assert_eq!(seen, steps(intent, &rendering));
    }

    #[test]
    fn a_plan_goes_on_where_another_executor_stopped(intent in intents(), rendering in renderings(), stop in 0usize..20) {
        let all = steps(intent, &rendering);
        let mut progress = Progress::default();
        for step in all.iter().take(stop) {
            done(&mut progress, *step);
        }
        prop_assert_eq!(next(intent, &rendering, &progress), all.get(stop).copied());
    }

    #[test]
    fn nothing_is_written_before_preflight_and_guard(intent in intents(), rendering in renderings()) {
        let all = steps(intent, &rendering);
        let guard = all.iter().position(|s| *s == Step::Guard).unwrap();
        prop_assert_eq!(all[0], Step::Preflight);
        prop_assert!(!all[..guard].iter().any(|step| writes(*step)));
    }

    #[test]
    fn nothing_is_pruned_before_everything_is_applied_and_healthy(rendering in renderings()) {
        for intent in [Intent::Apply, Intent::RollBack] {
            let all = steps(intent, &rendering);
            let health = all.iter().position(|s| *s == Step::AwaitHealth).unwrap();
            prop_assert_eq!(all.last(), Some(&Step::Prune));
            prop_assert!(!all[health..].iter().any(|s| matches!(s, Step::Apply(_))));
        }
    }

    #[test]
    fn hooks_of_a_phase_run_in_that_phase_only(intent in intents(), rendering in renderings()) {
        let all = steps(intent, &rendering);
        let ran = |phase| all.iter().filter(|s| matches!(s, Step::Hook(p, _) if *p == phase)).count();
        let has = |phase| rendering.hooks(phase).count();
        prop_assert_eq!(ran(HookPhase::Before), if intent == Intent::Apply { has(HookPhase::Before) } else { 0 });
        prop_assert_eq!(ran(HookPhase::After), if intent == Intent::Apply { has(HookPhase::After) } else { 0 });
        prop_assert_eq!(ran(HookPhase::Rollback), if intent == Intent::RollBack { has(HookPhase::Rollback) } else { 0 });
        let workloads = all.iter().position(|s| matches!(s, Step::Apply(rank) if PHASES.iter().any(|p| p.rank == *rank && p.after_hooks)));
        let before = all.iter().rposition(|s| matches!(s, Step::Hook(HookPhase::Before | HookPhase::Rollback, _)));
        if let (Some(workloads), Some(before)) = (workloads, before) {
            prop_assert!(before < workloads, "a migration runs before the workloads");
        }
    }

    #[test]
    fn a_heal_applies_and_waits_and_neither_runs_a_hook_nor_takes_anything_away(rendering in renderings()) {
        let all = steps(Intent::Heal, &rendering);
        prop_assert!(!all.iter().any(|s| matches!(s, Step::Hook(..) | Step::Prune)));
        let bare = Rendering { hooks: Vec::new(), ..rendering };
        let mut applied = steps(Intent::Apply, &bare);
        applied.pop();
        prop_assert_eq!(all, applied);
    }

    #[test]
    fn every_object_is_applied_by_exactly_one_step(rendering in renderings()) {
        let all = steps(Intent::Apply, &rendering);
        for object in &rendering.objects {
            let rank = apply_rank(object["apiVersion"].as_str().unwrap(), object["kind"].as_str().unwrap());
            prop_assert_eq!(all.iter().filter(|s| **s == Step::Apply(rank)).count(), 1);
        }
    }

    #[test]
    fn waiting_ends_at_the_deadline_and_not_before(begun in 0i64..1000, deadline in 1i64..1000, waited in 0i64..2000) {
        let begun_at = Timestamp::from_second(begun).unwrap();
        let now = Timestamp::from_second(begun + waited).unwrap();
        let deadline = SignedDuration::from_secs(deadline);
        match wait(false, begun_at, deadline, now) {
            Wait::TooLong => prop_assert!(now.duration_since(begun_at) >= deadline),
            Wait::Again(after) => {
                prop_assert!(after > SignedDuration::ZERO && after <= RELOOK);
                prop_assert!(now.duration_since(begun_at) < deadline);
            }
            Wait::Over => prop_assert!(false),
        }
        prop_assert_eq!(wait(true, begun_at, deadline, now), Wait::Over);
    }
}
