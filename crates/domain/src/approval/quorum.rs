//! Who fills what: a yes fills one place of one requirement, and every person counts once.
//!
//! A requirement is as many places as people: one for each who is named, one for each group of `all_of`, and the rest of the
//! quorum. Which yes fills which place is a matching in a bipartite graph, found by augmenting paths (H. W. Kuhn, "The
//! Hungarian method for the assignment problem", 1955, for the unweighted case): there are a few dozen of either at most.

use super::{Person, Requirement, SignedIn};
use crate::{Name, identity::Role, ids::PrincipalId};
use jiff::Timestamp;
use std::{collections::BTreeSet, fmt};

/// Somebody, and what they are entitled to at the place in question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entitled {
    /// Who.
    pub id: PrincipalId,
    /// As their issuer knows them.
    pub person: Person,
    /// Roles that they hold there.
    pub roles: Vec<Role>,
    /// Groups that they are in.
    pub groups: Vec<Name>,
}

/// A requirement, as it is asked now.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// What is required.
    pub requirement: &'a Requirement,
    /// Groups that were escalated to by now: they answer in the place of its groups, but for nobody who is named.
    pub stand_ins: &'a [Name],
}

/// One place that takes one person.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Somebody in particular.
    Named(Person),
    /// Somebody of this group.
    AllOf(Name),
    /// Somebody of any of these groups.
    AnyOf(Vec<Name>),
    /// Anybody with the role.
    Anybody(Role),
}

/// A yes that holds: not withdrawn, and of nobody who is excluded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Yes {
    /// Who said it.
    pub by: PrincipalId,
    /// Whose entitlement counts: theirs, or that of the one who delegated to them.
    pub of: Entitled,
    /// How they had signed in.
    pub signed_in: SignedIn,
    /// When they said it.
    pub at: Timestamp,
}

/// A place that is filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filled {
    /// Of which requirement, in the order given.
    pub requirement: usize,
    /// Which.
    pub place: Place,
    /// Who said yes.
    pub by: PrincipalId,
    /// By whose entitlement.
    pub of: PrincipalId,
}

/// People who are missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Of which requirement, in the order given.
    pub requirement: usize,
    /// For which place.
    pub place: Place,
    /// How many.
    pub people: usize,
    /// Groups that may stand in for those of the place.
    pub stand_ins: Vec<Name>,
}

/// What the yeses come to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quorum {
    /// Who fills what.
    pub filled: Vec<Filled>,
    /// What is missing; nothing when it is met.
    pub missing: Vec<Missing>,
    /// Who said yes and is not needed, or is not entitled any more.
    pub spare: Vec<PrincipalId>,
}

impl Quorum {
    /// Whether every requirement is met. Nothing is required where there is no requirement.
    #[must_use]
    pub const fn is_met(&self) -> bool {
        self.missing.is_empty()
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let people = self.people;
        match &self.place {
            Place::Named(person) => return write!(f, "{person} must approve"),
            Place::Anybody(role) => return write!(f, "{people} more with the role {role}"),
            Place::AllOf(group) => write!(f, "{people} more of group {group}")?,
            Place::AnyOf(groups) => match groups.as_slice() {
                [group] => write!(f, "{people} more of group {group}")?,
                groups => write!(f, "{people} more of the groups {}", or(groups))?,
            },
        }
        if self.stand_ins.is_empty() {
            return Ok(());
        }
        write!(f, ", or of {} in their place", or(&self.stand_ins))
    }
}

fn or(groups: &[Name]) -> String {
    let names: Vec<_> = groups.iter().map(Name::as_str).collect();
    names.join(" or ")
}

impl Asked<'_> {
    /// The kinds of places, and how many of each.
    fn places(&self) -> Vec<(Place, usize)> {
        let requirement = self.requirement;
        let mut places: Vec<(Place, usize)> = Vec::new();
        places.extend(requirement.named.iter().map(|p| (Place::Named(p.clone()), 1)));
        places.extend(requirement.all_of.iter().map(|g| (Place::AllOf(g.clone()), 1)));
        let rest = if requirement.any_of.is_empty() {
            Place::Anybody(requirement.role)
        } else {
            Place::AnyOf(requirement.any_of.clone())
        };
        places.push((rest, requirement.rest()));
        places.retain(|(_, people)| *people > 0);
        places
    }

    /// Whether somebody may fill a place, whichever way they signed in.
    fn takes(&self, place: &Place, who: &Entitled) -> bool {
        let of = |group: &Name| who.groups.contains(group);
        let stands_in = || self.stand_ins.iter().any(of);
        who.roles.contains(&self.requirement.role)
            && match place {
                Place::Named(person) => *person == who.person,
                Place::AllOf(group) => of(group) || stands_in(),
                Place::AnyOf(groups) => groups.iter().any(of) || stands_in(),
                Place::Anybody(_) => true,
            }
    }

    /// Whether somebody may fill any of its places, whichever way they signed in.
    #[must_use]
    pub fn wants(&self, who: &Entitled) -> bool {
        self.places().iter().any(|(place, _)| self.takes(place, who))
    }

    fn takes_yes(&self, place: &Place, yes: &Yes) -> bool {
        self.takes(place, &yes.of) && self.requirement.sign_in.check(&yes.signed_in, yes.at).is_ok()
    }
}

