//! Rights: the roles somebody holds, and where.

use super::{Permission, Role};
use crate::ids::{EnvironmentId, TeamId};
use std::fmt;

/// What a role is granted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Everything there is.
    Everything,
    /// What a team owns.
    Team(TeamId),
    /// What happens in an environment.
    Environment(EnvironmentId),
}

/// One role on one scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Grant {
    /// The role.
    pub role: Role,
    /// Where it holds.
    pub scope: Scope,
}

/// What an operation touches: it belongs to a team, an environment, both or neither.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The owning team, if it has one.
    pub team: Option<TeamId>,
    /// The environment, if it is in one.
    pub environment: Option<EnvironmentId>,
    /// How to call it in a refusal, as `service storefront`; empty for the whole of Slipway.
    pub named: String,
}

impl Place {
    /// The whole of Slipway: only grants on everything count.
    #[must_use]
    pub fn everywhere() -> Self {
        Self::default()
    }

    /// What a team owns.
    #[must_use]
    pub fn team(team: TeamId, named: impl Into<String>) -> Self {
        Self {
            team: Some(team),
            environment: None,
            named: named.into(),
        }
    }

    /// What a team does in an environment.
    #[must_use]
    pub fn team_in(team: TeamId, environment: EnvironmentId, named: impl Into<String>) -> Self {
        Self {
            team: Some(team),
            environment: Some(environment),
            named: named.into(),
        }
    }

    /// An environment itself.
    #[must_use]
    pub fn environment(environment: EnvironmentId, named: impl Into<String>) -> Self {
        Self {
            team: None,
            environment: Some(environment),
            named: named.into(),
        }
    }
}

/// A permission that is missing, and where: the text of a 403.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Lacking {
    /// What was asked for.
    pub permission: Permission,
    /// Where; empty for everything.
    pub place: String,
    /// Roles that would do.
    pub roles: Vec<Role>,
}

impl fmt::Display for Lacking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "this needs the permission `{}`", self.permission)?;
        if self.place.is_empty() {
            f.write_str(" on everything")?;
        } else {
            write!(f, " on {}", self.place)?;
        }
        let roles: Vec<_> = self.roles.iter().map(ToString::to_string).collect();
        write!(f, ", which comes with the role {}", roles.join(" or "))
    }
}

/// What somebody may see, as a filter for lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Visible {
    /// Everything.
    pub everything: bool,
    /// Or what these teams own.
    pub teams: Vec<TeamId>,
    /// Or what happens in these environments.
    pub environments: Vec<EnvironmentId>,
}

/// What gives somebody a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A role binding: it lasts until it is taken away.
    Binding,
    /// A claim of the token, as `groups=admins`: it lasts as long as the token.
    Claim(String),
    /// A trust rule of the token's issuer, by name: it lasts as long as the token.
    Rule(String),
}

/// The roles somebody holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rights {
    grants: Vec<Grant>,
    /// What gives each of the grants.
    sources: Vec<Source>,
    /// The trust rules that the token fits.
    rules: Vec<String>,
}

impl Rights {
    /// From role bindings.
    #[must_use]
    pub fn new(grants: Vec<Grant>) -> Self {
        let sources = grants.iter().map(|_| Source::Binding).collect();
        Self {
            grants,
            sources,
            rules: Vec::new(),
        }
    }

    /// Held by a token that fits these trust rules.
    #[must_use]
    pub fn by_rules(mut self, rules: Vec<String>) -> Self {
        self.rules = rules;
        self
    }

    /// Names of the trust rules that the token fits: the record says by which a machine acted.
    #[must_use]
    pub fn rules(&self) -> &[String] {
        &self.rules
    }

    /// With what a token gives besides.
    #[must_use]
    pub fn and(mut self, stated: impl IntoIterator<Item = (Grant, Source)>) -> Self {
        for (grant, source) in stated {
            self.grants.push(grant);
            self.sources.push(source);
        }
        self
    }

    /// The grants.
    #[must_use]
    pub fn grants(&self) -> &[Grant] {
        &self.grants
    }

    /// The grants, each with what gives it.
    pub fn held(&self) -> impl Iterator<Item = (Grant, &Source)> {
        self.grants.iter().copied().zip(&self.sources)
    }

    /// Only those of these roles: an API token never carries more than it was made for.
    #[must_use]
    pub fn only(&self, roles: &[Role]) -> Self {
        self.filtered(|grant| roles.contains(&grant.role))
    }

    /// Without roles that approve: machines never do, whatever gives them a role.
    #[must_use]
    pub fn without_approving(&self) -> Self {
        self.filtered(|grant| !grant.role.permissions().contains(&Permission::ApprovalDecide))
    }

