use super::*;
use proptest::{collection::vec, option, prelude::*};

fn at(day: i64) -> Timestamp {
    Timestamp::from_second(day * 86_400).unwrap()
}

fn delegation(from: PrincipalId, to: PrincipalId) -> Delegation {
    Delegation {
        from,
        to,
        starts: at(1),
        ends: at(3),
        scope: Scope::Everything,
        reason: "on leave".to_owned(),
        revoked_at: None,
    }
}

fn pair() -> (PrincipalId, PrincipalId) {
    (PrincipalId::new(), PrincipalId::new())
}

#[test]
fn all_faults_are_told_at_once() {
    let (ana, ben) = pair();
    let good = delegation(ana, ben);
    assert!(
        good.faults(at(0), &[ana, ben]).is_empty(),
        "it is for no approval in particular"
    );
    let wrong = Delegation {
        to: ana,
        starts: at(3),
        ends: at(3),
        scope: Scope::Approval(ApprovalId::new()),
        reason: " ".to_owned(),
        ..good.clone()
    };
    let faults = wrong.faults(at(3), &[ana]);
    let pointers: Vec<_> = faults.as_slice().iter().map(|f| f.pointer.as_str()).collect();
    assert_eq!(pointers, ["/to", "/ends", "/ends", "/reason", "/scope", "/to"]);
    let long = Delegation {
        ends: at(1) + LONGEST + SignedDuration::from_secs(1),
        reason: "x".repeat(MAX_REASON + 1),
        ..good
    };
    assert_eq!(long.faults(at(0), &[]).as_slice().len(), 2);
}

#[test]
fn nothing_is_delegated_to_the_excluded_for_one_approval() {
    let (ana, ben) = pair();
    let one = Delegation {
        scope: Scope::Approval(ApprovalId::new()),
        ..delegation(ana, ben)
    };
    assert_eq!(
        one.faults(at(0), &[ben]).to_string(),
        "/to: may not decide on this approval: separation of duties"
    );
}

#[test]
fn a_refusal_says_why_there_is_no_power() {
    let (ana, ben) = pair();
    let cat = PrincipalId::new();
    let place = Place::team_in(TeamId::new(), EnvironmentId::new(), "service shop in production");
    let here = At {
        approval: ApprovalId::new(),
        place: &place,
    };
    let given = delegation(ana, ben);
    let why = |delegations: &[Delegation], by, day| power(delegations, by, ana, here, at(day)).unwrap_err();
    assert_eq!(why(&[], ben, 1), NoPower::None);
    assert_eq!(why(std::slice::from_ref(&given), ben, 0), NoPower::NotYet(at(1)));
    assert_eq!(why(std::slice::from_ref(&given), ben, 3), NoPower::Over(at(3)));
    let revoked = Delegation {
        revoked_at: Some(at(2)),
        ..given.clone()
    };
    assert_eq!(why(&[revoked], ben, 2), NoPower::Over(at(2)));
    let elsewhere = Delegation {
        scope: Scope::Team(TeamId::new()),
        ..given.clone()
    };
    assert_eq!(why(&[elsewhere], ben, 2), NoPower::Elsewhere);
    assert_eq!(why(&[given, delegation(ben, cat)], cat, 2), NoPower::PassedOn);
}

#[test]
fn a_delegation_is_for_its_team_its_environment_or_its_approval() {
    let (team, environment, approval) = (TeamId::new(), EnvironmentId::new(), ApprovalId::new());
    let (here, there) = (
        Place::team_in(team, environment, ""),
        Place::team_in(TeamId::new(), EnvironmentId::new(), ""),
    );
    let (here, there) = (
        At {
            approval,
            place: &here,
        },
        At {
            approval: ApprovalId::new(),
            place: &there,
        },
    );
    for scope in [
        Scope::Team(team),
        Scope::Environment(environment),
        Scope::Approval(approval),
    ] {
        assert!(scope.covers(here) && !scope.covers(there), "{scope:?}");
    }
    assert!(Scope::Everything.covers(there));
}

proptest! {
    #[test]
    fn only_what_somebody_delegates_themselves_in_force_gives_power(
        given in vec((0usize..4, 0usize..4, 0i64..6, 1i64..4, option::of(0i64..8)), 0..8),
        by in 0usize..4, whom in 0usize..4, day in 0i64..8,
    ) {
        let people: Vec<_> = (0..4).map(|_| PrincipalId::new()).collect();
        let all: Vec<_> = given.iter().map(|(from, to, starts, days, revoked)| Delegation {
            starts: at(*starts),
            ends: at(starts + days),
            revoked_at: revoked.map(at),
            ..delegation(people[*from], people[*to])
        }).collect();
        let place = Place::everywhere();
        let here = At { approval: ApprovalId::new(), place: &place };
        let power = power(&all, people[by], people[whom], here, at(day));
        let direct = given.iter().any(|(from, to, starts, days, revoked)| {
            (*from, *to) == (whom, by) && *starts <= day && day < starts + days && revoked.is_none_or(|r| day < r)
        });
        prop_assert_eq!(power.is_ok(), direct);
        if let Err(NoPower::NotYet(starts)) = power {
            prop_assert!(starts > at(day));
        }
    }
}
