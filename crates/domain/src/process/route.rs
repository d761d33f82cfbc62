//! Which stage an environment is, and which stages are beside it.

use super::{Document, Place, Stage};
use crate::{Name, registry::Tier};

/// An environment there is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Where {
    /// Its name.
    pub name: Name,
    /// What kind it is.
    pub tier: Tier,
}

/// The stage before or after another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbour<'a> {
    /// The place of the stage in the document, from 0.
    pub index: usize,
    /// The stage.
    pub stage: &'a Stage,
    /// The environments that are this stage. Empty only when it names an environment that there is not: nothing can have
    /// passed it then, and nothing can go there.
    pub environments: Vec<&'a Where>,
}

impl Document {
    /// The stage that an environment is, with its place in the document: the one that names it, else the one of its tier, else
    /// the one that any is. None: no deployment goes there.
    #[must_use]
    pub fn stage_of(&self, environment: &Where) -> Option<(usize, &Stage)> {
        let at = |found: &dyn Fn(&Place) -> bool| {
            let mut stages = self.stages.iter().enumerate();
            stages.find(|(_, stage)| found(&stage.place))
        };
        let named = at(&|place| matches!(place, Place::Environment(name) if *name == environment.name));
        let of_tier = || at(&|place| matches!(place, Place::Tier(tier) if *tier == environment.tier));
        let any = || at(&|place| matches!(place, Place::Any));
        named.or_else(of_tier).or_else(any)
    }

    /// The nearest stage before one that is not passed over, of all environments there are. Stages of tiers and of any are, if
    /// no environment is that stage; stages that name an environment never. None for the first, and if there is no such stage.
    #[must_use]
    pub fn before<'a>(&'a self, stage: usize, all: &'a [Where]) -> Option<Neighbour<'a>> {
        self.stages.get(stage)?;
        (0..stage).rev().find_map(|index| self.neighbour(index, all))
    }

    /// The nearest stage after one, as [`Self::before`]. None for the last, and if there is no such stage.
    #[must_use]
    pub fn after<'a>(&'a self, stage: usize, all: &'a [Where]) -> Option<Neighbour<'a>> {
        self.stages.get(stage)?;
        (stage + 1..self.stages.len()).find_map(|index| self.neighbour(index, all))
    }

    /// A stage as another's neighbour; none if it is passed over.
    fn neighbour<'a>(&'a self, index: usize, all: &'a [Where]) -> Option<Neighbour<'a>> {
        let stage = self.stages.get(index)?;
        let is_it = |environment: &&Where| self.stage_of(environment).is_some_and(|(i, _)| i == index);
        let environments: Vec<_> = all.iter().filter(is_it).collect();
        let passed_over = !matches!(stage.place, Place::Environment(_)) && environments.is_empty();
        (!passed_over).then_some(Neighbour {
            index,
            stage,
            environments,
        })
    }
}
