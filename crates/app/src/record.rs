//! Recording: one audit entry a change, in its own transaction, and the event that tells watchers.

use crate::{Error, Tx};
use serde_json::Value;
use slipway_domain::{
    deployment::Deployment,
    identity::Actor,
    ids::{DeploymentId, EnvironmentId, ServiceId, TeamId},
};
use slipway_store::{audit, events};

/// Who the record says it was: a principal's name, or `slipway` for timers and automation.
pub const SYSTEM: &str = "slipway";
/// Who vouches for Slipway itself: nobody that a token could name.
pub(crate) const ISSUER: &str = "slipway:itself";

/// Something that changed.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// What was done, as `release.seal`.
    pub action: &'static str,
    /// To what, as people call it.
    pub subject: String,
    /// In a sentence, for people.
    pub message: String,
    /// What there is to know of it; free of secrets.
    pub data: Value,
    /// The team whose it is.
    pub team: Option<TeamId>,
    /// The service it concerns.
    pub service: Option<ServiceId>,
    /// The environment it concerns.
    pub environment: Option<EnvironmentId>,
    /// The deployment it belongs to.
    pub deployment: Option<DeploymentId>,
    /// The cluster it happened on.
    pub cluster: Option<String>,
}

impl Change {
    /// A change of something outside deployments.
    pub fn new(action: &'static str, subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            action,
            subject: subject.into(),
            message: message.into(),
            ..Self::default()
        }
    }

    /// A change of a deployment.
    pub fn of(deployment: &Deployment, action: &'static str, message: impl Into<String>) -> Self {
        Self {
            action,
            subject: deployment.id.to_string(),
            message: message.into(),
            team: Some(deployment.team),
            service: Some(deployment.service),
            environment: Some(deployment.environment),
            deployment: Some(deployment.id),
            ..Self::default()
        }
    }

    /// With data.
    #[must_use]
    pub fn with(mut self, data: Value) -> Self {
        self.data = data;
        self
    }

    /// Of a team's.
    #[must_use]
    pub fn team(mut self, team: TeamId) -> Self {
        self.team = Some(team);
        self
    }

    /// About a service.
    #[must_use]
    pub fn service(mut self, service: ServiceId) -> Self {
        self.service = Some(service);
        self
    }

    /// In an environment.
    #[must_use]
    pub fn environment(mut self, environment: EnvironmentId) -> Self {
        self.environment = Some(environment);
        self
    }

    fn event(&self, actor: &str) -> events::NewEvent {
        events::NewEvent {
            kind: self.action.to_owned(),
            message: self.message.clone(),
            actor: actor.to_owned(),
            subject: self.subject.clone(),
            team: self.team,
            service: self.service,
            environment: self.environment,
            deployment: self.deployment,
            cluster: self.cluster.clone(),
            data: self.data.clone(),
        }
    }
}

/// How the record names an actor: unique, and readable. Somebody whose issuer calls them as Slipway calls itself is told apart.
#[must_use]
pub fn actor_name(actor: &Actor) -> String {
    let (subject, issuer) = (&actor.principal.subject, &actor.principal.issuer);
    if subject == SYSTEM && issuer != ISSUER {
        return format!("{subject} of {issuer}");
    }
    subject.clone()
}

/// Records a change by somebody: the audit entry, and the event.
///
/// # Errors
/// When it cannot be written; the change must fail with it.
pub async fn change(tx: &mut Tx, actor: &Actor, change: Change) -> Result<(), Error> {
    let name = actor_name(actor);
    let mut data = serde_json::json!({
        "message": change.message,
        "by": {
            "principal": actor.principal.id,
            "issuer": actor.principal.issuer,
            "proof": proof(actor),
        },
        "request": actor.request,
    });
    if !actor.rights.rules().is_empty() {
        data["by"]["trust"] = actor.rights.rules().into();
    }
    if !change.data.is_null() {
        data["data"] = change.data.clone();
    }
    audit::append(tx, &name, change.action, &change.subject, &data).await?;
    events::append(tx, &change.event(&name)).await?;
    Ok(())
}

/// Records a change by Slipway itself.
///
/// # Errors
/// As [`change`].
pub async fn by_system(tx: &mut Tx, change: Change) -> Result<(), Error> {
    let mut data = serde_json::json!({ "message": change.message });
    if !change.data.is_null() {
        data["data"] = change.data.clone();
    }
    audit::append(tx, SYSTEM, change.action, &change.subject, &data).await?;
    events::append(tx, &change.event(SYSTEM)).await?;
    Ok(())
}

/// Tells watchers of something that changed no state: progress on a target.
///
/// # Errors
/// When it cannot be written.
pub async fn activity(tx: &mut Tx, change: Change, kind: &str) -> Result<(), Error> {
    let mut event = change.event(SYSTEM);
    kind.clone_into(&mut event.kind);
    events::append(tx, &event).await?;
    Ok(())
}

fn proof(actor: &Actor) -> String {
    use slipway_domain::identity::Proof;
    match &actor.proof {
        Proof::SignedIn { .. } => "signed_in".to_owned(),
        Proof::ApiToken { token, .. } => format!("api_token {token}"),
        Proof::System => "system".to_owned(),
    }
}
