//! Documents with versions that never change, of which one at most is in force: the same for policies and processes, in
//! tables of the same shape.

use crate::{Before, Cols, Error, Ref, Tx, row::exactly_one};
use serde::{Serialize, de::DeserializeOwned};
use slipway_domain::{
    Digest, Name,
    ids::{Fresh as _, PrincipalId},
    versioned::{Head, Person, Version},
};
use sqlx::{AssertSqlSafe, postgres::PgRow};
use type_safe_id::{StaticType, TypeSafeId};
use uuid::Uuid;

/// Where something with versions is kept. Names of our own, never of a user's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tables {
    /// The table of what has versions.
    pub(crate) heads: &'static str,
    /// The table of these.
    pub(crate) versions: &'static str,
    /// Its column that names what they are versions of.
    pub(crate) owner: &'static str,
}

impl Tables {
    fn select(self, tail: &str) -> AssertSqlSafe<String> {
        AssertSqlSafe(format!(
            "SELECT id, name, in_force, latest, revision, created_at FROM {} {tail}",
            self.heads
        ))
    }

    fn select_version(self, tail: &str) -> AssertSqlSafe<String> {
        let Self {
            heads,
            versions,
            owner,
        } = self;
        AssertSqlSafe(format!(
            "SELECT p.id, p.name, v.version, v.document, v.digest, v.created_at, v.author_id, a.name AS author_name, \
             v.activated_by, v.activated_at, b.name AS activated_name, v.retired_by, v.retired_at, c.name AS retired_name \
             FROM {versions} v JOIN {heads} p ON p.id = v.{owner} JOIN principals a ON a.id = v.author_id \
             LEFT JOIN principals b ON b.id = v.activated_by LEFT JOIN principals c ON c.id = v.retired_by {tail}"
        ))
    }

    pub(crate) fn head<T: StaticType>(self, row: &PgRow) -> Result<Head<TypeSafeId<T>>, Error> {
        let cols = Cols::new(self.heads, row);
        Ok(Head {
            id: cols.id("id")?,
            name: cols.parse("name")?,
            in_force: cols.get("in_force")?,
            latest: cols.get("latest")?,
            revision: cols.get("revision")?,
            created_at: cols.time("created_at")?,
        })
    }

    fn version<T: StaticType, D: DeserializeOwned>(
        self,
        row: &PgRow,
    ) -> Result<Version<TypeSafeId<T>, D>, Error> {
        let cols = Cols::new(self.versions, row);
        let person = |id: PrincipalId, name: &str| {
            Ok::<_, Error>(Person {
                id,
                name: cols.get(name)?,
            })
        };
        let did = |by: &str, at: &str, name: &str| match (cols.id_opt(by)?, cols.time_opt(at)?) {
            (Some(by), Some(at)) => Ok(Some((person(by, name)?, at))),
            (None, None) => Ok(None),
            _ => Err(cols.bad(by, format!("goes with {at}"))),
        };
        Ok(Version {
            of: cols.id("id")?,
            name: cols.parse("name")?,
            version: cols.get("version")?,
            document: cols.json("document")?,
            digest: cols.digest("digest")?,
            author: person(cols.id("author_id")?, "author_name")?,
            created_at: cols.time("created_at")?,
            activated: did("activated_by", "activated_at", "activated_name")?,
            retired: did("retired_by", "retired_at", "retired_name")?,
        })
    }

    /// Writes a new one with its first version; [`Error::Duplicate`] when the name is taken.
    pub(crate) async fn insert<T: StaticType, D: Serialize + Sync>(
        self,
        tx: &mut Tx,
        name: &Name,
        document: &D,
        digest: Digest,
        author: PrincipalId,
    ) -> Result<TypeSafeId<T>, Error> {
        self.insert_with(tx, name, document, digest, author, []).await
    }

