//! The whole product as its users have it: the real binary in processes of its own, a real Postgres, real Kubernetes API
//! servers. For the suites of whole runs, of faults and of endurance, and for the bench.
//!
//! [`World`] is where a test begins: a database, one server or more ([`Server`], started as [`ServerOptions`] say), people
//! ([`Person`]), a team, a service and its component. [`Database`] and [`Namespace`] show what is really there;
//! [`manifests`] has small bundles. What breaks things: [`TcpProxy`] between a server and its Postgres, [`KubeProxy`] between
//! a server and an API server, [`OwnPostgres`] and
//! [`OwnSandbox`] for tests that must not break what others use.
//!
//! ```no_run
//! # async fn test() {
//! use slipway_testkit::live::{World, manifests};
//! let mut world = World::start("example").await;
//! world.sealed("1.0.0", &manifests::config("web", "blue")).await;
//! let id = world.deploy("1.0.0", "staging").await;
//! world.ends(&id, "succeeded").await;
//! world.examine();
//! world.close().await;
//! # }
//! ```
//!
//! `SLIPWAY_TEST_DATABASE_URL` names a Postgres where databases may be made; `SLIPWAY_TEST_KUBECONFIG` has the contexts
//! `staging`, `eu` and `us`, where the sandbox's nodes run pods as their images ask. `tests/run` sets both.

mod database;
mod kube_carry;
mod kube_proxy;
mod kubernetes;
pub mod manifests;
mod own;
mod person;
mod server;
mod tcp;
mod world;

pub(crate) use database::tables_with;
pub use database::{Contents, Database};
pub use kube_proxy::{Answer, Asked, Fate, Gate, KubeProxy, Logged, Rule, WatchEnd};
pub use kubernetes::{Namespace, content, is_available, kubeconfig};
pub use own::{OwnPostgres, OwnSandbox};
pub use person::{Person, Problem, Reply, Seen, text};
pub use server::{ADMIN, ALL, LEASE_SECONDS, Server, ServerOptions, free_port, test_folder, within};
pub use tcp::{Mode, TcpProxy};
pub use world::World;

use std::{
    path::PathBuf,
    sync::{LazyLock, OnceLock},
};

static BINARY: OnceLock<PathBuf> = OnceLock::new();

/// Sets the binary under test, once for the process: for who is no integration test of `slipway`.
///
/// # Panics
/// When another one was set, or used, before.
pub fn use_binary(path: impl Into<PathBuf>) {
    let path = path.into();
    let set = BINARY.get_or_init(|| path.clone());
    assert_eq!(*set, path, "another binary is in use already");
}

/// The binary under test: the one set with [`use_binary`]; in an integration test of `slipway` the one that cargo built for
/// it; else the one beside the running program, where cargo puts it.
///
/// # Panics
/// When there is none.
pub fn binary() -> PathBuf {
    BINARY
        .get_or_init(|| {
            if let Some(path) = std::env::var_os("CARGO_BIN_EXE_slipway") {
                return path.into();
            }
            let this = std::env::current_exe().expect("this program's path");
            let beside = this.ancestors().skip(1).take(2).map(|dir| dir.join("slipway"));
            beside
                .into_iter()
                .find(|path| path.is_file())
                .expect("slipway is built, and beside this program: `cargo build -p slipway`")
        })
        .clone()
}

/// Where tests keep their files: `target/tmp`, as cargo has it.
static TMP: LazyLock<PathBuf> = LazyLock::new(|| {
    let this = std::env::current_exe().expect("this program's path");
    let target = this
        .ancestors()
        .find(|dir| dir.join("CACHEDIR.TAG").is_file())
        .map_or_else(std::env::temp_dir, PathBuf::from);
    target.join("tmp")
});
