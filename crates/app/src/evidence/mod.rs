//! Evidence: stated about a component version or a release, bound to its digest, and taken back with a reason.
//!
//! Seen by whoever may see what it is about. Stated by engineers of that team and by machines with their role: what they
//! state is read, verified and kept as it came. Keys and schemas decide what counts as evidence, and are registered by
//! authorities. What a statement does to deployments is for gates to say: here they are only told to look.

mod keys;
mod list;
mod schemas;
mod state;
mod stated;
mod subject;
mod told;
mod withdraw;

pub use keys::{KeyView, get_key, list_keys, register_key, revoke_key};
pub use list::{Filter, document, get, list};
pub use schemas::{SchemaView, get_schema, list_schemas, register_schema};
pub use state::{State, state};
pub(crate) use stated::{Stated, stated};
pub use subject::About;
pub use withdraw::withdraw;

use crate::{Error, Tx};
use slipway_domain::{evidence::Statement, ids::PrincipalId};
use slipway_store::principals;
use std::collections::BTreeMap;

/// A statement, as shown.
#[derive(Debug, Clone)]
pub struct EvidenceView {
    /// The statement.
    pub statement: Statement,
    /// What it is about, as people call it: `web@1.2.0`.
    pub about: String,
    /// Who the ids in it are.
    pub people: BTreeMap<PrincipalId, String>,
}

impl EvidenceView {
    /// What somebody is called.
    #[must_use]
    pub fn name(&self, id: PrincipalId) -> String {
        self.people.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }

    /// `counts`, `withdrawn` or `superseded`.
    #[must_use]
    pub const fn standing(&self) -> &'static str {
        match (&self.statement.superseded_by, &self.statement.withdrawn) {
            (Some(_), _) => "superseded",
            (None, Some(_)) => "withdrawn",
            (None, None) => "counts",
        }
    }
}

async fn views(tx: &mut Tx, about: &str, all: Vec<Statement>) -> Result<Vec<EvidenceView>, Error> {
    let mut ids: Vec<PrincipalId> = all.iter().map(|one| one.stated_by).collect();
    ids.extend(
        all.iter()
            .filter_map(|one| one.withdrawn.as_ref())
            .map(|one| one.by),
    );
    ids.sort();
    ids.dedup();
    let people = principals::names(tx, &ids).await?;
    let view = |statement| EvidenceView {
        statement,
        about: about.to_owned(),
        people: people.clone(),
    };
    Ok(all.into_iter().map(view).collect())
}

async fn view(tx: &mut Tx, about: &str, statement: Statement) -> Result<EvidenceView, Error> {
    let one = views(tx, about, vec![statement]).await?.pop();
    one.ok_or_else(|| Error::internal("one statement has one view"))
}