    fn filtered(&self, stays: impl Fn(Grant) -> bool) -> Self {
        let (grants, sources) = self
            .held()
            .filter(|(grant, _)| stays(*grant))
            .map(|(grant, source)| (grant, source.clone()))
            .unzip();
        Self {
            grants,
            sources,
            rules: self.rules.clone(),
        }
    }

    fn covers(scope: Scope, place: &Place) -> bool {
        match scope {
            Scope::Everything => true,
            Scope::Team(team) => place.team == Some(team),
            Scope::Environment(environment) => place.environment == Some(environment),
        }
    }

    /// Whether a permission is held on a place.
    #[must_use]
    pub fn allows(&self, permission: Permission, place: &Place) -> bool {
        self.grants
            .iter()
            .any(|g| Self::covers(g.scope, place) && g.role.permissions().contains(&permission))
    }

    /// Whether a permission is held anywhere at all.
    #[must_use]
    pub fn allows_somewhere(&self, permission: Permission) -> bool {
        self.grants
            .iter()
            .any(|g| g.role.permissions().contains(&permission))
    }

    /// Whether a role is held on a place.
    #[must_use]
    pub fn has_role(&self, role: Role, place: &Place) -> bool {
        self.grants
            .iter()
            .any(|g| g.role == role && Self::covers(g.scope, place))
    }

    /// Checks a permission on a place.
    ///
    /// # Errors
    /// [`Lacking`].
    pub fn require(&self, permission: Permission, place: &Place) -> Result<(), Lacking> {
        if self.allows(permission, place) {
            return Ok(());
        }
        let roles = Role::ALL
            .into_iter()
            .filter(|r| r.permissions().contains(&permission))
            .collect();
        Err(Lacking {
            permission,
            place: place.named.clone(),
            roles,
        })
    }

    /// What may be seen. Environment and cluster names are seen by whoever may read anything.
    #[must_use]
    pub fn visible(&self) -> Visible {
        let mut visible = Visible::default();
        for grant in &self.grants {
            match grant.scope {
                Scope::Everything => visible.everything = true,
                Scope::Team(team) => visible.teams.push(team),
                Scope::Environment(environment) => visible.environments.push(environment),
            }
        }
        visible
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_covers_its_scope_and_nothing_beside_it() {
        let (mine, other) = (TeamId::new(), TeamId::new());
        let (staging, production) = (EnvironmentId::new(), EnvironmentId::new());
        let rights = Rights::new(vec![
            Grant {
                role: Role::Manager,
                scope: Scope::Team(mine),
            },
            Grant {
                role: Role::Authority,
                scope: Scope::Environment(production),
            },
        ]);
        assert!(rights.allows(Permission::ReleaseSeal, &Place::team(mine, "")));
        assert!(!rights.allows(Permission::ReleaseSeal, &Place::team(other, "")));
        assert!(!rights.allows(Permission::ReleaseSeal, &Place::everywhere()));
        assert!(rights.allows(Permission::ApprovalDecide, &Place::team_in(other, production, "")));
        assert!(!rights.allows(Permission::ApprovalDecide, &Place::team_in(mine, staging, "")));
    }

    #[test]
    fn a_token_made_for_one_role_carries_no_other() {
        let everywhere = |role| Grant {
            role,
            scope: Scope::Everything,
        };
        let rights = Rights::new(vec![everywhere(Role::Admin), everywhere(Role::Viewer)]);
        let narrowed = rights.only(&[Role::Viewer, Role::Authority]);
        assert_eq!(narrowed.grants(), [everywhere(Role::Viewer)]);
    }

    #[test]
    fn what_a_machine_may_never_include_approving_whatever_gives_it() {
        let everywhere = |role| Grant {
            role,
            scope: Scope::Everything,
        };
        let rule = Source::Rule("ci".to_owned());
        let rights = Rights::new(vec![everywhere(Role::Authority), everywhere(Role::Viewer)])
            .and([
                (everywhere(Role::Authority), rule.clone()),
                (everywhere(Role::Operator), rule.clone()),
            ])
            .without_approving();
        let held: Vec<_> = rights
            .held()
            .map(|(grant, source)| (grant.role, source.clone()))
            .collect();
        assert_eq!(held, [(Role::Viewer, Source::Binding), (Role::Operator, rule)]);
    }

    #[test]
    fn a_refusal_says_which_permission_and_where() {
        let lacking = Rights::default()
            .require(
                Permission::ReleaseSeal,
                &Place::team(TeamId::new(), "service storefront"),
            )
            .unwrap_err();
        assert_eq!(
            lacking.to_string(),
            "this needs the permission `release.seal` on service storefront, which comes with the role manager"
        );
    }
}