/// Judges what people said, in the order in which they said it. One more yes never takes anything away.
#[must_use]
pub fn judge(asked: &[Asked<'_>], yes: &[Yes]) -> Quorum {
    let mut seen = BTreeSet::new();
    let mut quorum = Quorum::default();
    // Whoever said it and whoever it was said for both count once, whatever else they or somebody for them says.
    let counted: Vec<&Yes> = yes
        .iter()
        .filter(|yes| {
            let new = !seen.contains(&yes.by) && !seen.contains(&yes.of.id);
            if new {
                seen.extend([yes.by, yes.of.id]);
            }
            new
        })
        .collect();
    let kinds: Vec<(usize, &Asked<'_>, Place, usize)> = asked
        .iter()
        .enumerate()
        .flat_map(|(i, one)| {
            let places = one.places().into_iter();
            places.map(move |(place, people)| (i, one, place, people))
        })
        .collect();
    // More places of a kind than there are people cannot be filled.
    let places: Vec<usize> = kinds
        .iter()
        .enumerate()
        .flat_map(|(kind, (.., people))| std::iter::repeat_n(kind, (*people).min(counted.len())))
        .collect();
    let edges: Vec<Vec<usize>> = counted
        .iter()
        .map(|yes| {
            let fits: Vec<bool> = kinds
                .iter()
                .map(|(_, one, place, _)| one.takes_yes(place, yes))
                .collect();
            let fits = |kind: &usize| fits.get(*kind).copied().unwrap_or(false);
            let all = places.iter().enumerate();
            all.filter(|(_, kind)| fits(kind)).map(|(i, _)| i).collect()
        })
        .collect();
    let taken = matching(&edges, places.len());
    let mut open: Vec<usize> = kinds.iter().map(|(.., people)| *people).collect();
    let mut used = BTreeSet::new();
    for (kind, by) in places.iter().zip(&taken) {
        let filled = by.and_then(|by| Some((by, counted.get(by)?, kinds.get(*kind)?, open.get_mut(*kind)?)));
        if let Some((by, yes, (requirement, _, place, _), open)) = filled {
            *open -= 1;
            used.insert(by);
            quorum.filled.push(Filled {
                requirement: *requirement,
                place: place.clone(),
                by: yes.by,
                of: yes.of.id,
            });
        }
    }
    for ((requirement, one, place, _), people) in kinds.into_iter().zip(open) {
        if people > 0 {
            quorum.missing.push(Missing {
                requirement,
                place,
                people,
                stand_ins: one.stand_ins.to_vec(),
            });
        }
    }
    let spare = counted.iter().enumerate().filter(|(i, _)| !used.contains(i));
    quorum.spare = spare.map(|(_, yes)| yes.by).collect();
    quorum
}

/// Which of the left each of the right is matched with, as many as can be: `edges` are of each of the left.
fn matching(edges: &[Vec<usize>], right: usize) -> Vec<Option<usize>> {
    let mut taken: Vec<Option<usize>> = vec![None; right];
    for left in 0..edges.len() {
        let mut tried = vec![false; right];
        augment(left, edges, &mut taken, &mut tried);
    }
    taken
}

/// Finds a place for one more, if those who have one can move so that there is.
fn augment(left: usize, edges: &[Vec<usize>], taken: &mut [Option<usize>], tried: &mut [bool]) -> bool {
    for &place in edges.get(left).map_or(&[][..], Vec::as_slice) {
        match tried.get_mut(place) {
            Some(tried) if !*tried => *tried = true,
            _ => continue,
        }
        let free = match taken.get(place).copied().flatten() {
            None => true,
            Some(other) => augment(other, edges, taken, tried),
        };
        if free && let Some(place) = taken.get_mut(place) {
            *place = Some(left);
            return true;
        }
    }
    false
}

#[cfg(test)]
pub(super) mod tests;
