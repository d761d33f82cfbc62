//! Groups: people who are asked for approval together. Who is in one decides who may approve, so nobody puts themselves in.
//!
//! Groups are never deleted, only emptied: environments, processes, policies and services name them, and what was approved
//! is explained by them.

use super::{Named, described};
use crate::{
    App, Before, Error, Ref, Tx,
    error::{check_revision, overtaken},
    identity::principals,
    input, record, teams,
};
use serde_json::json;
use slipway_domain::{
    Faults, Name,
    identity::{Actor, Permission, Place, Principal, PrincipalKind},
    ids::{GroupTag, PrincipalId},
    registry::{
        Group,
        group::{MAX_MEMBERS, description_faults},
    },
};
use slipway_store::{approvals, groups};
use std::collections::{BTreeMap, BTreeSet};

/// Most people who come or go at once.
pub const MOST_AT_ONCE: usize = 100;

/// A group, as shown.
#[derive(Debug, Clone)]
pub struct GroupView {
    /// The group.
    pub group: Group,
    /// How many are in it.
    pub size: usize,
    /// Who is in it, by subject; not told in lists.
    pub members: Option<Vec<Principal>>,
}

/// What a new group is made of. Nobody is in it.
#[derive(Debug, Clone)]
pub struct Create {
    /// Its unique name.
    pub name: String,
    /// Who that is.
    pub description: Option<String>,
}

/// Changes to a group; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct Update {
    /// Who that is.
    pub description: Option<String>,
    /// Who comes; they need not have been seen yet.
    pub add: Vec<Named>,
    /// Who goes.
    pub remove: Vec<Named>,
}

/// The name of the group that a user names in a field of the input, or a fault there.
pub(crate) async fn named(
    tx: &mut Tx,
    faults: &mut Faults,
    pointer: &str,
    reference: &str,
) -> Result<Option<Name>, Error> {
    let found = groups::find(tx, &Ref::parse::<GroupTag>(reference)).await?;
    if found.is_none() {
        faults.add(
            pointer,
            format!("there is no group `{}`", input::excerpt(reference)),
        );
    }
    Ok(found.map(|group| group.name))
}

/// Makes a group.
///
/// # Errors
/// Every fault of the input at once; `exists` when the name is taken; without `identity.manage` on everything.
pub async fn create(tx: &mut Tx, actor: &Actor, input: Create) -> Result<GroupView, Error> {
    actor.require(Permission::IdentityManage, &Place::everywhere())?;
    let mut faults = Faults::new();
    let name = faults.take("/name", input.name.parse::<Name>());
    let description = input.description.unwrap_or_default();
    faults.nest("/description", description_faults(&description));
    faults.check()?;
    let Some(name) = name else {
        return Err(Error::internal("a name without fault is missing"));
    };
    let made = groups::insert(tx, &name, &description).await;
    let group = made.map_err(|error| {
        if error.is_duplicate("groups_name_key") {
            Error::conflict("exists", format!("there is a group `{name}` already"))
        } else {
            error.into()
        }
    })?;
    let change = record::Change::new("group.create", name.as_str(), format!("made the group {name}"))
        .with(json!({"group": group.id, "description": description}));
    record::change(tx, actor, change).await?;
    Ok(GroupView {
        group,
        size: 0,
        members: Some(Vec::new()),
    })
}

/// Changes a group, and who is in it. Whoever is in it already stays; when nothing changes, nothing is recorded.
///
/// # Errors
/// When there is none, or it was changed since `if_match`; every fault of the input at once; `separation-of-duties` for
/// oneself; without `identity.manage` on everything.
pub async fn update(
    tx: &mut Tx,
    app: &App,
    actor: &Actor,
    reference: &str,
    if_match: i64,
    input: Update,
) -> Result<GroupView, Error> {
    actor.require(Permission::IdentityManage, &Place::everywhere())?;
    let found = groups::find_for_update(tx, &Ref::parse::<GroupTag>(reference)).await?;
    let group = found.ok_or_else(|| Error::not_found("group", reference))?;
    check_revision(if_match, group.revision)?;
    let before = members(tx, &group.name).await?;
    let mut faults = Faults::new();
    let mut changed = group.clone();
    if let Some(description) = input.description {
        faults.nest("/description", description_faults(&description));
        changed.description = description;
    }
    let came = arrivals(tx, app, &mut faults, &input.add).await?;
    let went = departures(tx, app, &mut faults, &before, &input.remove).await?;
    if came.keys().any(|who| went.contains_key(who)) {
        faults.add("/remove", "names somebody whom `add` names, too");
    }
    let came: BTreeMap<_, _> = came
        .into_iter()
        .filter(|(who, _)| !before.contains(who))
        .collect();
    let mut after = before.clone();
    after.extend(came.keys());
    after.retain(|who| !went.contains_key(who));
    if after.len() > MAX_MEMBERS && !came.is_empty() {
        faults.add("/add", format!("would make more than {MAX_MEMBERS} people"));
    }
    faults.check()?;
    let me = actor.principal.id;
    if came.contains_key(&me) || went.contains_key(&me) {
        let detail = format!(
            "who is in the group {} decides who may approve: nobody adds or removes themselves, another admin must do it",
            group.name
        );
        return Err(Error::refused("separation-of-duties", detail));
    }
    if after != before || changed.description != group.description {
        if let Err(error) = groups::set_members(tx, &changed, &after).await {
            let now = groups::find(tx, &Ref::Id(group.id.uuid())).await;
            return Err(overtaken(error, now.map(|now| now.map(|now| now.revision))));
        }
        approvals::look_again(tx).await?;
        record::change(tx, actor, told(&group, &changed, &came, &went)).await?;
    }
    load(tx, reference).await
}

