//! Fault 14: the disk of the database is full: first for its tables, then for its log.
//!
//! Invariant: everything is refused clearly, and nothing is applied to a cluster without its audit entry; when there is room
//! again, it goes on.
//!
//! The test runs itself once more in a mount namespace of its own, with a small file system in memory for Postgres: as root,
//! or as anybody where the system lets users have namespaces (`kernel.unprivileged_userns_clone`). Where neither is possible
//! it fails and says so.

use crate::ground::{behind_a_proxy, bundle, finish, writes_piece};
use jiff::SignedDuration;
use serde_json::{Value, json};
use slipway_domain::clock::process_now;
use slipway_testkit::live::{Database, OwnPostgres, ServerOptions, World, manifests::hook, text, within};
use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// Names the small file system, in the run inside the namespace.
const DISK: &str = "SLIPWAY_SMALL_DISK";
const NAME: &str = "disk_full::a_full_disk_is_refused_clearly_and_gone_on_from";
const SIZE: &str = "300m";

/// Runs this test again where a small disk can be mounted, which goes with the process that ends.
fn again_on_a_small_disk() {
    let dir = std::env::temp_dir().join(format!("slipway-disk-{}", std::process::id()));
    fs::create_dir_all(&dir).expect("a folder");
    let mut command = Command::new("unshare");
    command.arg("--mount");
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-current-user", "--keep-caps"]);
    }
    let script = format!(
        "mount -t tmpfs -o size={SIZE},mode=0755 tmpfs \"$1\" || exit 77; exec \"$2\" --exact {NAME} --nocapture"
    );
    let status = command
        .args(["sh", "-c", &script, "sh"])
        .arg(&dir)
        .arg(std::env::current_exe().expect("this program"))
        .env(DISK, &dir)
        .status();
    let _ = fs::remove_dir(&dir);
    let status = status.expect("`unshare` (package util-linux) is there");
    assert_ne!(
        status.code(),
        Some(77),
        "no small file system can be mounted: run this as root, or let users have namespaces"
    );
    assert!(status.success(), "on a small disk: {status}");
}

/// A file that leaves nothing of the disk.
struct Ballast(PathBuf);

impl Ballast {
    fn drop_in(disk: &Path) -> Self {
        let path = disk.join("ballast");
        let mut file = File::create(&path).expect("a file");
        for size in [1 << 20, 4096] {
            let piece = vec![1; size];
            while file.write_all(&piece).is_ok() {}
        }
        Self(path)
    }

    /// Takes what has become free since.
    fn grow(&self) {
        let mut file = File::options().append(true).open(&self.0).expect("the file");
        while file.write_all(&[1; 4096]).is_ok() {}
    }

    fn take_away(self) {
        fs::remove_file(self.0).expect("it goes");
    }
}

