use super::*;
use crate::{
    Digest,
    approval::{
        Requirement, Source,
        delegation::{NoPower, Scope},
        quorum::tests::entitled,
        requirement::tests::{name, names, person},
    },
    identity::{Place, Role},
    ids::ApprovalId,
};
use jiff::SignedDuration;
use std::collections::BTreeSet;

mod properties;

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(minute * 60).unwrap()
}

fn subject(release: u8, plan: u8) -> Subject {
    Subject {
        digest: Digest::from_bytes([release; 32]),
        plan_digest: Digest::from_bytes([plan; 32]),
        document: None,
    }
}

fn request(requirements: Vec<Requirement>) -> Request {
    let source = Source::Environment {
        name: name("production"),
    };
    Request {
        state: ApprovalState::Pending,
        subject: subject(1, 2),
        asked_at: at(0),
        requirements: requirements
            .into_iter()
            .map(|requirement| Merged {
                requirement,
                sources: BTreeSet::from([source.clone()]),
            })
            .collect(),
        expires: true,
        excluded: Vec::new(),
        decisions: Vec::new(),
    }
}

fn people(count: u32) -> Requirement {
    Requirement::new(Role::Authority, count)
}

fn somebody(subject: &str) -> Entitled {
    entitled(PrincipalId::new(), subject, &[])
}

fn attempt(by: &Entitled, answer: Answer) -> Attempt {
    Attempt {
        by: by.clone(),
        person_signed_in: true,
        signed_in: SignedIn::default(),
        on_behalf_of: None,
        answer,
        subject: subject(1, 2),
    }
}

fn yes(by: &Entitled) -> Attempt {
    attempt(by, Answer::Approve)
}

fn for_whom(by: &Entitled, whom: &Entitled) -> Attempt {
    Attempt {
        on_behalf_of: Some(whom.clone()),
        ..yes(by)
    }
}

fn delegated(from: &Entitled, to: &Entitled) -> Delegation {
    Delegation {
        from: from.id,
        to: to.id,
        starts: at(0),
        ends: at(100),
        scope: Scope::Everything,
        reason: "on leave".to_owned(),
        revoked_at: None,
    }
}

fn decide_with(
    request: &Request,
    attempt: &Attempt,
    delegations: &[Delegation],
    stand_ins: &[Vec<Name>],
    minute: i64,
) -> Result<Outcome, Refused> {
    let around = Circumstances {
        at: At {
            approval: ApprovalId::new(),
            place: &Place::everywhere(),
        },
        stand_ins,
        delegations,
    };
    request.decide(attempt, &around, at(minute))
}

fn decide(request: &Request, attempt: &Attempt) -> Result<Outcome, Refused> {
    decide_with(request, attempt, &[], &[], 1)
}

fn refused(request: &Request, attempt: &Attempt) -> Refused {
    decide(request, attempt).unwrap_err()
}

/// The request after a decision.
fn after(request: &Request, outcome: Outcome) -> Request {
    let mut after = request.clone();
    after.state = outcome.state;
    after.decisions.push(outcome.taken);
    after
}

#[test]
fn enough_people_approve_and_until_then_it_is_told_who_is_missing() {
    let asked = request(vec![people(2)]);
    let first = decide(&asked, &yes(&somebody("ana"))).unwrap();
    assert_eq!(first.state, ApprovalState::Pending);
    assert_eq!(
        first.quorum.missing[0].to_string(),
        "1 more with the role authority"
    );
    let asked = after(&asked, first);
    let second = decide(&asked, &yes(&somebody("ben"))).unwrap();
    assert_eq!(second.state, ApprovalState::Approved);
}

#[test]
fn rejections_count_up_to_the_ceiling_and_one_is_enough_by_default() {
    let no = |who: &str| attempt(&somebody(who), Answer::Reject);
    let one = request(vec![people(2)]);
    assert_eq!(decide(&one, &no("ana")).unwrap().state, ApprovalState::Rejected);
    let two = request(vec![Requirement {
        rejections: 2,
        ..people(1)
    }]);
    let first = decide(&two, &no("ana")).unwrap();
    assert_eq!(first.state, ApprovalState::Pending);
    let two = after(&two, first);
    assert_eq!(decide(&two, &no("ben")).unwrap().state, ApprovalState::Rejected);
    assert_eq!(
        decide(&two, &yes(&somebody("cat"))).unwrap().state,
        ApprovalState::Approved
    );
    // A no of somebody who has lost the role since still is one.
    let mut lost = two.clone();
    lost.decisions[0].of.roles.clear();
    assert_eq!(decide(&lost, &no("ben")).unwrap().state, ApprovalState::Rejected);
}

