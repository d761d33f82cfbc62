//! Groups of people who are asked for approval, and who is in them.

use crate::{Before, Cols, Error, Ref, Tx, row::exactly_one};
use slipway_domain::{
    Name,
    ids::{Fresh as _, GroupId, PrincipalId},
};
use sqlx::postgres::PgRow;
use std::collections::{BTreeMap, BTreeSet};
use type_safe_id::TypeSafeId;
use uuid::Uuid;

pub use slipway_domain::registry::Group;

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT id, name, description, revision, created_at FROM groups ",
            $tail
        )
    };
}

fn read(row: &PgRow) -> Result<Group, Error> {
    let cols = Cols::new("groups", row);
    Ok(Group {
        id: cols.id("id")?,
        name: cols.parse("name")?,
        description: cols.get("description")?,
        revision: cols.get("revision")?,
        created_at: cols.time("created_at")?,
    })
}

fn texts(names: &[Name]) -> Vec<&str> {
    names.iter().map(Name::as_str).collect()
}

/// Writes a new group, with nobody in it.
///
/// # Errors
/// [`Error::Duplicate`] with `groups_name_key` when the name is taken.
pub async fn insert(tx: &mut Tx, name: &Name, description: &str) -> Result<Group, Error> {
    let row = sqlx::query(
        "INSERT INTO groups (id, name, description) VALUES ($1, $2, $3) \
         RETURNING id, name, description, revision, created_at",
    )
    .bind(GroupId::fresh().uuid())
    .bind(name.as_str())
    .bind(description)
    .fetch_one(tx.conn())
    .await?;
    read(&row)
}

/// The group with this id or name.
///
/// # Errors
/// When the database refuses.
pub async fn find(tx: &mut Tx, reference: &Ref) -> Result<Option<Group>, Error> {
    let row = reference
        .either(select!("WHERE id = $1"), select!("WHERE name = $1"))
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(read).transpose()
}

/// The group with this id or name, held against other changes until the end of the transaction.
///
/// # Errors
/// When the database refuses.
pub async fn find_for_update(tx: &mut Tx, reference: &Ref) -> Result<Option<Group>, Error> {
    let row = reference
        .either(
            select!("WHERE id = $1 FOR UPDATE"),
            select!("WHERE name = $1 FOR UPDATE"),
        )
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(read).transpose()
}

/// Groups, newest first.
///
/// # Errors
/// When the database refuses.
pub async fn list(tx: &mut Tx, before: Before, limit: i64) -> Result<Vec<Group>, Error> {
    sqlx::query(select!(
        "WHERE $1::uuid IS NULL OR id < $1 ORDER BY id DESC LIMIT $2"
    ))
    .bind(before)
    .bind(limit)
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(read)
    .collect()
}

async fn raise(tx: &mut Tx, group: &Group) -> Result<(), Error> {
    let done = sqlx::query(
        "UPDATE groups SET description = $3, revision = revision + 1 WHERE id = $1 AND revision = $2",
    )
    .bind(group.id.uuid())
    .bind(group.revision)
    .bind(&group.description)
    .execute(tx.conn())
    .await?;
    exactly_one("changing a group", done.rows_affected())
}

