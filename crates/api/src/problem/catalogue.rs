//! Every kind of problem there is: the one table behind the responses, `GET /problems/{slug}`, `OpenAPI` and
//! `docs/problems.md`.
//!
//! To extend: one more entry here (a slug never changes its meaning), then `UPDATE_DOCS=1 cargo test -p slipway-api`.
//! A use-case names its kind by slug: the `code` of `Error::Conflict` and `Error::Refused`.

use axum::http::StatusCode;
use std::fmt::Write as _;

/// One kind of problem.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// Its stable name; `/problems/<slug>` is the `type`.
    pub slug: &'static str,
    /// The HTTP status that it comes with.
    pub status: u16,
    /// It in a few words.
    pub title: &'static str,
    /// What it means and what to do about it.
    pub text: &'static str,
}

impl Kind {
    /// The `type` of its documents.
    #[must_use]
    pub fn path(&self) -> String {
        format!("/problems/{}", self.slug)
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

macro_rules! kinds {
    ($($name:ident = $slug:literal, $status:literal, $title:literal, $text:literal;)*) => {
        $(#[doc = concat!("`", $slug, "`: ", $title, ".")]
        pub static $name: Kind = Kind { slug: $slug, status: $status, title: $title, text: $text };)*

        /// Every kind, by status.
        pub static ALL: &[&Kind] = &[$(&$name),*];
    };
}

kinds! {
    MALFORMED = "malformed", 400, "The request cannot be read",
        "The body is no JSON, or a header, cursor or query parameter is malformed. `detail` says where; `errors` lists every query parameter that is wrong.";
    UNAUTHENTICATED = "unauthenticated", 401, "Who sent this is not known",
        "Send `Authorization: Bearer <token>` with a token of a configured issuer or an API token that is neither expired nor revoked. For safety the answer does not say which check failed; the server's log does, under the request's id.";
    SIGN_IN_AGAIN = "sign-in-again", 401, "You must sign in again",
        "What you decide on asks for a sign-in that is more recent, or by other means, than yours. `detail` says which; `WWW-Authenticate` says it to your client (RFC 9470), as `max_age` and `amr`.";
    FORBIDDEN = "forbidden", 403, "A permission is missing",
        "You are known but may not do this here. `detail` names the permission, the place and the roles that carry it.";
    REFUSED = "refused", 403, "You may not do this",
        "A rule about people forbids it: for example, machines never approve.";
    SEPARATION_OF_DUTIES = "separation-of-duties", 403, "Somebody else must decide",
        "Nobody may decide on what they authored, edited, sealed or requested, and nobody puts themselves into a group or takes themselves out of it. `detail` says which of these it was.";
    NOT_A_PERSON = "not-a-person", 403, "Only people may decide",
        "Approvals, delegations, absences, what is in force of policies and processes, the keys that evidence is verified with, and manual checks take a person who signed in: never a machine or an API token.";
    NO_DELEGATION = "no-delegation", 403, "Nobody delegated that to you",
        "You decide in the place of another only what they delegated to you themselves, for the time and the scope that they said. `detail` says what is missing.";
    NOT_ASKED = "not-asked", 403, "You are not among those who are asked",
        "The approval asks for people by name, of certain groups, or with a role. `detail` says who is missing.";
    SELF_GRANT = "self-grant", 403, "Nobody grants this to themselves",
        "The role `authority` is granted by another admin.";
    NOT_FOUND = "not-found", 404, "There is no such thing",
        "Nothing has this id or name, or you may not see it.";
    METHOD_NOT_ALLOWED = "method-not-allowed", 405, "This method is not for this path",
        "The `Allow` header lists the methods that are.";
    CONFLICT = "conflict", 409, "Its state does not allow this",
        "`detail` says the state and what would be allowed in it.";
    POLICY_STATE = "policy-state", 409, "The policy's state does not allow this",
        "A version is put in force once, and only a policy in force is taken out of it. `detail` says where it stands.";
    POLICY_INVALID = "policy-invalid", 409, "The version cannot be judged any more",
        "This server reads it otherwise than the one it was written with: write it anew.";
    PROCESS_STATE = "process-state", 409, "The process's state does not allow this",
        "A version is put in force once, one process at a time is in force for the same, and what everything else goes by is replaced, never taken away. `detail` says where it stands.";
    NOT_IN_PROCESS = "not-in-process", 409, "The release's process does not go there",
        "A release goes by the version of a process that it pinned when it was sealed, and that has no stage for this environment.";
    EVIDENCE_STATE = "evidence-state", 409, "The evidence does not count any more",
        "A statement is withdrawn once, while it counts; a key is revoked once. State it again to have something count in its place.";
    NO_FACTS = "no-facts", 409, "Its facts were not kept",
        "No policy covered the deployment when it was judged. Try the policy on facts of your own.";
    EXISTS = "exists", 409, "The name is taken",
        "Something else has this name already. Names never change hands; take another.";
    VERSION_EXISTS = "version-exists", 409, "This version exists with other content",
        "A version can never be changed. Registering the same content again answers with what is there; other content needs another version.";
    VERSION_STATE = "state", 409, "The state of the component version does not allow this",
        "A version goes from available to deprecated to recalled, and never back. `detail` says which it is.";
    COMPONENT_RECALLED = "component-recalled", 409, "A component version is recalled",
        "It must not be used any more. Take another version of the component.";
    RELEASE_EXISTS = "release-exists", 409, "This release exists",
        "The service has a release of this version. Versions are used once; take another.";
    RELEASE_STATE = "release-state", 409, "The state of the release does not allow this",
        "A draft can be changed, sealed and withdrawn; a sealed release can be deployed and withdrawn; a withdrawn one stays so. `detail` says the state and what is allowed in it.";
    NOT_PROMOTED = "not-promoted", 409, "The stage before has not succeeded",
        "The environment takes only releases that succeeded in the stage before it, with this digest.";
    NO_TARGETS = "no-targets", 409, "There is nowhere to deploy to",
        "The environment has no cluster that the service could land on.";
    DEPLOYMENT_STATE = "deployment-state", 409, "The state of the deployment does not allow this",
        "`detail` says the state and what is allowed in it.";
    NOTHING_TO_ROLL_BACK = "nothing-to-roll-back", 409, "There is nothing to roll back",
        "The deployment has changed nothing on any target.";
    NEWER_DEPLOYMENT = "newer-deployment", 409, "A newer deployment has been at work",
        "Rolling this one back would undo the newer one's work unseen. Roll back the newer one.";
    NOT_OVERRIDABLE = "not-overridable", 409, "No policy lets this gate go",
        "In an emergency a deployment goes on only without gates that every policy in force there that has a clause `break_glass` names. `detail` says which may go.";
    ALREADY_OVERRIDDEN = "already-overridden", 409, "The gate was overridden before",
        "Who took that on themselves, and why, is in the gate and in the record.";
    REVIEW_CLOSED = "review-closed", 409, "The review is closed",
        "A review is closed once, with what was found.";
    APPROVAL_STATE = "approval-state", 409, "The request for approval is over",
        "A decision is taken only while it is pending.";
    APPROVAL_DIGEST = "approval-digest", 409, "That is not what is to be decided on",
        "A decision counts for one digest only: the one given is not the one to be approved. Look again at what would be deployed, then decide on its digest.";
    ALREADY_DECIDED = "already-decided", 409, "You have decided already",
        "A decision counts once a person, and is not taken back.";
    AUDIT_CHAIN_BROKEN = "audit-chain-broken", 409, "The audit chain is broken",
        "An entry is not what was written, is missing, or does not continue the one before. `detail` says which. Compare with a checkpoint that was kept elsewhere.";
    NOT_SIGNED = "not-signed", 409, "That part of the record is not signed",
        "The head of the record is signed every few seconds while something is recorded. Ask again soon, or for a head that was signed.";
    NOT_IN_THE_RECORD = "not-in-the-record", 409, "The record does not reach as far",
        "The signed head that the proof would lead to has fewer entries. Ask again when it was signed anew, or name a larger one.";
    IN_USE = "in-use", 409, "Something still depends on it",
        "`detail` says what. Take care of that first.";
    SECRET_SHOWN_ONCE = "secret-shown-once", 409, "The secret was shown already",
        "This idempotency key made an API token before. Its secret is stored nowhere and is shown once. Revoke that token and make another under a new key.";
    STALE = "stale", 412, "It was changed in the meantime",
        "`If-Match` does not name the current revision. Read it again, look at what changed, and send the new `ETag`.";
    TOO_LARGE = "too-large", 413, "The body is too large",
        "`detail` names the limit.";
    UNSUPPORTED_MEDIA_TYPE = "unsupported-media-type", 415, "The body is of another type",
        "Bodies are JSON: send `Content-Type: application/json`.";
    VALIDATION = "validation", 422, "The request breaks rules",
        "It is valid JSON but breaks rules. `errors` lists every fault at once, each with a JSON pointer into the body. Unknown fields are faults too.";
    IDEMPOTENCY_KEY_REUSED = "idempotency-key-reused", 422, "The idempotency key was used for another request",
        "The first request under this `Idempotency-Key` had another body. Use a new key for a new request.";
    CLUSTER_KINDS = "cluster-kinds", 422, "The cluster cannot take these objects",
        "It does not serve their kinds, or serves them in another scope than was granted. `errors` has one sentence an object.";
    CLUSTER_UNREACHABLE = "cluster-unreachable", 424, "The cluster cannot be reached",
        "There was no connection: refused, unknown host, no route or timeout. Check the address, and that Slipway may reach it.";
    CLUSTER_UNAUTHORIZED = "cluster-unauthorized", 424, "The cluster does not accept the credential",
        "Its API server answered 401. Give the cluster a new credential with `PATCH /v1/clusters/{cluster}`.";
    CLUSTER_FORBIDDEN = "cluster-forbidden", 424, "The cluster forbids it",
        "Its API server answered 403. `detail` has its own words; grant the credential the right that is missing.";
    CLUSTER_CERTIFICATE = "cluster-certificate", 424, "The certificate of the cluster is not valid",
        "It is expired, not yet valid, of an unknown authority, or for another name. `detail` says which.";
    CLUSTER_MISCONFIGURED = "cluster-misconfigured", 424, "The connection details are unusable",
        "What is stored about the cluster cannot make a connection. `detail` says what is wrong.";
    CLUSTER_BUSY = "cluster-busy", 424, "The cluster asks to wait",
        "Its API server answered 429. `Retry-After` says for how long.";
    CLUSTER_FAULT = "cluster-fault", 424, "The cluster answered with a fault",
        "`detail` has the API server's own words.";
    PRECONDITION_REQUIRED = "precondition-required", 428, "If-Match is missing",
        "To change something, say which revision you have seen: send its `ETag` as `If-Match` (or `*` for whichever).";
    INTERNAL = "internal", 500, "Slipway has a fault",
        "It is not yours. The log has it under the request's id, which is in `instance` and `x-request-id`.";
    UNAVAILABLE = "unavailable", 503, "Slipway cannot do this just now",
        "The database is out of reach, the server has too much to do, or the request took too long. Try again after `Retry-After`; with an `Idempotency-Key` nothing happens twice.";
    NOT_READY = "not-ready", 503, "This server is not ready",
        "`detail` says what it waits for: the database, or its migrations.";
}

/// The kind with this slug.
#[must_use]
pub fn find(slug: &str) -> Option<&'static Kind> {
    ALL.iter().copied().find(|kind| kind.slug == slug)
}

/// What is told of one kind, as Markdown.
#[must_use]
pub fn text(kind: &Kind) -> String {
    format!(
        "# {}\n\n`{}`, with status {}\n\n{}\n",
        kind.title,
        kind.path(),
        kind.status,
        kind.text
    )
}

/// The whole table, as Markdown: `docs/problems.md`.
#[must_use]
pub fn page() -> String {
    let mut page = String::from(
        "# Problems\n\n\
         What the API refuses, or cannot do, it says in a problem document (RFC 9457, `application/problem+json`): \
         `type` names the kind and never changes its meaning, `detail` says what is wrong this time, `instance` is the \
         request's id, and `errors` lists every fault of the input at once. A server shows each kind at its `type`.\n\n\
         This page is written from the table in `crates/api/src/problem/catalogue.rs` and tested against it.\n\n\
         | type | status | title | meaning, and what to do |\n|---|---|---|---|\n",
    );
    for kind in ALL {
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} |",
            kind.path(),
            kind.status,
            kind.title,
            kind.text
        );
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_slug_is_told_apart_and_has_a_status_of_its_class() {
        let slugs: HashSet<_> = ALL.iter().map(|kind| kind.slug).collect();
        assert_eq!(slugs.len(), ALL.len());
        for kind in ALL {
            assert!((400..600).contains(&kind.status), "{}", kind.slug);
            assert!(
                kind.slug.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'),
                "{}",
                kind.slug
            );
        }
    }

    #[test]
    fn the_documentation_says_what_the_table_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/problems.md");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, page()).unwrap();
        }
        let written = std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(
            written,
            page(),
            "run with UPDATE_DOCS=1 to write docs/problems.md"
        );
    }
}
