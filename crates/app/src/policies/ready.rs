//! The policies in force, ready to be judged.
//!
//! Which versions are in force is read in the transaction that judges; what a version says never changes, so that it is
//! parsed once in the life of a process.

use crate::{Error, Tx};
use slipway_domain::policy::Policy;
use slipway_store::policies::{self, InForce};
use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
};

/// How many versions are kept ready: twice what an organisation may have in force, so that old ones make room.
const MOST: usize = 4_000;

static READY: LazyLock<Mutex<HashMap<InForce, Arc<Policy>>>> = LazyLock::new(Mutex::default);
/// Those that were in force when somebody asked last: mostly they are still.
static LAST: LazyLock<Mutex<(Vec<InForce>, Together)>> =
    LazyLock::new(|| Mutex::new((Vec::new(), [].into())));

/// Policies that are in force together.
pub(crate) type Together = Arc<[Arc<Policy>]>;

/// Every policy in force in this transaction, by name.
///
/// # Errors
/// When one cannot be made ready: what cannot be judged must not be passed over.
pub(crate) async fn in_force(tx: &mut Tx) -> Result<Together, Error> {
    let wanted = policies::in_force(tx).await?;
    {
        let last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
        if last.0 == wanted {
            return Ok(Arc::clone(&last.1));
        }
    }
    let together = found(tx, &wanted).await?;
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    *last = (wanted, Arc::clone(&together));
    Ok(together)
}

async fn found(tx: &mut Tx, wanted: &[InForce]) -> Result<Together, Error> {
    let missing: Vec<_> = {
        let ready = lock();
        wanted
            .iter()
            .copied()
            .filter(|which| !ready.contains_key(which))
            .collect()
    };
    if !missing.is_empty() {
        let documents = policies::documents(tx, &missing).await?;
        let mut made = Vec::with_capacity(documents.len());
        for (which, name, document) in documents {
            let policy = Policy::new(name.clone(), which.version, document).map_err(|faults| {
                Error::internal(format!(
                    "version {} of policy {name} is in force and cannot be judged: {faults}",
                    which.version
                ))
            })?;
            made.push((which, Arc::new(policy)));
        }
        let mut ready = lock();
        if ready.len() + made.len() > MOST {
            ready.retain(|which, _| wanted.contains(which));
        }
        ready.extend(made);
    }
    let ready = lock();
    wanted
        .iter()
        .map(|which| {
            ready.get(which).cloned().ok_or_else(|| {
                Error::internal(format!("version {} of a policy in force is gone", which.version))
            })
        })
        .collect()
}

fn lock() -> MutexGuard<'static, HashMap<InForce, Arc<Policy>>> {
    READY.lock().unwrap_or_else(PoisonError::into_inner)
}
