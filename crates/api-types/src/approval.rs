//! Approvals: what is required, the approver's inbox, and decisions.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Approvals that an environment, a stage of a process or a rule of a policy asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"role": "authority", "count": 2, "any_of": ["on-call"], "sign_in": {"max_age": "PT15M", "methods": ["hwk"]},
    "expires_after": "PT8H", "escalate": [{"after": "PT30M", "to": "directors"}]}))]
pub struct ApprovalRule {
    /// How many distinct people: those that are named and those for each group of `all_of` among them.
    #[schema(minimum = 1, maximum = 10, example = 1)]
    pub count: u32,
    /// The role each must hold there: `authority`.
    #[schema(example = "authority")]
    pub role: String,
    /// Groups of which the others must be, each of any of them; anybody with the role when absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 10)]
    pub any_of: Vec<String>,
    /// Groups of which there must be somebody for each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 10)]
    pub all_of: Vec<String>,
    /// People who must approve, and for whom nobody else can but a delegate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 10)]
    pub named: Vec<ApprovalPerson>,
    /// How many rejections end it; 1 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 10)]
    pub rejections: Option<u32>,
    /// How long it waits for answers, ISO 8601; as long as the deployment when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_after: Option<String>,
    /// How each must have signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign_in: Option<ApprovalSignIn>,
    /// How often people are reminded, ISO 8601; never when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remind_every: Option<String>,
    /// Who is asked next, and when.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 10)]
    pub escalate: Vec<ApprovalStep>,
}

/// Somebody, as their issuer knows them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalPerson {
    /// Who vouches for them (`iss`).
    #[schema(example = "https://id.example")]
    pub issuer: String,
    /// What the issuer calls them (`sub`).
    #[schema(example = "ada")]
    pub subject: String,
}

/// How an approver must have signed in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalSignIn {
    /// How long ago at most (`auth_time`), ISO 8601.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "PT15M")]
    pub max_age: Option<String>,
    /// Methods that it must all have used (`amr`, RFC 8176).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(example = json!(["hwk"]))]
    pub methods: Vec<String>,
}

/// One step of an escalation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalStep {
    /// How long after those before were asked, ISO 8601.
    #[schema(example = "PT30M")]
    pub after: String,
    /// The group that is asked then.
    #[schema(example = "directors")]
    pub to: String,
}

/// A request to people to approve one deployment.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Approval {
    /// Its id.
    pub id: String,
    /// The deployment.
    pub deployment: String,
    /// The service.
    #[schema(example = "storefront")]
    pub service: String,
    /// The release.
    #[schema(example = "storefront@1.0.0")]
    pub release: String,
    /// The environment.
    #[schema(example = "production")]
    pub environment: String,
    /// `before`: nothing starts without it. `afterwards`: it went on without, in an emergency.
    #[schema(example = "before")]
    pub asked: String,
    /// `pending`, `approved`, `rejected`, `withdrawn` or `expired`.
    #[schema(example = "pending")]
    pub state: String,
    /// The digest to be decided on: of `document`.
    #[schema(example = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")]
    pub digest: String,
    /// What approvers see. Whenever anything in it changes, its digest does, and decisions on what it was are withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<serde_json::Value>,
    /// The digest of the sealed release.
    pub release_digest: String,
    /// Digest over targets and renderings.
    pub plan_digest: String,
    /// Who is asked, by what, and how many of them.
    pub requirements: Vec<ApprovalRequirement>,
    /// How many distinct people it takes.
    #[schema(example = 1)]
    pub people: u32,
    /// Who is missing, a sentence each.
    #[schema(example = json!(["1 more with the role authority"]))]
    pub missing: Vec<String>,
    /// When an answer is due, if that is said. A request that is to be answered before expires then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// People who may not decide, and why not.
    pub excluded: Vec<Excluded>,
    /// Decisions so far.
    pub decisions: Vec<Decision>,
    /// Who asked for the deployment.
    pub requested_by: String,
    /// Why, in their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether whoever asks may decide on it.
    pub mine: bool,
    /// Those in whose place whoever asks may decide on it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mine_for: Vec<String>,
    /// When people were asked.
    pub created_at: Timestamp,
}

/// One requirement, and everything that asks for it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ApprovalRequirement {
    /// Who must approve.
    pub rule: ApprovalRule,
    /// What asks for it.
    #[schema(example = json!(["environment production"]))]
    pub asked_by: Vec<String>,
    /// Who is asked by now.
    pub asked: Vec<ApprovalAsked>,
    /// When the next are asked, or people are reminded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Timestamp>,
}

/// Who is asked.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ApprovalAsked {
    /// Whom.
    #[schema(example = "group directors")]
    pub who: String,
    /// Since when.
    pub since: Timestamp,
    /// Whether ahead of its time, because everybody before is away.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ahead: bool,
}

/// Somebody who may not decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Excluded {
    /// Who.
    #[schema(example = "ana")]
    pub who: String,
    /// What they did with it: `authored`, `edited`, `sealed`, `requested`.
    #[schema(example = "sealed")]
    pub because: String,
    /// A delegate of theirs did it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub through_delegate: bool,
}

/// One person's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Decision {
    /// Who.
    #[schema(example = "ada")]
    pub by: String,
    /// In whose place, if it is not their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<String>,
    /// `approve` or `reject`.
    #[schema(example = "approve")]
    pub decision: String,
    /// The digest they decided on.
    pub digest: String,
    /// In their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// When.
    pub at: Timestamp,
    /// Why it does not count any more, if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn_because: Option<String>,
}

/// Decides on a request for approval.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateDecision {
    /// `approve` or `reject`.
    #[schema(pattern = "^(approve|reject)$", example = "approve")]
    pub decision: String,
    /// The digest that was looked at; any other than the one to be decided on is refused.
    #[schema(
        pattern = "^sha256:[0-9a-f]{64}$",
        example = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )]
    pub digest: String,
    /// In whose place: their subject or id, who has delegated that to whoever decides. In their own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<String>,
    /// In one's own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2000)]
    pub comment: Option<String>,
}
