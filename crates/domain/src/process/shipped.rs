//! The process that holds where nobody wrote one.

use super::{Document, Place, Stage};

/// The process that holds for services of which neither they nor their teams have one of their own: any environment, in the
/// order in which environments promote from one another, nothing asked for beside what environments and policies want.
///
/// It is the first version of `default` in every database: what it says never changes. What an organisation wants beyond
/// that, its policies say, or a version or process of its own.
#[must_use]
pub fn default_document() -> Document {
    // "anywhere" is a name; a test says so.
    let stage = "anywhere".parse().ok().map(|name| Stage::new(name, Place::Any));
    Document {
        description: "Holds where neither the service nor its team has a process of its own: any environment, in the order in \
                      which environments promote from one another, and nothing but what they and policies ask for."
            .to_owned(),
        stages: stage.into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Digest, process::Where, registry::Tier};

    #[test]
    fn it_is_the_one_that_every_database_begins_with() {
        let migration = include_str!("../../../../migrations/0012_processes.sql");
        let document = serde_json::to_string(&default_document()).unwrap();
        assert!(migration.contains(&document.replace('\'', "''")), "{document}");
        let digest = Digest::of_canonical(&default_document()).unwrap().to_string();
        assert!(migration.contains(&digest), "{digest}");
    }

    #[test]
    fn any_environment_is_its_one_stage() {
        assert!(default_document().faults().is_empty());
        let there = Where {
            name: "somewhere".parse().unwrap(),
            tier: Tier::Production,
        };
        let document = default_document();
        let (index, stage) = document.stage_of(&there).unwrap();
        assert_eq!((index, stage.name.as_str()), (0, "anywhere"));
        assert_eq!(document.before(0, &[there]), None);
    }
}
