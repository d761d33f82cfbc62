//! With which keys what is stored was encrypted.

use crate::{Error, Tx};

/// The names of the keys that something is encrypted with, and how much: credentials of clusters, and the key that signs.
///
/// # Errors
/// When the database refuses.
pub async fn in_use(tx: &mut Tx) -> Result<Vec<(String, i64)>, Error> {
    Ok(sqlx::query_as(
        "SELECT key, count(*) FROM (SELECT credential_key AS key FROM clusters \
         UNION ALL SELECT sealed_with FROM signing_keys WHERE retired_at IS NULL) AS sealed GROUP BY key ORDER BY key",
    )
    .fetch_all(tx.conn())
    .await?)
}
