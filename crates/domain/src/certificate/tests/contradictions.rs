//! Whatever does not fit together is told, though it is signed.

use super::*;

/// The faults of a certificate that was signed after this was done to it.
fn wrong(change: impl FnOnce(&mut Predicate)) -> Vec<(String, String)> {
    let mut changed = good();
    change(&mut changed);
    let faults = verified(&changed).unwrap_err();
    let faults = faults.as_slice().iter().map(|fault| {
        let pointer = fault.pointer.strip_prefix("/payload/predicate").unwrap();
        (pointer.to_owned(), fault.detail.clone())
    });
    faults.collect()
}

/// Where faults are.
fn places(change: impl FnOnce(&mut Deployment)) -> Vec<String> {
    let faults = wrong(|all| change(&mut all.deployments[0]));
    let places = faults.into_iter().map(|(pointer, _)| pointer);
    places.map(|at| at.replacen("/deployments/0", "", 1)).collect()
}

#[test]
fn a_decision_on_another_digest_or_plan_is_told() {
    let decision = "/approvals/0/decisions/1";
    assert_eq!(
        places(|one| one.approvals[0].decisions[1].digest = digest("other")),
        [format!("{decision}/digest")]
    );
    assert_eq!(
        places(|one| one.approvals[0].decisions[1].plan_digest = digest("other")),
        [format!("{decision}/plan_digest")]
    );
}

#[test]
fn whoever_is_involved_may_not_have_decided() {
    let decided =
        |of: fn(&Predicate) -> Person| wrong(|all| all.deployments[0].approvals[0].decisions[1].by = of(all));
    let at = "/deployments/0/approvals/0/decisions/1/by".to_owned();
    let told = |how: &str| vec![(at.clone(), format!("{how}: separation of duties"))];
    assert_eq!(
        decided(|all| all.release.author.clone()),
        told("ann composed the release")
    );
    assert_eq!(
        decided(|all| all.release.editors[0].clone()),
        told("ed edited the release")
    );
    assert_eq!(
        decided(|all| all.release.sealed.by.clone()),
        told("max sealed the release")
    );
    assert_eq!(
        decided(|all| all.deployments[0].requested_by.clone()),
        told("olaf asked for the deployment")
    );
    assert_eq!(
        decided(|all| all.deployments[0].approvals[0].decisions[0].by.clone()),
        [(
            at,
            "abe decided before; a decision counts once a person".to_owned()
        )]
    );
}

#[test]
fn an_approval_is_what_people_said() {
    let state = ["/approvals/0/state"];
    assert_eq!(places(|one| one.approvals[0].required = 3), state);
    assert_eq!(
        places(|one| one.approvals[0].decisions[0].answer = Answer::Reject),
        state
    );
    assert_eq!(
        places(|one| one.approvals[0].state = ApprovalState::Withdrawn),
        state
    );
    let outvoted = |one: &mut Deployment| {
        one.approvals[0].required = 1;
        one.approvals[0].decisions[1].answer = Answer::Reject;
    };
    assert_eq!(places(outvoted), state, "one who rejects is enough");
    let withdrawn = |one: &mut Deployment| {
        outvoted(one);
        one.approvals[0].state = ApprovalState::Withdrawn;
    };
    assert_eq!(places(withdrawn).len(), 2, "it was rejected, and work began");
    let rejected = places(|one| one.approvals[0].state = ApprovalState::Rejected);
    assert_eq!(
        rejected,
        ["/approvals/0/state", "/approvals/0/state"],
        "nobody did, and work began"
    );
}

