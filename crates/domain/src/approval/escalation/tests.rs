use super::*;
use crate::approval::requirement::tests::{name, step};
use proptest::{collection::vec, option, prelude::*};

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(minute * 60).unwrap()
}

fn away(who: PrincipalId, from: i64, until: i64) -> Away {
    Away {
        who,
        from: at(from),
        until: at(until),
    }
}

/// Ana is asked first, then group `leads` with Lea and Lou after 30 minutes, then `heads` with Hal after 60 more, and at the
/// end the point of escalation.
struct World {
    people: Vec<PrincipalId>,
    first: BTreeSet<PrincipalId>,
    members: BTreeMap<Name, BTreeSet<PrincipalId>>,
    steps: Vec<Step>,
    point: Name,
}

const ANA: usize = 0;
const LEA: usize = 1;
const LOU: usize = 2;
const HAL: usize = 3;
const PIA: usize = 4;

fn world() -> World {
    let people: Vec<_> = (0..5).map(|_| PrincipalId::new()).collect();
    let set = |of: &[usize]| of.iter().map(|i| people[*i]).collect::<BTreeSet<_>>();
    World {
        first: set(&[ANA]),
        members: BTreeMap::from([
            (name("leads"), set(&[LEA, LOU])),
            (name("heads"), set(&[HAL])),
            (name("desk"), set(&[PIA])),
        ]),
        steps: vec![step(30, "leads"), step(60, "heads")],
        point: name("desk"),
        people,
    }
}

impl World {
    fn facts<'a>(&'a self, away: &'a [Away]) -> Facts<'a> {
        Facts {
            asked_at: at(0),
            ends: None,
            remind_every: None,
            first: &self.first,
            steps: &self.steps,
            point: Some(&self.point),
            members: &self.members,
            away,
        }
    }

    fn timed<'a>(&'a self, away: &'a [Away], every: Option<i64>, ends: Option<i64>) -> Facts<'a> {
        Facts {
            remind_every: every.map(SignedDuration::from_mins),
            ends: ends.map(at),
            ..self.facts(away)
        }
    }

    /// Minutes at which each level is asked.
    fn since(&self, away: &[Away]) -> Vec<i64> {
        let standing = stand(&self.facts(away), at(10_000));
        standing.asked.iter().map(|r| r.since.as_second() / 60).collect()
    }
}

#[test]
fn each_level_is_asked_a_delay_after_the_one_before_and_the_point_of_escalation_at_the_end() {
    let world = world();
    let facts = world.facts(&[]);
    assert_eq!(world.since(&[]), [0, 30, 90, 150]);
    let levels = |minute| {
        let standing = stand(&facts, at(minute));
        let told: Vec<_> = standing.asked.iter().map(|r| r.level.to_string()).collect();
        (told.join(", "), standing.next.map(|at| at.as_second() / 60))
    };
    assert_eq!(levels(-1), (String::new(), Some(0)));
    assert_eq!(levels(29), ("those who were asked first".to_owned(), Some(30)));
    assert_eq!(
        levels(30),
        ("those who were asked first, group leads".to_owned(), Some(90))
    );
    assert_eq!(
        levels(150),
        (
            "those who were asked first, group leads, group heads, the point of escalation, group desk"
                .to_owned(),
            None
        )
    );
}

#[test]
fn only_groups_that_the_requirement_escalates_to_stand_in() {
    let world = world();
    let facts = world.facts(&[]);
    assert_eq!(stand(&facts, at(29)).stand_ins(), []);
    assert_eq!(stand(&facts, at(30)).stand_ins(), [name("leads")]);
    assert_eq!(
        stand(&facts, at(10_000)).stand_ins(),
        [name("leads"), name("heads")],
        "and the point of escalation never does"
    );
}

#[test]
fn a_level_all_of_whose_members_are_away_is_skipped_ahead() {
    let world = world();
    let people = &world.people;
    assert_eq!(world.since(&[away(people[ANA], -5, 5)]), [0, 0, 60, 120]);
    assert_eq!(
        world.since(&[away(people[ANA], 10, 11)]),
        [0, 10, 70, 130],
        "from then on"
    );
    assert_eq!(
        world.since(&[away(people[ANA], -5, 0)]),
        [0, 30, 90, 150],
        "she is back"
    );
    assert_eq!(
        world.since(&[away(people[LEA], 0, 900)]),
        [0, 30, 90, 150],
        "Lou is there"
    );
    let leads = [away(people[LEA], 0, 50), away(people[LOU], 40, 900)];
    assert_eq!(
        world.since(&leads),
        [0, 30, 40, 100],
        "both of them, from then on"
    );
    let all: Vec<_> = people.iter().map(|who| away(*who, 0, 900)).collect();
    assert_eq!(
        world.since(&all),
        [0, 0, 0, 0],
        "nobody waits for anybody who is away"
    );
    let ahead = stand(&world.facts(&leads), at(40)).asked;
    assert_eq!(
        ahead.iter().map(|r| r.ahead).collect::<Vec<_>>(),
        [false, false, true]
    );
}

