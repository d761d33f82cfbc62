//! What a path or body names: an id, or a unique name.

use sqlx::{Postgres, postgres::PgArguments, query::Query};
use type_safe_id::{StaticType, TypeSafeId};
use uuid::Uuid;

/// An id or a name, as given by a user. A name never contains `_`, an id always does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ref {
    /// By id.
    Id(Uuid),
    /// By unique name.
    Name(String),
}

impl Ref {
    /// Reads a reference to something whose ids have the tag `T`. An id of another type is a name that nothing has.
    #[must_use]
    pub fn parse<T: StaticType>(text: &str) -> Self {
        text.parse::<TypeSafeId<T>>()
            .map_or_else(|_| Self::Name(text.to_owned()), |id| Self::Id(id.uuid()))
    }

    /// The one query or the other, with the id or the name as its `$1`.
    pub(crate) fn either(
        &self,
        by_id: &'static str,
        by_name: &'static str,
    ) -> Query<'static, Postgres, PgArguments> {
        match self {
            Self::Id(id) => sqlx::query(by_id).bind(*id),
            Self::Name(name) => sqlx::query(by_name).bind(name.clone()),
        }
    }

    /// The id, if it is one.
    #[must_use]
    pub const fn id(&self) -> Option<Uuid> {
        match self {
            Self::Id(id) => Some(*id),
            Self::Name(_) => None,
        }
    }

    /// The name, if it is one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Id(_) => None,
            Self::Name(name) => Some(name),
        }
    }
}