#[test]
fn a_rejection_is_of_the_requirement_that_asks_whoever_says_it() {
    let of_group = |group: &str, rejections| Requirement {
        any_of: names(&[group]),
        rejections,
        ..people(1)
    };
    let asked = request(vec![of_group("a", 2), of_group("b", 1)]);
    let of = |group: &str| attempt(&entitled(PrincipalId::new(), "ana", &[group]), Answer::Reject);
    assert_eq!(decide(&asked, &of("a")).unwrap().state, ApprovalState::Pending);
    assert_eq!(decide(&asked, &of("b")).unwrap().state, ApprovalState::Rejected);
}

#[test]
fn a_machine_or_an_api_token_never_decides_not_even_for_somebody() {
    let (ana, bot) = (somebody("ana"), somebody("bot"));
    let asked = request(vec![people(1)]);
    let machine = Attempt {
        person_signed_in: false,
        ..for_whom(&bot, &ana)
    };
    let given = [delegated(&ana, &bot)];
    assert_eq!(
        decide_with(&asked, &machine, &given, &[], 1).unwrap_err(),
        Refused::NotAPerson
    );
}

#[test]
fn a_late_decision_is_refused_and_put_on_record() {
    let ana = somebody("ana");
    for state in [
        ApprovalState::Approved,
        ApprovalState::Rejected,
        ApprovalState::Withdrawn,
        ApprovalState::Expired,
    ] {
        let over = Request {
            state,
            ..request(vec![people(1)])
        };
        let late = refused(&over, &yes(&ana));
        assert_eq!(late, Refused::NotPending(state));
        assert_eq!(late.on_record(), Some(OnRecord::Late));
    }
    let short = |mins| Requirement {
        expires_after: Some(SignedDuration::from_mins(mins)),
        ..people(1)
    };
    let asked = request(vec![short(60), short(30)]);
    assert_eq!(asked.expires_at(), Some(at(30)), "the earliest of all");
    assert!(decide_with(&asked, &yes(&ana), &[], &[], 29).is_ok());
    let late = decide_with(&asked, &yes(&ana), &[], &[], 30).unwrap_err();
    assert_eq!(
        late.to_string(),
        "this approval expired at 1970-01-01T00:30:00Z; ask for the deployment again"
    );
    assert_eq!(late.on_record(), Some(OnRecord::Late));
    assert_eq!(request(vec![people(1)]).expires_at(), None);
}

#[test]
fn a_repeated_decision_is_refused_and_put_on_record_until_what_it_was_on_changes() {
    let ana = somebody("ana");
    let asked = request(vec![people(2)]);
    let mut asked = after(&asked, decide(&asked, &yes(&ana)).unwrap());
    let again = refused(&asked, &attempt(&ana, Answer::Reject));
    assert_eq!(again, Refused::AlreadyDecided);
    assert_eq!(again.on_record(), Some(OnRecord::Repeated));
    asked.subject = subject(1, 3);
    let anew = Attempt {
        subject: subject(1, 3),
        ..yes(&ana)
    };
    let outcome = decide(&asked, &anew).unwrap();
    assert_eq!(
        outcome.quorum.filled.len(),
        1,
        "what she said of the other plan does not count"
    );
    assert_eq!(Refused::NotAPerson.on_record(), None);
}

#[test]
fn another_digest_or_another_plan_is_refused_and_names_both() {
    let asked = request(vec![people(1)]);
    let ana = somebody("ana");
    let on = |subject| Attempt { subject, ..yes(&ana) };
    let release = refused(&asked, &on(subject(9, 2)));
    let (expected, given) = (asked.subject.digest, subject(9, 2).digest);
    assert_eq!(release, Refused::OtherDigest { expected, given });
    let plan = refused(&asked, &on(subject(1, 9)));
    let (expected, given) = (asked.subject.plan_digest, subject(1, 9).plan_digest);
    assert_eq!(plan, Refused::OtherPlan { expected, given });
}

#[test]
fn who_is_involved_or_had_it_done_decides_nothing_for_nobody_and_nobody_for_them() {
    let (ana, ben, cat) = (somebody("ana"), somebody("ben"), somebody("cat"));
    let mut asked = request(vec![people(1)]);
    let involved = [
        (ben.id, Involvement::Sealer),
        (ben.id, Involvement::Author),
        (ben.id, Involvement::Author),
    ];
    asked.excluded = excluded(&involved, &[(ben.id, ana.id), (cat.id, PrincipalId::new())]);
    assert_eq!(
        refused(&asked, &yes(&ben)).to_string(),
        "you may not decide on what you authored, sealed: separation of duties"
    );
    assert_eq!(
        refused(&asked, &yes(&ana)).to_string(),
        "you may not decide on what a delegate of yours authored, sealed for you: separation of duties"
    );
    let given = [
        delegated(&cat, &ben),
        delegated(&ben, &cat),
        delegated(&ana, &cat),
    ];
    let by_delegation = |by, whom| decide_with(&asked, &for_whom(by, whom), &given, &[], 1).unwrap_err();
    assert!(matches!(by_delegation(&ben, &cat), Refused::Excluded(_)));
    assert_eq!(
        by_delegation(&cat, &ben).to_string(),
        "nobody decides for somebody on what they authored, sealed: separation of duties"
    );
    assert!(matches!(by_delegation(&cat, &ana), Refused::ExcludedWhom(_)));
    assert!(
        decide(&asked, &yes(&cat)).is_ok(),
        "to be a delegate of theirs is no involvement"
    );
}

