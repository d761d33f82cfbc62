//! What the claims of a signed token give: roles by claim, and which machines are trusted.
//!
//! Nothing is ever taken from a claim of another shape than expected: what is not a text (or, for roles, a list of texts)
//! matches nothing.

use super::{Role, Source};
use crate::Name;
use serde_json::{Map, Value};
use std::{fmt, str::FromStr};

/// Where a claim is: the name of a claim, names separated by dots for what is nested (`realm_access.roles`), or a JSON
/// pointer (RFC 6901) for names that have dots in them. A claim that is called just so, dots and all, comes first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimPath {
    text: String,
    steps: Vec<String>,
}

/// Why a text is no place of a claim.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is the name of a claim, names separated by dots, or a JSON pointer as `/realm_access/roles`")]
pub struct NoClaimPath;

impl FromStr for ClaimPath {
    type Err = NoClaimPath;

    fn from_str(text: &str) -> Result<Self, NoClaimPath> {
        let steps: Vec<String> = match text.strip_prefix('/') {
            Some(pointer) => pointer.split('/').map(unescaped).collect::<Option<_>>(),
            None => Some(text.split('.').map(str::to_owned).collect()),
        }
        .ok_or(NoClaimPath)?;
        if text.chars().any(char::is_control) || steps.iter().any(String::is_empty) {
            return Err(NoClaimPath);
        }
        Ok(Self {
            text: text.to_owned(),
            steps,
        })
    }
}

/// RFC 6901, section 4: `~1` is `/`, `~0` is `~`, and nothing else follows a `~`.
fn unescaped(step: &str) -> Option<String> {
    let mut parts = step.split('~');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = match part.split_at_checked(1)? {
            ("0", rest) => ("~", rest),
            ("1", rest) => ("/", rest),
            _ => return None,
        };
        text.push_str(rest.0);
        text.push_str(rest.1);
    }
    Some(text)
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl ClaimPath {
    fn find<'a>(&self, claims: &'a Map<String, Value>) -> Option<&'a Value> {
        if let Some(found) = claims.get(&self.text) {
            return Some(found);
        }
        let (last, parents) = self.steps.split_last()?;
        let mut here = claims;
        for step in parents {
            here = here.get(step)?.as_object()?;
        }
        here.get(last)
    }
}

/// A role that the configuration gives, and where; places are named, because they may come later than the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// The role.
    pub role: Role,
    /// Where.
    pub on: GivenOn,
}

/// Where a role is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GivenOn {
    /// On everything.
    Everything,
    /// On what this team owns.
    Team(Name),
    /// In this environment.
    Environment(Name),
}

/// A role for whoever has a value in a claim: it is the text there, or one of the texts in the list there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleRule {
    /// Where the claim is.
    pub claim: ClaimPath,
    /// What it says.
    pub value: String,
    /// What that gives.
    pub gives: Given,
}

impl RoleRule {
    fn fits(&self, claims: &Map<String, Value>) -> bool {
        match self.claim.find(claims) {
            Some(Value::String(text)) => *text == self.value,
            Some(Value::Array(several)) => several.iter().any(|one| one.as_str() == Some(&self.value)),
            _ => false,
        }
    }
}

/// What a claim must say for a machine to be trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// This text, to the letter.
    Exactly(String),
    /// A text that begins so.
    Begins(String),
}

impl Wanted {
    /// From what is written as a glob: a beginning, and one `*` at its end.
    #[must_use]
    pub fn glob(text: &str) -> Option<Self> {
        let begins = text.strip_suffix('*')?;
        (!begins.is_empty() && !begins.contains('*')).then(|| Self::Begins(begins.to_owned()))
    }

    fn fits(&self, said: &Value) -> bool {
        match (self, said.as_str()) {
            (Self::Exactly(wanted), Some(said)) => wanted == said,
            (Self::Begins(wanted), Some(said)) => said.starts_with(wanted.as_str()),
            (_, None) => false,
        }
    }
}

/// Which tokens of a machines' issuer are trusted, and with what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustRule {
    /// How the record calls it.
    pub name: Name,
    /// What the token must say, all of it.
    pub claims: Vec<(ClaimPath, Wanted)>,
    /// What that gives.
    pub gives: Vec<Given>,
}

impl TrustRule {
    fn fits(&self, claims: &Map<String, Value>) -> bool {
        let fits =
            |(claim, wanted): &(ClaimPath, Wanted)| claim.find(claims).is_some_and(|it| wanted.fits(it));
        !self.claims.is_empty() && self.claims.iter().all(fits)
    }
}

/// The rules of one issuer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClaimRules {
    /// Roles by claim.
    pub roles: Vec<RoleRule>,
    /// Who is trusted; where there is none, everybody whom the issuer vouches for is somebody, without any rights.
    pub trust: Vec<TrustRule>,
}

/// What a token states by its claims.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stated {
    /// Roles, and what gives each.
    pub given: Vec<(Given, Source)>,
    /// Names of the trust rules that fit.
    pub rules: Vec<String>,
}

/// No trust rule fits a token. Which there are, and what was missing, is nobody's business who is not trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no trust rule of its issuer fits the token")]
pub struct NoRuleFits;

