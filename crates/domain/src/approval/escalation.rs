//! Who has been asked by now, who is asked next, and when.
//!
//! Everything follows from what is stored: when people were asked, the steps, and who is away from when until when. So it does
//! not matter when anybody looks, or whether a server was there in between. For that, what has been must stay as it was: an
//! absence that ends early gets another end and is not deleted, and none starts before it was entered.

use super::Step;
use crate::{Name, ids::PrincipalId};
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// How long after people were asked the point of escalation is, where no step says how long anything takes.
pub const POINT_AFTER: SignedDuration = SignedDuration::from_hours(4);

/// Somebody is out of office.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Away {
    /// Who.
    pub who: PrincipalId,
    /// From when on.
    pub from: Timestamp,
    /// Until when: then they are back.
    pub until: Timestamp,
}

/// What an escalation follows from.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// When people were first asked.
    pub asked_at: Timestamp,
    /// When nobody is asked any more: it is decided, or has expired. Not known yet when absent.
    pub ends: Option<Timestamp>,
    /// How often people are reminded.
    pub remind_every: Option<SignedDuration>,
    /// Who is asked first. Nobody at all: the next are asked at once.
    pub first: &'a BTreeSet<PrincipalId>,
    /// Who is asked then.
    pub steps: &'a [Step],
    /// The service's point of escalation: a group, asked at the end.
    pub point: Option<&'a Name>,
    /// Who is in the groups. A group that is not there has nobody in it.
    pub members: &'a BTreeMap<Name, BTreeSet<PrincipalId>>,
    /// Who is away.
    pub away: &'a [Away],
}

/// Who is asked together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Those whom the requirement asks.
    First,
    /// A group that the requirement escalates to.
    Step(Name),
    /// The service's point of escalation.
    Point(Name),
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::First => f.write_str("those who were asked first"),
            Self::Step(group) => write!(f, "group {group}"),
            Self::Point(group) => write!(f, "the point of escalation, group {group}"),
        }
    }
}

/// A level that is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// Which.
    pub level: Level,
    /// Since when.
    pub since: Timestamp,
    /// Whether it is asked ahead of its time, because everybody in the one before is away.
    pub ahead: bool,
}

/// Where an escalation stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Who has been asked by now, in order.
    pub asked: Vec<Reached>,
    /// How many reminders were due by now.
    pub reminders: u64,
    /// When the next are asked, or reminded; never, when absent.
    pub next: Option<Timestamp>,
}

impl Standing {
    /// Groups that may answer in the place of those of the requirement by now. The point of escalation is asked and told, but
    /// is none of them: who looks after a service does not say who may approve for it.
    #[must_use]
    pub fn stand_ins(&self) -> Vec<Name> {
        let groups = self.asked.iter().filter_map(|reached| match &reached.level {
            Level::Step(group) => Some(group.clone()),
            Level::First | Level::Point(_) => None,
        });
        groups.collect()
    }
}

fn add(at: Timestamp, after: SignedDuration) -> Timestamp {
    at.saturating_add(after).unwrap_or(Timestamp::MAX)
}

/// Where an escalation stands at that time.
#[must_use]
pub fn stand(facts: &Facts<'_>, now: Timestamp) -> Standing {
    let over = |at: Timestamp| facts.ends.is_some_and(|ends| at >= ends);
    let line = facts.line();
    let asked: Vec<_> = line
        .iter()
        .filter(|reached| reached.since <= now && !over(reached.since))
        .cloned()
        .collect();
    let next_level = line
        .iter()
        .map(|reached| reached.since)
        .filter(|since| *since > now)
        .min();
    let next_reminder = facts.reminder(facts.reminders_until(now).saturating_add(1));
    // Nothing is due any more when it is over, however late anybody looks.
    let counted = facts.ends.map_or(now, |ends| {
        now.min(
            ends.saturating_sub(SignedDuration::from_nanos(1))
                .unwrap_or(Timestamp::MIN),
        )
    });
    Standing {
        asked,
        reminders: facts.reminders_until(counted),
        next: [next_level, next_reminder]
            .into_iter()
            .flatten()
            .filter(|at| !over(*at))
            .min(),
    }
}

impl Facts<'_> {
    /// Every level with when it is asked, whether that has been or is to come.
    fn line(&self) -> Vec<Reached> {
        let steps = self.steps.iter();
        let mut levels: Vec<(Level, SignedDuration)> = steps
            .map(|step| (Level::Step(step.to.clone()), step.after))
            .collect();
        if let Some(group) = self.point {
            let after = levels.last().map_or(POINT_AFTER, |(_, after)| *after);
            levels.push((Level::Point(group.clone()), after));
        }
        let mut line = vec![Reached {
            level: Level::First,
            since: self.asked_at,
            ahead: false,
        }];
        let mut since = self.asked_at;
        let mut before = Some(self.first);
        for (level, after) in levels {
            let in_time = add(since, after.max(SignedDuration::ZERO));
            let deserted = self.deserted(before, since, in_time);
            since = deserted.unwrap_or(in_time);
            before = match &level {
                Level::First => Some(self.first),
                Level::Step(group) | Level::Point(group) => self.members.get(group),
            };
            line.push(Reached {
                level,
                since,
                ahead: deserted.is_some(),
            });
        }
        line
    }

    /// When everybody of a level is away for the first time between these two, if ever.
    fn deserted(
        &self,
        members: Option<&BTreeSet<PrincipalId>>,
        since: Timestamp,
        until: Timestamp,
    ) -> Option<Timestamp> {
        let members = members.into_iter().flatten();
        let is_away = |who: &PrincipalId, at: Timestamp| {
            let mut away = self.away.iter();
            away.any(|away| away.who == *who && away.from <= at && at < away.until)
        };
        // Everybody can only come to be away when somebody goes.
        let goes = self.away.iter().map(|away| away.from);
        let goes = goes.filter(|from| (since..until).contains(from));
        std::iter::once(since)
            .filter(|since| *since < until)
            .chain(goes)
            .filter(|at| members.clone().all(|who| is_away(who, *at)))
            .min()
    }

    fn reminders_until(&self, now: Timestamp) -> u64 {
        let every = self.remind_every.map_or(0, |every| every.as_nanos());
        if every <= 0 {
            return 0;
        }
        let passed = now.duration_since(self.asked_at).as_nanos().max(0);
        u64::try_from(passed / every).unwrap_or(u64::MAX)
    }

    /// When that reminder is due.
    fn reminder(&self, number: u64) -> Option<Timestamp> {
        let every = self.remind_every.filter(SignedDuration::is_positive)?;
        let nanos = every.as_nanos().checked_mul(i128::from(number))?;
        let after = SignedDuration::try_from_nanos_i128(nanos)?;
        self.asked_at.checked_add(after).ok()
    }
}

#[cfg(test)]
mod tests;
