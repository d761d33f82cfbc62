//! The other side: a chain whose head is one row, locked by each transaction until it is committed. Nothing waits to be
//! chained, and no statement is sent that need not be.

use super::{CONNECTIONS, Noted};
use crate::places::Places;
use anyhow::{Result, ensure};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use sqlx::{PgPool, postgres::PgPoolOptions};
use std::time::Duration;

const SCHEMA: &str = "CREATE TABLE raw_entries (
    seq bigint PRIMARY KEY, id uuid NOT NULL UNIQUE, at timestamptz NOT NULL, actor text NOT NULL, action text NOT NULL,
    subject text NOT NULL, data jsonb NOT NULL, previous bytea NOT NULL, digest bytea NOT NULL
);
CREATE TABLE raw_head (one boolean PRIMARY KEY DEFAULT true CHECK (one), seq bigint NOT NULL, digest bytea NOT NULL);
INSERT INTO raw_head (seq, digest) VALUES (0, decode(repeat('00', 32), 'hex'))";

/// A database with such a chain.
pub(super) struct Head {
    pool: PgPool,
    /// Kept for as long as it is used.
    _place: slipway_testkit::live::Database,
}

impl Head {
    pub(super) async fn create(places: &mut Places) -> Result<Self> {
        let place = places.database().await?;
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            // Our side does not ask connections that were just used, either.
            .test_before_acquire(false)
            .connect(&place.url)
            .await?;
        sqlx::raw_sql(SCHEMA).execute(&pool).await?;
        Ok(Self { pool, _place: place })
    }

    /// Writes entries for this long; entries a second.
    pub(super) async fn run(&self, duration: Duration) -> Result<f64> {
        let before = self.length().await?;
        let pool = self.pool.clone();
        let (rate, entries) = super::rate(duration, move |n| write(pool.clone(), n)).await?;
        let chained = self.length().await? - before;
        ensure!(
            usize::try_from(chained)? == entries,
            "{chained} of {entries} entries were chained"
        );
        Ok(rate)
    }

    async fn length(&self) -> Result<i64> {
        let length = sqlx::query_scalar("SELECT seq FROM raw_head");
        Ok(length.fetch_one(&self.pool).await?)
    }
}

async fn write(pool: PgPool, n: usize) -> Result<()> {
    let noted = Noted::number(n);
    let id = uuid::Uuid::now_v7();
    let mut tx = pool.begin().await?;
    let (seq, previous, at): (i64, Vec<u8>, String) =
        sqlx::query_as("SELECT seq, digest, clock_timestamp()::text FROM raw_head FOR UPDATE")
            .fetch_one(&mut *tx)
            .await?;
    let entry = json!({
        "seq": seq + 1, "id": id, "at": at, "actor": noted.actor, "action": noted.action, "subject": noted.subject, "data": noted.data,
    });
    let hash = Sha256::new_with_prefix(&previous).chain_update(serde_json::to_vec(&entry)?);
    sqlx::query(
        "WITH moved AS (UPDATE raw_head SET seq = $1, digest = $9) \
         INSERT INTO raw_entries (seq, id, at, actor, action, subject, data, previous, digest) \
         VALUES ($1, $2, $3::timestamptz, $4, $5, $6, $7, $8, $9)",
    )
    .bind(seq + 1)
    .bind(id)
    .bind(&at)
    .bind(noted.actor)
    .bind(noted.action)
    .bind(&noted.subject)
    .bind(&noted.data)
    .bind(&previous)
    .bind(hash.finalize().to_vec())
    .execute(&mut *tx)
    .await?;
    Ok(tx.commit().await?)
}