#[test]
fn what_somebody_said_before_they_were_involved_does_not_count() {
    let (ana, ben) = (somebody("ana"), somebody("ben"));
    let asked = request(vec![people(1)]);
    let given = [delegated(&ana, &ben)];
    let mut asked = after(
        &asked,
        decide_with(&asked, &for_whom(&ben, &ana), &given, &[], 1).unwrap(),
    );
    assert_eq!(asked.judge(&[]).0, ApprovalState::Approved);
    for who in [ana.id, ben.id] {
        asked.excluded = excluded(&[(who, Involvement::Requester)], &[]);
        assert_eq!(asked.judge(&[]).0, ApprovalState::Pending);
    }
}

#[test]
fn a_decision_for_somebody_counts_by_what_they_are_entitled_to_and_uses_up_both() {
    let ana = entitled(PrincipalId::new(), "ana", &["security"]);
    let ben = Entitled {
        roles: Vec::new(),
        ..somebody("ben")
    };
    let asked = request(vec![
        Requirement {
            all_of: names(&["security"]),
            ..people(1)
        },
        people(1),
    ]);
    assert!(matches!(
        refused(&asked, &yes(&ben)),
        Refused::Role(Role::Authority, false)
    ));
    assert!(matches!(
        refused(&asked, &for_whom(&ben, &ana)),
        Refused::NoPower(NoPower::None)
    ));
    let given = [delegated(&ana, &ben)];
    let outcome = decide_with(&asked, &for_whom(&ben, &ana), &given, &[], 1).unwrap();
    assert_eq!((outcome.taken.by, outcome.taken.of.id), (ben.id, ana.id));
    assert_eq!(outcome.quorum.filled.len(), 1);
    let asked = after(&asked, outcome);
    assert_eq!(refused(&asked, &yes(&ana)), Refused::AlreadyDecided);
    assert_eq!(refused(&asked, &yes(&ben)), Refused::AlreadyDecided);
    let cat = somebody("cat");
    let again = refused(&asked, &for_whom(&cat, &ana));
    assert_eq!(again, Refused::AlreadyDecidedWhom);
    assert_eq!(again.on_record(), Some(OnRecord::Repeated));
}

#[test]
fn who_decides_for_themselves_needs_no_delegation() {
    let ana = somebody("ana");
    let asked = request(vec![people(1)]);
    assert!(decide(&asked, &for_whom(&ana, &ana)).is_ok());
}

#[test]
fn somebody_who_is_not_asked_is_told_who_is_until_it_is_escalated_to_them() {
    let lea = entitled(PrincipalId::new(), "lea", &["leads"]);
    let asked = request(vec![Requirement {
        any_of: names(&["security"]),
        named: vec![person("ana")],
        ..people(2)
    }]);
    assert_eq!(
        refused(&asked, &yes(&lea)).to_string(),
        "you are not among those who are asked: ana@example must approve; 1 more of group security"
    );
    assert!(decide_with(&asked, &yes(&lea), &[], &[names(&["leads"])], 1).is_ok());
    let other = Entitled {
        roles: vec![Role::Admin],
        ..lea
    };
    assert_eq!(
        refused(&asked, &yes(&other)).to_string(),
        "this takes the role authority there, which you do not hold"
    );
}

#[test]
fn a_sign_in_has_to_suffice_for_all_that_somebody_is_asked_for() {
    let method = |method: &str, group: &[&str]| Requirement {
        any_of: names(group),
        sign_in: SignIn {
            max_age: None,
            methods: vec![method.to_owned()],
        },
        ..people(1)
    };
    let asked = request(vec![
        method("mfa", &[]),
        method("hwk", &["a"]),
        method("face", &["b"]),
    ]);
    let ana = entitled(PrincipalId::new(), "ana", &["a"]);
    let with = |methods: &[&str]| Attempt {
        signed_in: SignedIn {
            at: None,
            methods: methods.iter().map(|m| (*m).to_owned()).collect(),
        },
        ..yes(&ana)
    };
    assert_eq!(
        refused(&asked, &with(&["mfa"])).to_string(),
        "sign in again with `hwk` and `mfa`; your sign-in does not say that it used `hwk` (`amr`)"
    );
    assert!(decide(&asked, &with(&["mfa", "hwk"])).is_ok());
}

#[test]
fn where_nothing_is_required_nobody_decides() {
    let asked = request(Vec::new());
    assert!(matches!(
        refused(&asked, &yes(&somebody("ana"))),
        Refused::NotAsked(_, false)
    ));
    assert_eq!(asked.judge(&[]).0, ApprovalState::Pending);
}
