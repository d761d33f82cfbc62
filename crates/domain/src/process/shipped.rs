//! The process that holds where nobody wrote one.

use super::{Document, Place, Stage};
use crate::{Name, registry::Tier};

/// The process that holds for services of which neither they nor their teams have one of their own: the tiers in their order,
/// nothing asked for on the way. What an organisation wants beyond that, its policies say, or a process of its own.
#[must_use]
pub fn default_document() -> Document {
    let tiers = [Tier::Development, Tier::Test, Tier::Staging, Tier::Production];
    // Every tier's name is a name; a test says so.
    let stage = |tier: Tier| Some(Stage::new(tier.as_str().parse::<Name>().ok()?, Place::Tier(tier)));
    Document {
        description: "Holds where neither the service nor its team has a process of its own: from tier to tier, each when \
                      somebody asks, with nothing but what environments and policies want."
            .to_owned(),
        stages: tiers.into_iter().filter_map(stage).collect(),
    }
}
