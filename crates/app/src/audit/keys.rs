//! The key that this installation signs its record with: made by whoever needs it first, kept encrypted, and followed by
//! another one when somebody asks for that (`rotate`).

use crate::{App, Error, Tx, secrets};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretSlice};
use slipway_domain::{
    identity::{Actor, Permission, Place},
    ids::SigningKeyId,
    signing::{KeyName, SigningKey, VerifyingKey},
};
use slipway_store::{
    audit_tree,
    signing_keys::{self, Kept},
};

/// A key that something of the record was signed with.
#[derive(Debug, Clone)]
pub struct PublicKey {
    /// Its id.
    pub id: SigningKeyId,
    /// What it verifies with.
    pub key: VerifyingKey,
    /// Since when there is one.
    pub created_at: Timestamp,
    /// Since when it signs nothing any more.
    pub retired_at: Option<Timestamp>,
}

/// Bound to the row, and to what it is for.
fn place(id: SigningKeyId) -> Vec<u8> {
    [b"signing key ".as_slice(), id.uuid().as_bytes()].concat()
}

/// The key that signs, until the transaction ends; made if there is none yet.
pub(crate) async fn signing(app: &App, tx: &mut Tx) -> Result<SigningKey, Error> {
    if signing_keys::to_sign_with(tx).await?.is_none() {
        // Another server may make one at the same moment: one of them is kept.
        make(app, tx).await?;
    }
    let kept = signing_keys::to_sign_with(tx)
        .await?
        .ok_or_else(|| Error::internal("no signing key is there after one was made"))?;
    open(app, &kept)
}

/// The key that signs, until the transaction ends, where none may be made.
pub(crate) async fn existing(app: &App, tx: &mut Tx) -> Result<SigningKey, Error> {
    let kept = signing_keys::to_sign_with(tx).await?.ok_or_else(|| {
        let detail = "this installation has signed nothing yet; that takes a few seconds";
        Error::conflict("not-signed", detail)
    })?;
    open(app, &kept)
}

/// Makes a key to sign with, unless there is one.
pub(super) async fn make(app: &App, tx: &mut Tx) -> Result<(), Error> {
    let id = signing_keys::fresh();
    let name = origin(tx).await?;
    let private = SigningKey::generate().map_err(Error::internal)?;
    let public = SigningKey::from_pkcs8(name.clone(), &private).map_err(Error::internal)?;
    let sealed = secrets::seal(app.config(), &place(id), private.expose_secret()).map_err(Error::internal)?;
    let kept = Kept {
        id,
        name: name.to_string(),
        public_key: public.verifying_key().to_pem(),
        sealed: sealed.0,
        sealed_with: sealed.1,
        created_at: tx.now,
        retired_at: None,
    };
    signing_keys::insert(tx, &kept).await?;
    Ok(())
}

fn open(app: &App, kept: &Kept) -> Result<SigningKey, Error> {
    let unusable = |why: String| {
        Error::internal(format!(
            "the signing key {} cannot be used: {why}; configure the secret key that it was encrypted with",
            kept.id
        ))
    };
    let private = secrets::open(app.config(), &place(kept.id), &kept.sealed_with, &kept.sealed)
        .map_err(|error| unusable(error.to_string()))?;
    let private = SecretSlice::from(private.expose_secret().clone());
    let name = kept
        .name
        .parse::<KeyName>()
        .map_err(|error| unusable(error.to_string()))?;
    SigningKey::from_pkcs8(name, &private).map_err(|error| unusable(error.to_string()))
}

/// The name of the log.
pub(super) async fn origin(tx: &mut Tx) -> Result<KeyName, Error> {
    audit_tree::get(tx).await?.origin.parse().map_err(Error::internal)
}

/// The keys that the record is verified with, the newest first.
///
/// # Errors
/// Without the permission `audit.read` on everything.
pub async fn keys(tx: &mut Tx, actor: &Actor) -> Result<Vec<PublicKey>, Error> {
    actor.require(Permission::AuditRead, &Place::everywhere())?;
    known(tx).await
}

pub(crate) async fn known(tx: &mut Tx) -> Result<Vec<PublicKey>, Error> {
    let public = |kept: Kept| {
        let name = kept.name.parse().map_err(Error::internal)?;
        Ok(PublicKey {
            id: kept.id,
            key: VerifyingKey::from_pem(name, &kept.public_key).map_err(Error::internal)?,
            created_at: kept.created_at,
            retired_at: kept.retired_at,
        })
    };
    signing_keys::all(tx).await?.into_iter().map(public).collect()
}
