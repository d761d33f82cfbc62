//! 4: every change is recorded once. The chain, and deployments' and approvals' histories, are read by the application;
//! what has a name that a query can join by is judged here.

use super::{Check, Grace, Of};
use slipway_domain::doctor::Invariant::Recorded;

const UNTOLD: &str = "the row was changed without Slipway, or the record was: compare with a backup and with the database's own \
     log, find out who did it, and treat what rests on it as unproven";

pub(super) const CHECKS: &[Check] = &[
    Check {
        invariant: Recorded,
        name: "entry_unchained",
        found: "it waits to be chained for too long",
        remedy: "start a server with the role `scheduler`: it chains entries five times a second; its log says why it cannot",
        of: Of::AuditEntry,
        grace: Some(Grace::Chain),
        sql: "SELECT id, action || ' of ' || subject || ', written ' || at AS detail FROM audit_entries \
              WHERE seq IS NULL AND at < clock_timestamp() - make_interval(secs => $1)",
    },
    Check {
        invariant: Recorded,
        name: "release_untold",
        found: "the record does not tell how it came to its state or digest",
        remedy: UNTOLD,
        of: Of::Release,
        grace: None,
        sql: "SELECT r.id, r.state || COALESCE(' as ' || r.digest, '') || '; recorded: composed ' || COALESCE(e.composed, 0) || ', sealed ' \
                  || COALESCE(e.sealed, 0) || COALESCE(' as ' || e.digest, '') || ', withdrawn ' || COALESCE(e.withdrawn, 0) AS detail \
              FROM releases r JOIN services s ON s.id = r.service_id LEFT JOIN (SELECT subject, \
                  count(*) FILTER (WHERE action = 'release.compose') AS composed, \
                  count(*) FILTER (WHERE action = 'release.seal') AS sealed, \
                  min(data->'data'->>'digest') FILTER (WHERE action = 'release.seal') AS digest, \
                  count(*) FILTER (WHERE action = 'release.withdraw') AS withdrawn FROM audit_entries \
                  WHERE action IN ('release.compose', 'release.seal', 'release.withdraw') GROUP BY subject) e \
              ON e.subject = s.name || '@' || r.version \
              WHERE COALESCE(e.composed, 0) <> 1 OR COALESCE(e.sealed, 0) <> (r.digest IS NOT NULL)::int \
              OR COALESCE(e.withdrawn, 0) <> (r.state = 'withdrawn')::int OR e.digest IS DISTINCT FROM r.digest",
    },
    Check {
        invariant: Recorded,
        name: "component_version_untold",
        found: "the record does not tell how it came to its state",
        remedy: UNTOLD,
        of: Of::ComponentVersion,
        grace: None,
        sql: "SELECT v.id, v.state || '; recorded: registered ' || COALESCE(e.made, 0) || ', deprecated ' || COALESCE(e.deprecated, 0) \
                  || ', recalled ' || COALESCE(e.recalled, 0) AS detail \
              FROM component_versions v JOIN components c ON c.id = v.component_id LEFT JOIN (SELECT subject, \
                  count(*) FILTER (WHERE action = 'component_version.create') AS made, \
                  count(*) FILTER (WHERE action = 'component_version.deprecate') AS deprecated, \
                  count(*) FILTER (WHERE action = 'component_version.recall') AS recalled FROM audit_entries \
                  WHERE action LIKE 'component\\_version.%' GROUP BY subject) e ON e.subject = c.name || '@' || v.version \
              WHERE COALESCE(e.made, 0) <> 1 OR COALESCE(e.recalled, 0) <> (v.state = 'recalled')::int \
              OR (v.state = 'deprecated' AND COALESCE(e.deprecated, 0) <> 1) OR (v.state = 'available' AND COALESCE(e.deprecated, 0) <> 0)",
    },
    Check {
        invariant: Recorded,
        name: "recorded_release_is_gone",
        found: "the record tells of a release that is not there",
        remedy: "releases are never deleted by Slipway: restore it from a backup",
        of: Of::AuditEntry,
        grace: None,
        sql: "SELECT e.id, e.subject AS detail FROM audit_entries e WHERE e.action = 'release.compose' AND NOT EXISTS (\
              SELECT 1 FROM releases r JOIN services s ON s.id = r.service_id WHERE s.name || '@' || r.version = e.subject)",
    },
];