#[tokio::test]
async fn a_full_disk_is_refused_clearly_and_gone_on_from() {
    let Some(disk) = std::env::var_os(DISK).map(PathBuf::from) else {
        return again_on_a_small_disk();
    };
    let mut postgres = OwnPostgres::start_in(&disk.join("sandbox"), false).await;
    assert!(postgres.data().starts_with(&disk) && !postgres.data().parent().is_some_and(Path::is_symlink));
    let database = Database::create_on(&postgres.url).await;
    let both = [ServerOptions::default(), ServerOptions::default()];
    let (world, proxy) = behind_a_proxy("disk", &both, database).await;
    let namespace = world.namespace("staging").await;
    let slow = hook("migrate", "registry.example/shop/migrate:1.0-slow") + &bundle(3, "blue");
    world.sealed("1.0.0", &slow).await;
    let id = world.deploy("1.0.0", "staging").await;
    let hooking = |d: &Value| text(&d["targets"][0]["step"]).starts_with("hook:");
    world.until(&id, "running its hook", hooking).await;

    // No room for tables. What still fits into pages that are there is taken; then nothing is.
    let ballast = Ballast::drop_in(&disk);
    let mut taken = Vec::new();
    let mut refusals = 0;
    for i in 0..3000 {
        if refusals >= 20 {
            break;
        }
        let admin = world.admin.at(&world.servers[i % 2].api);
        let name = format!("team-{i}");
        let reply = admin.post("/v1/teams", json!({"name": name})).await;
        if reply.status == 201 {
            taken.push(name);
            refusals = 0;
            ballast.grow();
        } else {
            refusals += 1;
            assert!(!reply.header("retry-after").is_empty(), "{reply:#?}");
            reply.problem(503, "unavailable").says("no room left");
        }
    }
    assert!(refusals >= 20, "everything is refused at last");
    let waiting = deployments_until_refused(&world, &ballast).await;

    // No room for the log either: Postgres gives up.
    let fill = async || {
        let Ok(mut connection) = world.database.try_connect().await else {
            return true;
        };
        let sql = "SELECT pg_logical_emit_message(false, 'fill', repeat('x', 1000000)), pg_switch_wal()";
        sqlx::raw_sql(sql).execute(&mut connection).await.is_err()
    };
    within(Duration::from_secs(30), "Postgres cannot write its log", fill).await;
    let down = async || {
        let mut all_down = true;
        for server in &world.servers {
            let admin = world.admin.at(&server.api);
            let reply = admin.post("/v1/teams", json!({"name": "team-down"})).await;
            all_down &= reply.status == 503 && admin.get("/readyz").await.status == 503;
        }
        all_down
    };
    within(Duration::from_secs(20), "both servers say that they cannot", down).await;
    tokio::time::sleep(Duration::from_secs(3)).await;

    // Whatever is on the cluster by now is of a deployment whose admission is in the record.
    let written: Vec<_> = proxy
        .log()
        .into_iter()
        .filter(|one| writes_piece(&one.method, &one.path, &one.query))
        .collect();
    ballast.take_away();
    postgres.up_again().await;
    let ready = async || {
        let mut both = true;
        for server in &world.servers {
            both &= world.admin.at(&server.api).get("/readyz").await.status == 200;
        }
        both
    };
    let took = within(Duration::from_secs(10), "both servers are ready again", ready).await;
    let admitted = "SELECT count(*) FROM audit_entries WHERE action = 'deployment.run'";
    assert_eq!(world.database.count(admitted).await, 1);
    assert_eq!(
        world.database.count("SELECT count(*) FROM deployments").await,
        1 + waiting,
        "those that were taken are there, and the last was asked for in vain"
    );
    world.ends(&id, "succeeded").await;
    check_rest(&world, &namespace, &id).await;
    let rows = world.database.rows("SELECT name FROM teams").await;
    let there: std::collections::BTreeSet<String> = rows.iter().map(|row| text(&row["name"])).collect();
    let lost: Vec<_> = taken.iter().filter(|name| !there.contains(*name)).collect();
    assert!(lost.is_empty(), "{lost:?} were acknowledged, and are lost");
    eprintln!(
        "{} writes, and {waiting} of what needs other tables, were taken until the disk was full, and are there; {} objects were \
         written meanwhile; ready {took:?} after there was room",
        taken.len(),
        written.len(),
    );
    world
        .admin
        .post("/v1/teams", json!({"name": "team-after"}))
        .await
        .expect(201);
    finish(world, vec![namespace]).await;
}

/// Teams need room in tables of their own: what a deployment needs may still be there, until that is taken, too. None of these
/// begins by itself; how many were taken.
async fn deployments_until_refused(world: &World, ballast: &Ballast) -> i64 {
    let later = (process_now() + SignedDuration::from_hours(1)).to_string();
    let body = json!({"release": world.release("1.0.0"), "environment": "staging", "not_before": later});
    for taken in 0..100 {
        let asked = world.otto.post("/v1/deployments", body.clone()).await;
        if asked.status != 201 {
            asked.problem(503, "unavailable").says("no room left");
            return taken;
        }
        ballast.grow();
    }
    panic!("deployments are taken without end");
}

async fn check_rest(world: &World, namespace: &slipway_testkit::live::Namespace, id: &str) {
    assert!(world.told(id, "hook.started").await.len() <= 1);
    let job = format!("/apis/batch/v1/namespaces/{}/jobs/migrate", namespace.name);
    assert!(namespace.send("GET", &job, &Value::Null).await.is_some());
    let live = namespace.list("ConfigMap").await;
    let pieces: Vec<_> = live
        .values()
        .filter(|object| text(&object["metadata"]["name"]).starts_with("settings-"))
        .collect();
    assert_eq!(pieces.len(), 3);
    for piece in pieces {
        assert_eq!(piece["metadata"]["annotations"]["slipway.dev/deployment"], id);
    }
}
