//! Every text that people or machines may be shown, a row at a time: to look for what must not be in it. The record is
//! left out: it is read entry by entry with the chain.

use crate::{Error, Tx};
use futures::TryStreamExt as _;

/// A table, and which of its texts are shown to somebody.
#[derive(Debug, Clone, Copy)]
pub struct Texts {
    /// What a row is called.
    pub what: &'static str,
    sql: &'static str,
}

/// Where texts are. What holds secrets by its nature is left out: bundles and renderings (what is applied), and the
/// encrypted credentials of clusters.
pub const TEXTS: &[Texts] = &[
    Texts {
        what: "event",
        sql: "SELECT id::text, concat_ws(E'\\n', kind, message, actor, subject, cluster, data::text) FROM events",
    },
    Texts {
        what: "kept answer",
        sql: "SELECT operation || ' ' || key, concat_ws(E'\\n', operation, headers::text, encode(body, 'escape')) FROM idempotency_keys",
    },
    Texts {
        what: "deployment",
        sql: "SELECT id::text, concat_ws(E'\\n', request_reason, reason, gates::text, settings::text, traceparent) FROM deployments",
    },
    Texts {
        what: "deployment target",
        sql: "SELECT id::text, concat_ws(E'\\n', readiness, reason) FROM deployment_targets",
    },
    Texts {
        what: "step of deployment target",
        sql: "SELECT deployment_target_id || ' ' || key, output::text FROM target_steps",
    },
    Texts {
        what: "work",
        sql: "SELECT id::text, concat_ws(E'\\n', holder, last_error) FROM work",
    },
    Texts {
        what: "approval",
        sql: "SELECT id::text, involved::text FROM approvals",
    },
    Texts {
        what: "decision",
        sql: "SELECT id::text, comment FROM decisions WHERE comment IS NOT NULL",
    },
    Texts {
        what: "release",
        sql: "SELECT id::text, concat_ws(E'\\n', version, notes, config::text, withdrawn_reason) FROM releases",
    },
    Texts {
        what: "component version",
        sql: "SELECT id::text, concat_ws(E'\\n', version, source::text, requires::text, images::text, objects::text, warnings::text, state_reason) \
              FROM component_versions",
    },
    Texts {
        what: "component",
        sql: "SELECT id::text, concat_ws(E'\\n', name, description) FROM components",
    },
    Texts {
        what: "service",
        sql: "SELECT id::text, concat_ws(E'\\n', name, description) FROM services",
    },
    Texts {
        what: "environment",
        sql: "SELECT id::text, concat_ws(E'\\n', name, settings::text) FROM environments",
    },
    Texts {
        what: "cluster",
        sql: "SELECT id::text, concat_ws(E'\\n', name, server, certificate_authority, tls_server_name, credential_key, labels::text, \
              grants::text, encode(credential, 'escape')) FROM clusters",
    },
    Texts {
        what: "target",
        sql: "SELECT id::text, concat_ws(E'\\n', namespace, labels::text, inventory::text) FROM targets",
    },
    Texts {
        what: "drift",
        sql: "SELECT id::text, concat_ws(E'\\n', object::text, fields::text, problem, manager, operation, left_alone) FROM drifts",
    },
    Texts {
        what: "API token",
        sql: "SELECT id::text, name FROM api_tokens",
    },
    Texts {
        what: "principal",
        sql: "SELECT id::text, concat_ws(E'\\n', issuer, subject, name) FROM principals",
    },
];

impl Texts {
    /// Gives every row's id and text.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn each(&self, tx: &mut Tx, mut f: impl FnMut(&str, &str)) -> Result<(), Error> {
        let mut rows = sqlx::query_as::<_, (String, Option<String>)>(self.sql).fetch(tx.conn());
        while let Some((id, text)) = rows.try_next().await? {
            f(&id, text.as_deref().unwrap_or_default());
        }
        Ok(())
    }
}
