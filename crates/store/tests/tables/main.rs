//! The registry and the library on a real Postgres.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod landing;
mod library;
mod people;
mod rows;
mod setup;
