//! The chain as a file: what is under the newest signed head, page by page.

use super::{keys, prove};
use crate::{App, Error, Tx};
use slipway_domain::{
    audit::{SignedCheckpoint, export as format},
    identity::{Actor, Permission, Place},
};
use slipway_store::audit::{self, Filter};

/// Entries of a page.
const PAGE: i64 = 500;

/// An export that is being written. What is chained never changes: each page is read by itself.
pub struct Export {
    app: App,
    checkpoint: SignedCheckpoint,
    /// What was written last; none before the first line.
    at: Option<i64>,
    last: i64,
    ended: bool,
}

/// Begins an export.
///
/// # Errors
/// Without the permission `audit.read` on everything; while nothing is signed.
pub async fn export(app: &App, tx: &mut Tx, actor: &Actor) -> Result<Export, Error> {
    actor.require(Permission::AuditRead, &Place::everywhere())?;
    let signed = prove::signed(tx, None).await?;
    Ok(Export {
        app: app.clone(),
        checkpoint: signed.note.parse().map_err(Error::internal)?,
        at: None,
        last: i64::try_from(signed.size).map_err(Error::internal)?,
        ended: false,
    })
}

impl Export {
    /// The next lines; none at the end.
    ///
    /// # Errors
    /// When the database is unavailable, or an entry is missing.
    pub async fn lines(&mut self) -> Result<Option<Vec<u8>>, Error> {
        if self.ended {
            return Ok(None);
        }
        let mut tx = self.app.read().await?;
        let mut lines = Vec::new();
        let at = if let Some(at) = self.at {
            at
        } else {
            let header = format::header(&keys::origin(&mut tx).await?, None)?;
            lines.extend_from_slice(header.as_bytes());
            lines.push(b'\n');
            0
        };
        let page = audit::after(&mut tx, at, &Filter::default(), PAGE.min(self.last - at)).await?;
        for (entry, digest) in &page {
            lines.extend(format::line(entry, *digest)?);
            lines.push(b'\n');
        }
        let at = page.last().map_or(at, |(entry, _)| entry.seq);
        if page.is_empty() && at < self.last {
            return Err(Error::internal(format!("audit entry {} is missing", at + 1)));
        }
        self.at = Some(at);
        if at >= self.last {
            lines.extend_from_slice(format::footer(&self.checkpoint)?.as_bytes());
            lines.push(b'\n');
            self.ended = true;
        }
        Ok(Some(lines))
    }
}
