//! What an issuer's claims give, from the configuration: every fault is named.

use crate::config::{ClaimValue, IssuerConfig, Subjects, Trust, Unusable};
use slipway_domain::{
    Name,
    identity::{ClaimPath, ClaimRules, Given, GivenOn, Permission, Role, RoleRule, TrustRule, Wanted},
};
use std::fmt::Display;

struct Faults<'a> {
    setting: &'a str,
    all: &'a mut Vec<Unusable>,
}

impl Faults<'_> {
    fn add(&mut self, field: &str, detail: impl Into<String>) {
        self.all
            .push(Unusable::new(format!("{}.{field}", self.setting), detail));
    }

    fn take<T, E: Display>(&mut self, field: &str, read: Result<T, E>) -> Option<T> {
        read.map_err(|error| self.add(field, error.to_string())).ok()
    }

    /// A role and where it holds; of machines never one that approves.
    fn given(
        &mut self,
        field: &str,
        (role, team, environment): (&str, Option<&str>, Option<&str>),
        machines: bool,
    ) -> Option<Given> {
        let role = self.take(&format!("{field}.role"), role.parse::<Role>());
        if machines && role.is_some_and(|role| role.permissions().contains(&Permission::ApprovalDecide)) {
            self.add(
                &format!("{field}.role"),
                "machines can never approve; `authority` is for people",
            );
        }
        let on = match (team, environment) {
            (None, None) => Some(GivenOn::Everything),
            (Some(team), None) => {
                let team = self.take(&format!("{field}.team"), team.parse::<Name>());
                team.map(GivenOn::Team)
            }
            (None, Some(environment)) => {
                let environment = self.take(&format!("{field}.environment"), environment.parse::<Name>());
                environment.map(GivenOn::Environment)
            }
            (Some(_), Some(_)) => {
                let detail = "a role is given on a team or on an environment, not on both";
                self.add(&format!("{field}.environment"), detail);
                None
            }
        };
        Some(Given { role: role?, on: on? })
    }
}

/// Reads the rules; what is wrong with them goes to `faults`.
pub(super) fn read(setting: &str, issuer: &IssuerConfig, faults: &mut Vec<Unusable>) -> ClaimRules {
    let mut faults = Faults { setting, all: faults };
    let machines = issuer.subjects == Subjects::Machines;
    let mut rules = ClaimRules::default();
    for (i, role) in issuer.roles.iter().enumerate() {
        let field = format!("roles[{i}]");
        let claim = faults.take(&format!("{field}.claim"), role.claim.parse::<ClaimPath>());
        if role.value.is_empty() {
            faults.add(&format!("{field}.value"), "is empty");
        }
        let place = (
            role.role.as_str(),
            role.team.as_deref(),
            role.environment.as_deref(),
        );
        let gives = faults.given(&field, place, machines);
        if let (Some(claim), Some(gives)) = (claim, gives) {
            let value = role.value.clone();
            rules.roles.push(RoleRule { claim, value, gives });
        }
    }
    if !issuer.trust.is_empty() && !machines {
        faults.add(
            "trust",
            "is for issuers of machines: give `subjects = \"machines\"` too",
        );
    }
    for (i, trust) in issuer.trust.iter().enumerate() {
        let field = format!("trust[{i}]");
        if issuer.trust[..i].iter().any(|other| other.name == trust.name) {
            faults.add(&format!("{field}.name"), "there are two rules with this name");
        }
        rules.trust.extend(trust_rule(&field, trust, &mut faults));
    }
    rules
}