#[test]
fn what_was_applied_is_what_was_planned_and_decided_on() {
    assert_eq!(
        places(|one| one.targets[0].applied = Some(digest("x"))),
        ["/targets/0/applied"]
    );
    assert_eq!(
        places(|one| one.targets[0].applied = None),
        ["/targets/0/applied"]
    );
    let both = |one: &mut Deployment| {
        (one.targets[0].planned, one.targets[0].applied) = (digest("x"), Some(digest("x")));
    };
    assert_eq!(places(both), ["/plan_digest"]);
    assert_eq!(
        places(|one| one.environment = "test".parse().unwrap()),
        ["/plan_digest"]
    );
    assert_eq!(places(|one| one.targets.swap(0, 1)), ["/plan_digest"]);
    assert_eq!(
        places(|one| one.release_digest = digest("x")),
        ["/release_digest"]
    );
    assert_eq!(
        places(|one| one.targets[0].state = TargetState::Running),
        ["/targets/0/state"]
    );
    let failed = |one: &mut Deployment| {
        one.targets
            .iter_mut()
            .for_each(|target| target.state = TargetState::Failed);
    };
    assert_eq!(places(failed), ["/state"]);
}

#[test]
fn nothing_began_that_a_gate_or_policy_kept_from_beginning() {
    let refused = Verdict::refused("no");
    assert_eq!(places(|one| one.gates[0].verdict = refused.clone()), ["/gates/0"]);
    let waiting = Verdict::waiting("not yet", None, "somebody");
    assert_eq!(places(|one| one.gates[0].verdict = waiting), ["/gates/0"]);
    assert_eq!(places(|one| one.gates.clear()), ["/gates"]);
    assert_eq!(
        places(|one| one.policies[0].verdict = PolicyVerdict::Refused),
        ["/policies/0"]
    );
    // What was refused and never began is a true story.
    let mut rejected = good();
    let one = &mut rejected.deployments[0];
    (one.state, one.started_at) = (StateName::Rejected, None);
    one.gates[0].verdict = refused;
    one.policies[0].verdict = PolicyVerdict::Refused;
    one.targets
        .iter_mut()
        .for_each(|target| (target.state, target.applied) = (TargetState::Skipped, None));
    rejected.outcome = Outcome::NotSucceeded;
    assert!(verified(&rejected).is_ok());
    rejected.deployments[0].targets[0].applied = Some(digest("eu-1"));
    assert!(
        verified(&rejected)
            .unwrap_err()
            .to_string()
            .ends_with("was applied, and work never began")
    );
}

#[test]
fn things_happened_in_an_order_in_which_they_can() {
    assert_eq!(places(|one| one.started_at = Some(at(19)))[0], "/started_at");
    assert_eq!(places(|one| one.finished_at = Some(at(39))), ["/finished_at"]);
    assert_eq!(places(|one| one.finished_at = None), ["/state"]);
    assert_eq!(places(|one| one.requested_at = at(9)), ["/requested_at"]);
    let never = places(|one| one.started_at = None);
    assert_eq!(never[0], "/state");
    assert_eq!(
        places(|one| one.approvals[0].decisions[0].at = at(41)),
        ["/approvals/0/decisions/0/at"]
    );
    assert_eq!(
        places(|one| one.approvals[0].decisions[0].at = at(19)),
        ["/approvals/0/decisions/0/at"]
    );
    let issued = wrong(|all| all.issued_at = at(59));
    assert_eq!(issued[0].0, "/issued_at");
}

#[test]
fn evidence_is_about_the_release_or_a_part_of_it() {
    assert_eq!(
        wrong(|all| all.evidence[1].about = digest("x"))[0].0,
        "/evidence/1/about"
    );
}

#[test]
fn the_checkpoint_is_signed_by_a_known_key() {
    let stranger = key("slipway.example.com");
    let head = Frontier::default().head();
    let origin = stranger.name().clone();
    let other = Checkpoint { origin, head }.sign(&stranger).to_string();
    assert_eq!(wrong(|all| all.checkpoint = Some(other))[0].0, "/checkpoint");
    assert_eq!(
        wrong(|all| all.checkpoint = Some("x".to_owned()))[0].0,
        "/checkpoint"
    );
}

#[test]
fn everything_is_told_at_once() {
    let all = wrong(|all| {
        all.outcome = Outcome::NotDeployed;
        all.evidence[0].about = digest("x");
        all.deployments[0].targets[0].applied = None;
        all.deployments[0].approvals[0].decisions[0].digest = digest("x");
    });
    assert_eq!(all.len(), 4);
}