impl ClaimRules {
    /// What claims give; all rules that fit add up.
    ///
    /// # Errors
    /// [`NoRuleFits`] when there are trust rules and none fits.
    pub fn judge(&self, claims: &Map<String, Value>) -> Result<Stated, NoRuleFits> {
        let mut stated = Stated::default();
        for rule in self.roles.iter().filter(|rule| rule.fits(claims)) {
            let source = Source::Claim(format!("{}={}", rule.claim, rule.value));
            stated.given.push((rule.gives.clone(), source));
        }
        for rule in self.trust.iter().filter(|rule| rule.fits(claims)) {
            let source = Source::Rule(rule.name.to_string());
            let given = rule.gives.iter().map(|given| (given.clone(), source.clone()));
            stated.given.extend(given);
            stated.rules.push(rule.name.to_string());
        }
        if !self.trust.is_empty() && stated.rules.is_empty() {
            return Err(NoRuleFits);
        }
        Ok(stated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn claims(value: Value) -> Map<String, Value> {
        serde_json::from_value(value).unwrap()
    }

    fn role(claim: &str, value: &str) -> RoleRule {
        RoleRule {
            claim: claim.parse().unwrap(),
            value: value.to_owned(),
            gives: Given {
                role: Role::Admin,
                on: GivenOn::Everything,
            },
        }
    }

    fn trust(name: &str, wanted: &[(&str, Wanted)]) -> TrustRule {
        TrustRule {
            name: name.parse().unwrap(),
            claims: wanted
                .iter()
                .map(|(at, it)| (at.parse().unwrap(), it.clone()))
                .collect(),
            gives: vec![Given {
                role: Role::Operator,
                on: GivenOn::Everything,
            }],
        }
    }

    fn exactly(text: &str) -> Wanted {
        Wanted::Exactly(text.to_owned())
    }

    #[test]
    fn a_claim_is_found_by_its_name_by_dots_and_by_a_pointer() {
        let said = claims(json!({
            "groups": ["a", "admins"], "team": "admins", "realm_access": {"roles": ["admins"]},
            "https://id.example/groups": ["admins"], "a/b": {"c~d": "admins"}, "x.y": "admins", "x": {"y": "no"},
        }));
        for path in [
            "groups",
            "team",
            "realm_access.roles",
            "/realm_access/roles",
            "https://id.example/groups",
            "/a~1b/c~0d",
            "x.y",
        ] {
            assert!(role(path, "admins").fits(&said), "{path}");
            assert!(!role(path, "admin").fits(&said), "{path}");
        }
        assert!(role("/x/y", "no").fits(&said));
        for bad in ["", ".", "a..b", "/", "/a//b", "/a~2", "/a~", "a\nb"] {
            assert_eq!(bad.parse::<ClaimPath>(), Err(NoClaimPath), "{bad:?}");
        }
    }

    #[test]
    fn a_claim_of_another_shape_gives_nothing() {
        for said in [
            json!({}),
            json!({"groups": {"admins": true}}),
            json!({"groups": [["admins"]]}),
            json!({"groups": "admins,others"}),
            json!({"groups": null}),
            json!({"groups": 1}),
        ] {
            assert!(!role("groups", "admins").fits(&claims(said.clone())), "{said}");
        }
    }

    #[test]
    fn all_claims_of_a_trust_rule_must_fit_and_rules_add_up() {
        let rules = ClaimRules {
            roles: Vec::new(),
            trust: vec![
                trust(
                    "main",
                    &[
                        ("repository", exactly("shop/web")),
                        ("ref", exactly("refs/heads/main")),
                    ],
                ),
                trust("any", &[("repository", exactly("shop/web"))]),
                trust("tags", &[("ref", Wanted::glob("refs/tags/v*").unwrap())]),
            ],
        };
        let fitting = |said: Value| rules.judge(&claims(said)).map(|stated| stated.rules);
        let both = json!({"repository": "shop/web", "ref": "refs/heads/main"});
        assert_eq!(fitting(both).unwrap(), ["main", "any"]);
        assert_eq!(
            fitting(json!({"repository": "shop/web", "ref": "x"})).unwrap(),
            ["any"]
        );
        assert_eq!(fitting(json!({"ref": "refs/tags/v1"})).unwrap(), ["tags"]);
        for no in [
            json!({}),
            json!({"repository": "shop/web2"}),
            json!({"repository": ["shop/web"]}),
            json!({"repository": "Shop/Web"}),
            json!({"ref": "refs/heads/main"}),
            json!({"ref": "x/refs/tags/v1"}),
        ] {
            assert_eq!(fitting(no.clone()), Err(NoRuleFits), "{no}");
        }
    }

    #[test]
    fn a_rule_that_asks_for_nothing_fits_nobody_and_without_rules_nothing_is_given() {
        let nothing = ClaimRules {
            roles: Vec::new(),
            trust: vec![trust("all", &[])],
        };
        assert_eq!(nothing.judge(&Map::new()), Err(NoRuleFits));
        assert_eq!(ClaimRules::default().judge(&Map::new()), Ok(Stated::default()));
    }

    #[test]
    fn only_a_star_at_the_end_is_a_glob() {
        assert_eq!(Wanted::glob("refs/*"), Some(Wanted::Begins("refs/".to_owned())));
        for bad in ["", "*", "a", "*a", "a*b", "a*b*", "a**"] {
            assert_eq!(Wanted::glob(bad), None, "{bad}");
        }
        // Elsewhere a star is a star.
        assert!(!exactly("refs/*").fits(&json!("refs/heads")));
    }

    proptest! {
        #[test]
        fn an_exact_rule_fits_nothing_but_its_text(wanted in ".{0,12}", said in ".{0,12}") {
            let rule = trust("one", &[("c", exactly(&wanted))]);
            prop_assert_eq!(rule.fits(&claims(json!({"c": said}))), wanted == said);
        }

        #[test]
        fn a_pointer_finds_any_name(name in ".{1,12}") {
            let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
            prop_assume!(!name.chars().any(char::is_control));
            let said = claims(json!({name: "v"}));
            prop_assert!(role(&pointer, "v").fits(&said));
        }
    }
}