    /// As [`Tables::insert`], with values of further columns.
    pub(crate) async fn insert_with<T: StaticType, D: Serialize + Sync, const N: usize>(
        self,
        tx: &mut Tx,
        name: &Name,
        document: &D,
        digest: Digest,
        author: PrincipalId,
        further: [(&'static str, Option<Uuid>); N],
    ) -> Result<TypeSafeId<T>, Error> {
        let id = TypeSafeId::<T>::fresh();
        let mut columns = String::new();
        let mut places = String::new();
        for (i, (column, _)) in further.iter().enumerate() {
            columns = format!("{columns}, {column}");
            places = format!("{places}, ${}", i + 3);
        }
        let sql = format!(
            "INSERT INTO {} (id, name, latest{columns}) VALUES ($1, $2, 1{places})",
            self.heads
        );
        let mut query = sqlx::query(AssertSqlSafe(sql))
            .bind(id.uuid())
            .bind(name.as_str());
        for (_, value) in further {
            query = query.bind(value);
        }
        query.execute(tx.conn()).await?;
        self.write(tx, id.uuid(), 1, document, digest, author).await?;
        Ok(id)
    }

    /// Writes a further version of what still has the revision it was read at; says which version it is.
    pub(crate) async fn insert_version<T: StaticType, D: Serialize + Sync>(
        self,
        tx: &mut Tx,
        of: &Head<TypeSafeId<T>>,
        document: &D,
        digest: Digest,
        author: PrincipalId,
    ) -> Result<i64, Error> {
        let next = of.latest + 1;
        let sql = format!(
            "UPDATE {} SET latest = $3, revision = revision + 1 WHERE id = $1 AND revision = $2 AND latest = $3 - 1",
            self.heads
        );
        let done = sqlx::query(AssertSqlSafe(sql))
            .bind(of.id.uuid())
            .bind(of.revision)
            .bind(next)
            .execute(tx.conn())
            .await?;
        exactly_one("writing a version", done.rows_affected())?;
        self.write(tx, of.id.uuid(), next, document, digest, author)
            .await?;
        Ok(next)
    }

    async fn write<D: Serialize + Sync>(
        self,
        tx: &mut Tx,
        id: Uuid,
        version: i64,
        document: &D,
        digest: Digest,
        author: PrincipalId,
    ) -> Result<(), Error> {
        let json =
            serde_json::to_value(document).map_err(|e| Error::Database(sqlx::Error::Encode(Box::new(e))))?;
        let sql = format!(
            "INSERT INTO {} ({}, version, document, digest, author_id) VALUES ($1, $2, $3, $4, $5)",
            self.versions, self.owner
        );
        sqlx::query(AssertSqlSafe(sql))
            .bind(id)
            .bind(version)
            .bind(json)
            .bind(digest.to_string())
            .bind(author.uuid())
            .execute(tx.conn())
            .await?;
        Ok(())
    }

    /// The one with this id or name; locked until the end of the transaction, if that is asked for.
    pub(crate) async fn find<T: StaticType>(
        self,
        tx: &mut Tx,
        reference: &Ref,
        lock: bool,
    ) -> Result<Option<Head<TypeSafeId<T>>>, Error> {
        let lock = if lock { "FOR UPDATE" } else { "" };
        let row = match reference {
            Ref::Id(id) => sqlx::query(self.select(&format!("WHERE id = $1 {lock}"))).bind(*id),
            Ref::Name(name) => {
                sqlx::query(self.select(&format!("WHERE name = $1 {lock}"))).bind(name.clone())
            }
        };
        let row = row.fetch_optional(tx.conn()).await?;
        row.as_ref().map(|row| self.head(row)).transpose()
    }

    /// All of them, newest first.
    pub(crate) async fn list<T: StaticType>(
        self,
        tx: &mut Tx,
        before: Before,
        limit: i64,
    ) -> Result<Vec<Head<TypeSafeId<T>>>, Error> {
        sqlx::query(self.select("WHERE $1::uuid IS NULL OR id < $1 ORDER BY id DESC LIMIT $2"))
            .bind(before)
            .bind(limit)
            .fetch_all(tx.conn())
            .await?
            .iter()
            .map(|row| self.head(row))
            .collect()
    }

    /// The revision of one, by one index.
    pub(crate) async fn revision(self, tx: &mut Tx, reference: &Ref) -> Result<Option<i64>, Error> {
        let sql =
            |column: &str| AssertSqlSafe(format!("SELECT revision FROM {} WHERE {column} = $1", self.heads));
        let query = match reference {
            Ref::Id(id) => sqlx::query_scalar(sql("id")).bind(*id),
            Ref::Name(name) => sqlx::query_scalar(sql("name")).bind(name.clone()),
        };
        Ok(query.fetch_optional(tx.conn()).await?)
    }

    /// One version.
    pub(crate) async fn get_version<T: StaticType, D: DeserializeOwned>(
        self,
        tx: &mut Tx,
        id: TypeSafeId<T>,
        number: i64,
    ) -> Result<Option<Version<TypeSafeId<T>, D>>, Error> {
        let tail = format!("WHERE v.{} = $1 AND v.version = $2", self.owner);
        let row = sqlx::query(self.select_version(&tail))
            .bind(id.uuid())
            .bind(number)
            .fetch_optional(tx.conn())
            .await?;
        row.as_ref().map(|row| self.version(row)).transpose()
    }

    /// Versions below a number, newest first.
    pub(crate) async fn list_versions<T: StaticType, D: DeserializeOwned>(
        self,
        tx: &mut Tx,
        id: TypeSafeId<T>,
        below: Option<i64>,
        limit: i64,
    ) -> Result<Vec<Version<TypeSafeId<T>, D>>, Error> {
        let tail = format!(
            "WHERE v.{} = $1 AND ($2::bigint IS NULL OR v.version < $2) ORDER BY v.version DESC LIMIT $3",
            self.owner
        );
        sqlx::query(self.select_version(&tail))
            .bind(id.uuid())
            .bind(below)
            .bind(limit)
            .fetch_all(tx.conn())
            .await?
            .iter()
            .map(|row| self.version(row))
            .collect()
    }

    /// Puts a draft in force, in the place of what was, which is retired by the same hand. The head must be locked.
    pub(crate) async fn activate<T: StaticType>(
        self,
        tx: &mut Tx,
        of: &Head<TypeSafeId<T>>,
        number: i64,
        by: PrincipalId,
    ) -> Result<(), Error> {
        if let Some(before) = of.in_force {
            self.retire_version(tx, of.id.uuid(), before, by).await?;
        }
        let sql = format!(
            "UPDATE {} SET activated_by = $3, activated_at = now() \
             WHERE {} = $1 AND version = $2 AND activated_at IS NULL",
            self.versions, self.owner
        );
        let done = sqlx::query(AssertSqlSafe(sql))
            .bind(of.id.uuid())
            .bind(number)
            .bind(by.uuid())
            .execute(tx.conn())
            .await?;
        exactly_one("putting a version in force", done.rows_affected())?;
        self.set_in_force(tx, of, Some(number)).await
    }

    /// Takes what is in force out of it. The head must be locked.
    pub(crate) async fn retire<T: StaticType>(
        self,
        tx: &mut Tx,
        of: &Head<TypeSafeId<T>>,
        by: PrincipalId,
    ) -> Result<(), Error> {
        if let Some(before) = of.in_force {
            self.retire_version(tx, of.id.uuid(), before, by).await?;
        }
        self.set_in_force(tx, of, None).await
    }

    async fn retire_version(self, tx: &mut Tx, id: Uuid, number: i64, by: PrincipalId) -> Result<(), Error> {
        let sql = format!(
            "UPDATE {} SET retired_by = $3, retired_at = now() \
             WHERE {} = $1 AND version = $2 AND activated_at IS NOT NULL AND retired_at IS NULL",
            self.versions, self.owner
        );
        let done = sqlx::query(AssertSqlSafe(sql))
            .bind(id)
            .bind(number)
            .bind(by.uuid())
            .execute(tx.conn())
            .await?;
        exactly_one("taking a version out of force", done.rows_affected())
    }

    async fn set_in_force<T: StaticType>(
        self,
        tx: &mut Tx,
        of: &Head<TypeSafeId<T>>,
        number: Option<i64>,
    ) -> Result<(), Error> {
        let sql = format!(
            "UPDATE {} SET in_force = $3, revision = revision + 1 WHERE id = $1 AND revision = $2",
            self.heads
        );
        let done = sqlx::query(AssertSqlSafe(sql))
            .bind(of.id.uuid())
            .bind(of.revision)
            .bind(number)
            .execute(tx.conn())
            .await?;
        exactly_one("changing what is in force", done.rows_affected())
    }
}
