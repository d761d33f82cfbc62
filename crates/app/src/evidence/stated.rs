//! What was stated about a release and its parts: what gates and policies are judged on.

use crate::{Error, Tx};
use slipway_domain::{
    evidence::Statement,
    gates::evidence::{Of, Subject},
    release::Release,
};
use slipway_store::evidence;

/// What was stated about a release and its parts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stated {
    /// The release and its parts.
    pub(crate) subjects: Vec<Subject>,
    /// The newest about each of them, of each kind and name.
    pub(crate) statements: Vec<Statement>,
}

/// What was stated about a release; none while it has no digest.
pub(crate) async fn stated(tx: &mut Tx, release: &Release) -> Result<Option<Stated>, Error> {
    let Some(seal) = release.state.seal() else {
        return Ok(None);
    };
    let mut subjects = vec![Subject {
        of: Of::Release,
        called: release.display_name(),
        digest: seal.digest,
    }];
    subjects.extend(release.components.iter().map(|part| Subject {
        of: Of::Component,
        called: format!("{}@{}", part.name, part.version),
        digest: part.digest,
    }));
    let digests: Vec<_> = subjects.iter().map(|subject| subject.digest).collect();
    let statements = evidence::newest(tx, &digests).await?;
    Ok(Some(Stated { subjects, statements }))
}