type People = BTreeMap<PrincipalId, Principal>;

/// Who is to come; registered, without any rights, if they are new. A machine is a fault.
async fn arrivals(tx: &mut Tx, app: &App, faults: &mut Faults, given: &[Named]) -> Result<People, Error> {
    few(faults, "/add", given);
    let mut people = People::new();
    for (i, named) in given.iter().enumerate().take(MOST_AT_ONCE) {
        let at = format!("/add/{i}");
        let Some((issuer, subject)) = named.read(app, faults, &at) else {
            continue;
        };
        let one = principals::ensure(tx, &issuer, subject, PrincipalKind::Human, subject).await?;
        if one.kind == PrincipalKind::Machine {
            faults.add(at, "is a machine, and machines never approve");
        } else {
            people.insert(one.id, one);
        }
    }
    Ok(people)
}

/// Who is to go. Somebody who is not in the group is a fault.
async fn departures(
    tx: &mut Tx,
    app: &App,
    faults: &mut Faults,
    members: &BTreeSet<PrincipalId>,
    given: &[Named],
) -> Result<People, Error> {
    few(faults, "/remove", given);
    let mut people = People::new();
    for (i, named) in given.iter().enumerate().take(MOST_AT_ONCE) {
        let at = format!("/remove/{i}");
        let Some((issuer, subject)) = named.read(app, faults, &at) else {
            continue;
        };
        let found = slipway_store::principals::find(tx, &issuer, subject).await?;
        match found.filter(|found| members.contains(&found.id)) {
            Some(found) => {
                people.insert(found.id, found);
            }
            None => faults.add(at, format!("`{}` is not in the group", input::excerpt(subject))),
        }
    }
    Ok(people)
}

fn few(faults: &mut Faults, pointer: &str, given: &[Named]) {
    if given.len() > MOST_AT_ONCE {
        faults.add(pointer, format!("are {MOST_AT_ONCE} at most, at once"));
    }
}

/// The change, naming who came and who went.
fn told(before: &Group, after: &Group, came: &People, went: &People) -> record::Change {
    let name = &before.name;
    let mut parts = Vec::new();
    if !came.is_empty() {
        parts.push(format!("put {} into the group {name}", listed(came)));
    }
    if !went.is_empty() {
        parts.push(format!("took {} out of the group {name}", listed(went)));
    }
    let mut data = json!({
        "group": before.id,
        "came": came.values().map(described).collect::<Vec<_>>(),
        "went": went.values().map(described).collect::<Vec<_>>(),
    });
    if before.description != after.description {
        data["description"] = json!(after.description);
    }
    if parts.is_empty() {
        parts.push(format!("changed the group {name}"));
    }
    record::Change::new("group.update", name.as_str(), parts.join(" and ")).with(data)
}

/// A few of them, for a sentence.
fn listed(people: &People) -> String {
    const FEW: usize = 5;
    let mut names: Vec<_> = people.values().map(|one| one.subject.as_str()).collect();
    names.sort_unstable();
    let more = names.len().saturating_sub(FEW);
    names.truncate(FEW);
    let names = names.join(", ");
    if more == 0 {
        names
    } else {
        format!("{names} and {more} more")
    }
}

async fn members(tx: &mut Tx, name: &Name) -> Result<BTreeSet<PrincipalId>, Error> {
    let mut all = groups::members_of(tx, std::slice::from_ref(name)).await?;
    Ok(all.remove(name).unwrap_or_default())
}

/// The ids of who is in a group.
///
/// # Errors
/// When there is none.
pub(super) async fn members_named(tx: &mut Tx, reference: &str) -> Result<Vec<PrincipalId>, Error> {
    let found = groups::find(tx, &Ref::parse::<GroupTag>(reference)).await?;
    let group = found.ok_or_else(|| Error::not_found("group", reference))?;
    Ok(members(tx, &group.name).await?.into_iter().collect())
}

async fn load(tx: &mut Tx, reference: &str) -> Result<GroupView, Error> {
    let found = groups::find(tx, &Ref::parse::<GroupTag>(reference)).await?;
    let group = found.ok_or_else(|| Error::not_found("group", reference))?;
    let ids: Vec<_> = members(tx, &group.name).await?.into_iter().collect();
    let mut members = slipway_store::principals::many(tx, &ids).await?;
    members.sort_by(|a, b| (&a.subject, &a.issuer).cmp(&(&b.subject, &b.issuer)));
    Ok(GroupView {
        group,
        size: members.len(),
        members: Some(members),
    })
}

/// One group, by id or name, and who is in it. Seen by whoever may read anything.
///
/// # Errors
/// When there is none.
pub async fn get(tx: &mut Tx, actor: &Actor, reference: &str) -> Result<GroupView, Error> {
    teams::require_reader(actor)?;
    load(tx, reference).await
}

/// Groups, newest first. Seen by whoever may read anything.
///
/// # Errors
/// When the actor may read nothing.
pub async fn list(tx: &mut Tx, actor: &Actor, before: Before, limit: i64) -> Result<Vec<GroupView>, Error> {
    teams::require_reader(actor)?;
    let found = groups::list(tx, before, limit).await?;
    let ids: Vec<_> = found.iter().map(|group| group.id).collect();
    let sizes = groups::sizes(tx, &ids).await?;
    let shown = found.into_iter().map(|group| GroupView {
        size: sizes
            .get(&group.id)
            .map_or(0, |size| usize::try_from(*size).unwrap_or(usize::MAX)),
        group,
        members: None,
    });
    Ok(shown.collect())
}
