//! Another key signs from now on.

use super::keys::{self, PublicKey};
use crate::{App, Error, Tx, input, record};
use serde_json::json;
use slipway_domain::{
    Faults,
    identity::{Actor, Permission, Place},
};
use slipway_store::signing_keys;

/// Makes a new key that signs from the end of this transaction on. The one before is retired: what it signed is still
/// verified with it, and it signs nothing any more, on no server, because what it signed with is erased. It need not be readable:
/// this is also the way on when the secret key that it was encrypted with is lost.
///
/// # Errors
/// A fault of the reason; without the permission `identity.manage` on everything.
pub async fn rotate(app: &App, tx: &mut Tx, actor: &Actor, reason: Option<&str>) -> Result<PublicKey, Error> {
    actor.require(Permission::IdentityManage, &Place::everywhere())?;
    let reason = reason.unwrap_or_default().trim();
    let mut faults = Faults::new();
    if reason.is_empty() {
        faults.add(
            "/reason",
            "say why: those who verify with the old key want to know",
        );
    }
    input::lines(&mut faults, "/reason", reason, input::LONG);
    faults.check()?;
    let old = signing_keys::to_retire(tx).await?;
    if let Some(old) = &old {
        signing_keys::retire(tx, old.id).await?;
    }
    keys::make(app, tx).await?;
    let known = keys::known(tx).await?;
    let retired = old.and_then(|old| known.iter().find(|key| key.id == old.id));
    let new = known.iter().find(|key| key.retired_at.is_none());
    let new = new.ok_or_else(|| Error::internal("no signing key is there after one was made"))?;
    let message = format!("the record is signed with another key from now on: {reason}");
    let change = record::Change::new("signing_key.rotate", new.id.to_string(), message).with(json!({
        "key": new.key.to_string(),
        "retired": retired.map(|key| json!({"id": key.id.to_string(), "key": key.key.to_string()})),
        "reason": reason,
    }));
    record::change(tx, actor, change).await?;
    Ok(new.clone())
}
