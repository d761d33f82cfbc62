//! Principals: registered at first sight, or when a role is granted to them before.

use crate::{Error, Tx, record};
use serde_json::json;
use slipway_domain::identity::{Principal, PrincipalKind};
use slipway_store::principals;

/// The principal that an issuer calls so; registered, without any rights, if it is new.
pub(crate) async fn ensure(
    tx: &mut Tx,
    issuer: &str,
    subject: &str,
    kind: PrincipalKind,
    name: &str,
) -> Result<Principal, Error> {
    let (principal, is_new) = principals::ensure(tx, issuer, subject, kind, name).await?;
    if is_new {
        let change = record::Change::new("principal.register", subject, format!("registered {subject}"))
            .with(described(&principal));
        record::by_system(tx, change).await?;
    }
    Ok(principal)
}

/// Writes down what the issuer says of a principal now.
pub(crate) async fn update(tx: &mut Tx, principal: &Principal) -> Result<(), Error> {
    principals::update(tx, principal.id, principal.kind, &principal.name).await?;
    let message = format!("the issuer of {} says something else of it", principal.subject);
    let change = record::Change::new("principal.update", principal.subject.as_str(), message)
        .with(described(principal));
    record::by_system(tx, change).await
}

fn described(principal: &Principal) -> serde_json::Value {
    json!({
        "principal": principal.id,
        "issuer": principal.issuer,
        "kind": principals::kind_as_str(principal.kind),
        "name": principal.name,
    })
}