fn trust_rule(field: &str, trust: &Trust, faults: &mut Faults<'_>) -> Option<TrustRule> {
    let name = faults.take(&format!("{field}.name"), trust.name.parse::<Name>());
    if trust.claims.is_empty() {
        faults.add(
            &format!("{field}.claims"),
            "is empty: the rule would trust every token of the issuer",
        );
    }
    if trust.roles.is_empty() {
        faults.add(&format!("{field}.roles"), "is empty: the rule gives nothing");
    }
    let mut claims = Vec::with_capacity(trust.claims.len());
    for (claim, value) in &trust.claims {
        let at = format!("{field}.claims.{claim}");
        let path = faults.take(&at, claim.parse::<ClaimPath>());
        let wanted = faults.take(&at, wanted(value));
        claims.extend(path.zip(wanted));
    }
    let mut gives = Vec::with_capacity(trust.roles.len());
    for (j, role) in trust.roles.iter().enumerate() {
        let place = (
            role.role.as_str(),
            role.team.as_deref(),
            role.environment.as_deref(),
        );
        gives.extend(faults.given(&format!("{field}.roles[{j}]"), place, true));
    }
    Some(TrustRule {
        name: name?,
        claims,
        gives,
    })
}

fn wanted(value: &ClaimValue) -> Result<Wanted, &'static str> {
    match value {
        ClaimValue::Exactly(text) if text.is_empty() => Err("is empty"),
        ClaimValue::Exactly(text) if text.contains('*') => {
            Err("has a `*`, which stands for itself here: write { glob = \"…*\" } for what begins so")
        }
        ClaimValue::Exactly(text) => Ok(Wanted::Exactly(text.clone())),
        ClaimValue::Glob { glob } => {
            Wanted::glob(glob).ok_or("a glob is a text that ends in `*`, and has no other")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn faults(config: &Value) -> Vec<String> {
        let mut all =
            json!({"issuer": "https://id.example", "audience": "slipway", "keys": {"discovery": {}}});
        for (key, value) in config.as_object().unwrap() {
            all[key] = value.clone();
        }
        let mut faults = Vec::new();
        read("issuers[0]", &serde_json::from_value(all).unwrap(), &mut faults);
        faults.into_iter().map(|fault| fault.key).collect()
    }

    #[test]
    fn good_rules_have_no_faults() {
        let people = json!({"roles": [
            {"claim": "groups", "value": "platform-admins", "role": "admin"},
            {"claim": "realm_access.roles", "value": "shop", "role": "authority", "environment": "production"},
        ]});
        assert!(faults(&people).is_empty());
        let machines = json!({"subjects": "machines", "trust": [{
            "name": "deploy", "claims": {"repository": "shop/web", "ref": {"glob": "refs/tags/v*"}},
            "roles": [{"role": "operator", "team": "shop"}],
        }]});
        assert!(faults(&machines).is_empty());
    }

    #[test]
    fn every_fault_is_named_at_once() {
        let roles = json!({"roles": [
            {"claim": "a..b", "value": "", "role": "boss", "team": "NO"},
            {"claim": "a", "value": "b", "role": "admin", "team": "a", "environment": "b"},
        ]});
        let named: Vec<_> = [
            "[0].claim",
            "[0].value",
            "[0].role",
            "[0].team",
            "[1].environment",
        ]
        .map(|at| format!("issuers[0].roles{at}"))
        .into();
        assert_eq!(faults(&roles), named);
        let trust = json!({"subjects": "machines", "trust": [
            {"name": "a", "claims": {}, "roles": []},
            {"name": "a", "claims": {"ref": "refs/*", "x": {"glob": "*"}, "y": ""}, "roles": [{"role": "authority"}]},
        ]});
        let named: Vec<_> = [
            "[0].claims",
            "[0].roles",
            "[1].name",
            "[1].claims.ref",
            "[1].claims.x",
            "[1].claims.y",
            "[1].roles[0].role",
        ]
        .map(|at| format!("issuers[0].trust{at}"))
        .into();
        assert_eq!(faults(&trust), named);
    }

    #[test]
    fn trust_is_for_machines_and_machines_are_given_no_right_to_approve() {
        let people = json!({"trust": [
            {"name": "a", "claims": {"x": "y"}, "roles": [{"role": "viewer"}]},
        ]});
        assert_eq!(faults(&people), ["issuers[0].trust"]);
        let by_claim =
            json!({"subjects": "machines", "roles": [{"claim": "a", "value": "b", "role": "authority"}]});
        assert_eq!(faults(&by_claim), ["issuers[0].roles[0].role"]);
    }
}
