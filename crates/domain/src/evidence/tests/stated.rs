use super::documents::{self, bound};
use crate::{
    Digest,
    evidence::{Kind, Standing, Statement, Subject, Withdrawal, counting, standing},
    ids::{ComponentVersionId, EvidenceId, PrincipalId},
};
use jiff::Timestamp;
use proptest::prelude::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// A test report by this name, stated at that second.
fn stated(name: &str, second: i64) -> Statement {
    let mut normal = super::plain(Kind::TestReport, documents::JUNIT).unwrap();
    normal.name = name.parse().unwrap();
    normal.produced_at = None;
    Statement {
        id: EvidenceId::new(),
        subject: Subject::ComponentVersion(ComponentVersionId::new()),
        digest: bound(),
        normal,
        payload: Digest::of_bytes(documents::JUNIT.as_bytes()),
        stated_by: PrincipalId::new(),
        stated_at: at(second),
        withdrawn: None,
        superseded_by: None,
    }
}

fn withdrawn(mut statement: Statement) -> Statement {
    statement.withdrawn = Some(Withdrawal {
        by: PrincipalId::new(),
        at: at(1_000),
        reason: "the wrong file".to_owned(),
    });
    statement
}

fn counts(statements: &[Statement]) -> Vec<EvidenceId> {
    counting(statements).map(|one| one.id).collect()
}

#[test]
fn the_newest_of_each_name_counts() {
    let all = [
        stated("unit", 1),
        stated("unit", 3),
        stated("unit", 2),
        stated("e2e", 1),
    ];
    assert_eq!(counts(&all), [all[3].id, all[1].id]);
}

#[test]
fn withdrawing_the_newest_brings_nothing_back_until_it_is_stated_again() {
    let mut all = vec![stated("unit", 1), withdrawn(stated("unit", 2))];
    assert!(counts(&all).is_empty());
    let key = (bound(), Kind::TestReport, &all[0].normal.name);
    assert!(matches!(standing(&all)[&key], Standing::Withdrawn(one, _) if one.id == all[1].id));
    all.push(stated("unit", 3));
    assert_eq!(counts(&all), [all[2].id]);
    // Taking back what was superseded changes nothing.
    all[0] = withdrawn(all[0].clone());
    assert_eq!(counts(&all), [all[2].id]);
}

#[test]
fn what_is_superseded_by_what_is_not_at_hand_does_not_count() {
    let mut one = stated("unit", 1);
    one.superseded_by = Some(EvidenceId::new());
    assert!(counts(&[one]).is_empty());
}

#[test]
fn an_old_document_is_no_younger_for_being_stated_again() {
    let mut one = stated("unit", 100);
    assert_eq!(one.dates_from(), at(100));
    one.normal.produced_at = Some(at(40));
    assert_eq!(one.dates_from(), at(40));
    one.normal.produced_at = Some(at(900));
    assert_eq!(
        one.dates_from(),
        at(100),
        "nothing was written after it was stated"
    );
}

proptest! {
    /// Compared with the rule as a person would follow it: for each name, look at what was stated last.
    #[test]
    fn of_every_history_the_newest_not_withdrawn_counts(
        history in prop::collection::vec((0_usize..3, 0_i64..6, any::<bool>(), any::<bool>()), 0..20),
    ) {
        let digests = [bound(), Digest::of_bytes(b"other")];
        let mut all: Vec<_> = history
            .iter()
            .map(|(name, second, taken_back, other)| {
                let mut one = stated(["unit", "e2e", "load"][*name], *second);
                one.digest = digests[usize::from(*other)];
                if *taken_back { withdrawn(one) } else { one }
            })
            .collect();
        let before = counts(&all);
        for digest in digests {
            for name in ["unit", "e2e", "load"] {
                let of_name = all.iter().filter(|one| one.digest == digest && one.normal.name.as_str() == name);
                let last = of_name.max_by_key(|one| (one.stated_at, one.id.uuid()));
                let expected = last.filter(|one| one.withdrawn.is_none()).map(|one| one.id);
                let found: Vec<_> = counting(&all)
                    .filter(|one| one.digest == digest && one.normal.name.as_str() == name)
                    .map(|one| one.id)
                    .collect();
                prop_assert_eq!(found, Vec::from_iter(expected));
            }
        }
        // Neither the order in which they come nor asking again changes it.
        all.reverse();
        prop_assert_eq!(&counts(&all), &before);
        let counted: Vec<_> = counting(&all).cloned().collect();
        prop_assert_eq!(&counts(&counted), &before);
    }
}
