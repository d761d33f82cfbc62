//! What is required of approvals, as environments, processes and policies have it on the wire.

use slipway_api_types::approval::{ApprovalPerson, ApprovalRule, ApprovalSignIn, ApprovalStep};
use slipway_app::approvals::RequirementInput;
use slipway_domain::{Faults, approval::Requirement};

/// As the use-cases take it.
pub(crate) fn input(given: ApprovalRule) -> RequirementInput {
    let sign_in = given.sign_in.unwrap_or_default();
    RequirementInput {
        count: given.count,
        role: given.role,
        any_of: given.any_of,
        all_of: given.all_of,
        named: given
            .named
            .into_iter()
            .map(|person| (person.issuer, person.subject))
            .collect(),
        rejections: given.rejections,
        expires_after: given.expires_after,
        max_age: sign_in.max_age,
        methods: sign_in.methods,
        remind_every: given.remind_every,
        escalate: given
            .escalate
            .into_iter()
            .map(|step| (step.after, step.to))
            .collect(),
    }
}

/// Reads it, with every fault below a pointer.
pub(crate) fn read(given: ApprovalRule, pointer: &str, faults: &mut Faults) -> Option<Requirement> {
    let mut inner = Faults::new();
    let requirement = input(given).read(&mut inner);
    faults.nest(pointer, inner);
    requirement
}

/// As it is shown.
pub(crate) fn wire(requirement: &Requirement) -> ApprovalRule {
    let names = |names: &[slipway_domain::Name]| names.iter().map(ToString::to_string).collect();
    let sign_in = ApprovalSignIn {
        max_age: requirement.sign_in.max_age.map(|age| age.to_string()),
        methods: requirement.sign_in.methods.clone(),
    };
    ApprovalRule {
        count: requirement.count,
        role: requirement.role.to_string(),
        any_of: names(&requirement.any_of),
        all_of: names(&requirement.all_of),
        named: requirement
            .named
            .iter()
            .map(|person| ApprovalPerson {
                issuer: person.issuer.clone(),
                subject: person.subject.clone(),
            })
            .collect(),
        rejections: (requirement.rejections != 1).then_some(requirement.rejections),
        expires_after: requirement.expires_after.map(|after| after.to_string()),
        sign_in: (!requirement.sign_in.is_empty()).then_some(sign_in),
        remind_every: requirement.remind_every.map(|every| every.to_string()),
        escalate: requirement
            .escalate
            .iter()
            .map(|step| ApprovalStep {
                after: step.after.to_string(),
                to: step.to.to_string(),
            })
            .collect(),
    }
}