#[test]
fn a_group_with_nobody_in_it_is_skipped_ahead() {
    let mut world = world();
    world.members.remove(&name("leads"));
    assert_eq!(world.since(&[]), [0, 30, 30, 90]);
}

#[test]
fn without_steps_the_point_of_escalation_is_asked_after_its_own_time() {
    let mut world = world();
    world.steps.clear();
    assert_eq!(world.since(&[]), [0, POINT_AFTER.as_mins()]);
    let none = Facts {
        point: None,
        ..world.facts(&[])
    };
    assert_eq!(stand(&none, at(10_000)).asked.len(), 1);
}

#[test]
fn people_are_reminded_until_it_is_over_and_nobody_is_asked_after_that() {
    let world = world();
    let facts = Facts {
        remind_every: Some(SignedDuration::from_mins(20)),
        ends: Some(at(60)),
        ..world.facts(&[])
    };
    let told = |minute| {
        let standing = stand(&facts, at(minute));
        let next = standing.next.map(|at| at.as_second() / 60);
        (standing.asked.len(), standing.reminders, next)
    };
    assert_eq!(told(0), (1, 0, Some(20)));
    assert_eq!(told(20), (1, 1, Some(30)));
    assert_eq!(told(59), (2, 2, None));
    assert_eq!(told(60), (2, 2, None), "what would be due as it ends is not");
    assert_eq!(told(10_000), (2, 2, None));
}

/// Absences as somebody who looks at that time can know of them.
fn known(away: &[Away], now: Timestamp) -> Vec<Away> {
    away.iter().filter(|away| away.from <= now).copied().collect()
}

fn some_absences() -> impl Strategy<Value = Vec<(usize, i64, i64)>> {
    vec((0usize..5, 0i64..160, 1i64..120), 0..10)
}

fn absences(world: &World, all: &[(usize, i64, i64)]) -> Vec<Away> {
    let each = all.iter();
    each.map(|(who, from, long)| away(world.people[*who], *from, from + long))
        .collect()
}

proptest! {
    #[test]
    fn whoever_looks_late_sees_what_whoever_looked_all_the_time_saw(
        all in some_absences(), every in option::of(5i64..50), ends in option::of(1i64..250), late in 0i64..300,
    ) {
        let world = world();
        let all = absences(&world, &all);
        let mut seen: Vec<(Level, Timestamp)> = Vec::new();
        let mut reminders = Vec::new();
        // Every minute, without anything remembered but what was seen.
        for minute in 0..=late {
            let known = known(&all, at(minute));
            let standing = stand(&world.timed(&known, every, ends), at(minute));
            for reached in &standing.asked {
                if !seen.iter().any(|(level, _)| *level == reached.level) {
                    seen.push((reached.level.clone(), at(minute)));
                }
            }
            reminders.push(standing.reminders);
        }
        let standing = stand(&world.timed(&all, every, ends), at(late));
        let told: Vec<_> = standing.asked.into_iter().map(|r| (r.level, r.since)).collect();
        prop_assert_eq!(told, seen);
        prop_assert!(reminders.is_sorted());
        prop_assert_eq!(reminders.last().copied(), Some(standing.reminders));
    }

    #[test]
    fn nothing_changes_before_the_next_instant_and_something_does_then(
        all in some_absences(), every in option::of(5i64..50), ends in option::of(1i64..250), now in -10i64..300,
    ) {
        let world = world();
        let all = absences(&world, &all);
        let facts = world.timed(&all, every, ends);
        let before = stand(&facts, at(now));
        let same = |other: &Standing| (&other.asked, other.reminders) == (&before.asked, before.reminders);
        match before.next {
            Some(next) => {
                prop_assert!(next > at(now));
                let then = stand(&facts, next);
                prop_assert!(!same(&then));
                prop_assert!(then.asked.starts_with(&before.asked) && then.reminders >= before.reminders);
                let just = next - SignedDuration::from_nanos(1);
                prop_assert!(same(&stand(&facts, just)));
            }
            None => prop_assert!(same(&stand(&facts, at(100_000)))),
        }
    }
}