/// Saves the description of a group and puts exactly these people into it, if it still has the revision it was read at.
///
/// # Errors
/// [`Error::Guard`] when it was changed in between.
pub async fn set_members(tx: &mut Tx, group: &Group, members: &BTreeSet<PrincipalId>) -> Result<(), Error> {
    raise(tx, group).await?;
    let ids: Vec<Uuid> = members.iter().map(TypeSafeId::uuid).collect();
    sqlx::query("DELETE FROM group_members WHERE group_id = $1 AND principal_id <> ALL($2)")
        .bind(group.id.uuid())
        .bind(&ids)
        .execute(tx.conn())
        .await?;
    sqlx::query(
        "INSERT INTO group_members (group_id, principal_id) SELECT $1, unnest($2::uuid[]) ON CONFLICT DO NOTHING",
    )
    .bind(group.id.uuid())
    .bind(&ids)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Puts somebody into a group, if it still has the revision it was read at.
///
/// # Errors
/// [`Error::Guard`] when it was changed in between; [`Error::Duplicate`] with `group_members_pkey` when they are in it.
pub async fn add_member(tx: &mut Tx, group: &Group, who: PrincipalId) -> Result<(), Error> {
    raise(tx, group).await?;
    sqlx::query("INSERT INTO group_members (group_id, principal_id) VALUES ($1, $2)")
        .bind(group.id.uuid())
        .bind(who.uuid())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Takes somebody out of a group, if it still has the revision it was read at.
///
/// # Errors
/// [`Error::Guard`] when it was changed in between, or they are not in it.
pub async fn remove_member(tx: &mut Tx, group: &Group, who: PrincipalId) -> Result<(), Error> {
    raise(tx, group).await?;
    let done = sqlx::query("DELETE FROM group_members WHERE group_id = $1 AND principal_id = $2")
        .bind(group.id.uuid())
        .bind(who.uuid())
        .execute(tx.conn())
        .await?;
    exactly_one("taking somebody out of a group", done.rows_affected())
}

/// Who is in these groups; a name without a group is not in it, a group with nobody in it is.
///
/// # Errors
/// When the database refuses.
pub async fn members_of(tx: &mut Tx, names: &[Name]) -> Result<BTreeMap<Name, BTreeSet<PrincipalId>>, Error> {
    let rows = sqlx::query(
        "SELECT g.id, g.name, m.principal_id FROM groups g LEFT JOIN group_members m ON m.group_id = g.id \
         WHERE g.name = ANY($1)",
    )
    .bind(texts(names))
    .fetch_all(tx.conn())
    .await?;
    let mut all: BTreeMap<Name, BTreeSet<PrincipalId>> = BTreeMap::new();
    for row in &rows {
        let cols = Cols::new("groups", row);
        let members = all.entry(cols.parse("name")?).or_default();
        members.extend(cols.id_opt::<slipway_domain::ids::PrincipalTag>("principal_id")?);
    }
    Ok(all)
}

/// How many are in these groups; a group with nobody in it is not in it.
///
/// # Errors
/// When the database refuses.
pub async fn sizes(tx: &mut Tx, groups: &[GroupId]) -> Result<BTreeMap<GroupId, u32>, Error> {
    let ids: Vec<Uuid> = groups.iter().map(TypeSafeId::uuid).collect();
    let rows = sqlx::query(
        "SELECT group_id AS id, count(*)::int AS size FROM group_members WHERE group_id = ANY($1) GROUP BY group_id",
    )
    .bind(ids)
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| {
            let cols = Cols::new("group_members", row);
            Ok((cols.id("id")?, cols.count("size")?))
        })
        .collect()
}

/// The groups that these people are in, by name; who is in none is not in it.
///
/// # Errors
/// When the database refuses.
pub async fn of(tx: &mut Tx, people: &[PrincipalId]) -> Result<BTreeMap<PrincipalId, Vec<Name>>, Error> {
    let ids: Vec<Uuid> = people.iter().map(TypeSafeId::uuid).collect();
    let rows = sqlx::query(
        "SELECT g.id, g.name, m.principal_id FROM group_members m JOIN groups g ON g.id = m.group_id \
         WHERE m.principal_id = ANY($1) ORDER BY g.name",
    )
    .bind(ids)
    .fetch_all(tx.conn())
    .await?;
    let mut all: BTreeMap<PrincipalId, Vec<Name>> = BTreeMap::new();
    for row in &rows {
        let cols = Cols::new("groups", row);
        let groups = all.entry(cols.id("principal_id")?).or_default();
        groups.push(cols.parse("name")?);
    }
    Ok(all)
}

/// Which of these names no group has, in the order given.
///
/// # Errors
/// When the database refuses.
pub async fn missing(tx: &mut Tx, names: &[Name]) -> Result<Vec<Name>, Error> {
    let known: Vec<String> = sqlx::query_scalar("SELECT name FROM groups WHERE name = ANY($1)")
        .bind(texts(names))
        .fetch_all(tx.conn())
        .await?;
    let is_known = |name: &&Name| known.iter().any(|known| known == name.as_str());
    Ok(names.iter().filter(|name| !is_known(name)).cloned().collect())
}
