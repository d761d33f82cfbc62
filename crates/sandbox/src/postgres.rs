//! A private Postgres.

use std::ffi::OsString;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::layout::{Layout, write_private};
use crate::options::Progress;
use crate::supervisor::{ChildSpec, Ending, Supervisor};

/// The name of the superuser and of the database.
const NAME: &str = "slipway";
/// The system's user that Postgres runs as when the sandbox is root's; its package creates it.
const SYSTEM_USER: &str = "postgres";
const READY_WITHIN: Duration = Duration::from_mins(1);
/// The longest path of a Unix socket, less the name Postgres gives it.
const LONGEST_SOCKET_DIR: usize = 85;

/// Starts Postgres, making its data folder when there is none, and writes the file with the database's URL.
pub(crate) async fn start(
    layout: &Layout,
    supervisor: &Supervisor,
    binaries: &Path,
    port: u16,
    password: &str,
    forgetful: bool,
    progress: &Progress,
) -> Result<()> {
    let begun = Instant::now();
    let owner = Owner::choose()?;
    let home = home(layout, owner.as_ref(), progress)?;
    let data = home.join("data");
    let run = |name: &str, program: &str, args: Vec<OsString>| ChildSpec {
        name: name.to_owned(),
        program: binaries.join(program),
        args,
        user: owner.as_ref().map(|_| SYSTEM_USER.to_owned()),
        ending: Ending::Tidy,
    };

    // Kept outside of a sandbox's folder, it can outlive that: what a folder that is gone has left opens to nobody.
    let made_for = home.join("made-for");
    if data.exists() && fs::read_to_string(&made_for).is_ok_and(|kept| kept != password) {
        progress.tell(format!(
            "postgres: {} is of a sandbox whose folder was deleted; it is made anew",
            data.display()
        ));
        fs::remove_dir_all(&data).with_context(|| format!("cannot remove {}", data.display()))?;
    }
    if !data.exists() {
        // Clients that are not optimised take a tenth of a second of computing for each connection with SCRAM; over loopback
        // the password itself is as good, and tests connect often.
        let auth = if forgetful { "password" } else { "scram-sha-256" };
        create(supervisor, &home, &data, owner.as_ref(), (password, auth), run).await?;
        write_private(&made_for, password)?;
    }

    let mut args: Vec<OsString> = vec![
        "-D".into(),
        data.clone().into(),
        "-p".into(),
        port.to_string().into(),
    ];
    let socket_dir = if home.as_os_str().len() <= LONGEST_SOCKET_DIR {
        home.clone()
    } else {
        PathBuf::new()
    };
    args.extend(["-k".into(), socket_dir.into()]);
    for setting in [
        "listen_addresses=127.0.0.1",
        "max_connections=300",
        "timezone=UTC",
        "log_line_prefix=%m [%p] %a ",
    ] {
        args.extend(["-c".into(), setting.into()]);
    }
    if forgetful {
        // Dropping a database waits for clients that are just signing in; a test that drops its own while one of its
        // connections does so would wait for itself until this time is over.
        for setting in [
            "fsync=off",
            "synchronous_commit=off",
            "full_page_writes=off",
            "authentication_timeout=10s",
        ] {
            args.extend(["-c".into(), setting.into()]);
        }
    }
    // Says "ready" in its last line: one left by a killed run must not be taken for the new one's.
    remove_if_there(&data.join("postmaster.pid"))?;
    supervisor.keep(run("postgres", "postgres", args)).await?;
    wait_until_ready(&data).await?;

    write_private(
        &layout.database_url(),
        &format!("postgres://{NAME}:{password}@127.0.0.1:{port}/{NAME}\n"),
    )?;
    progress.tell(format!(
        "postgres ready in {:.1} s on 127.0.0.1:{port}",
        begun.elapsed().as_secs_f64()
    ));
    Ok(())
}

/// Makes the data folder under another name first, so that a killed run leaves none that looks finished.
async fn create(
    supervisor: &Supervisor,
    home: &Path,
    data: &Path,
    owner: Option<&Owner>,
    (password, auth): (&str, &str),
    run: impl Fn(&str, &str, Vec<OsString>) -> ChildSpec,
) -> Result<()> {
    let unfinished = home.join("data.unfinished");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished)?;
    }
    let password_file = home.join("password");
    write_private(&password_file, password)?;
    if let Some(owner) = owner {
        owner.take(&password_file)?;
    }
    let mut args: Vec<OsString> = vec![
        "-D".into(),
        unfinished.clone().into(),
        "--username".into(),
        NAME.into(),
    ];
    args.extend(["--pwfile".into(), password_file.clone().into()]);
    args.push(format!("--auth={auth}").into());
    let fixed = ["--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"];
    args.extend(fixed.map(OsString::from));
    supervisor
        .run_once(run("postgres-initdb", "initdb", args))
        .await?;
    fs::remove_file(&password_file)?;

    // The single-user mode needs no client program and no open port.
    let statement = home.join("create.sql");
    fs::write(&statement, format!("CREATE DATABASE {NAME}\n"))?;
    fs::set_permissions(&statement, fs::Permissions::from_mode(0o644))?;
    let args: Vec<OsString> = vec![
        "-c".into(),
        r#"exec "$0" --single -j -D "$1" postgres <"$2""#.into(),
        run("", "postgres", Vec::new()).program.into(),
        unfinished.clone().into(),
        statement.clone().into(),
    ];
    let shell = ChildSpec {
        program: "/bin/sh".into(),
        ..run("postgres-create", "postgres", args)
    };
    supervisor.run_once(shell).await?;
    fs::remove_file(&statement)?;
    fs::rename(&unfinished, data)?;
    Ok(())
}

async fn wait_until_ready(data: &Path) -> Result<()> {
    let end = Instant::now() + READY_WITHIN;
    let pid_file = data.join("postmaster.pid");
    loop {
        // The eighth line is the state, which is what pg_ctl looks at too.
        let state = fs::read_to_string(&pid_file).unwrap_or_default();
        if state.lines().nth(7).is_some_and(|line| line.trim() == "ready") {
            return Ok(());
        }
        ensure!(
            Instant::now() < end,
            "Postgres was not ready within {} s",
            READY_WITHIN.as_secs()
        );
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

/// The folder of everything of Postgres, owned by whom it runs as.
fn home(layout: &Layout, owner: Option<&Owner>, progress: &Progress) -> Result<PathBuf> {
    let inside = layout.root().join("postgres");
    let Some(owner) = owner else {
        return layout.private_dir("postgres");
    };
    let home = if owner.reaches(layout.root()) {
        inside
    } else {
        let mut hasher = DefaultHasher::new();
        layout.root().hash(&mut hasher);
        let outside = PathBuf::from(format!("/var/tmp/slipway-sandbox-{:016x}", hasher.finish()));
        progress.tell(format!(
            "postgres keeps its data in {}: its user may not enter {}",
            outside.display(),
            layout.root().display()
        ));
        // Seen, and found again by who cleans up.
        if fs::symlink_metadata(&inside).is_err() {
            symlink(&outside, &inside)?;
        }
        outside
    };
    if !home.exists() {
        fs::create_dir(&home).with_context(|| format!("cannot create {}", home.display()))?;
    }
    let folder = fs::symlink_metadata(&home)?;
    ensure!(
        folder.is_dir() && (folder.uid() == 0 || folder.uid() == owner.uid),
        "{} belongs to somebody else",
        home.display()
    );
    fs::set_permissions(&home, fs::Permissions::from_mode(0o700))?;
    owner.take(&home)?;
    Ok(home)
}

fn remove_if_there(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// The system's user that Postgres runs as in root's place.
#[derive(Debug)]
struct Owner {
    uid: u32,
    gid: u32,
}

impl Owner {
    /// `None` unless this process is root's, in whose name Postgres refuses to run.
    fn choose() -> Result<Option<Self>> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        Ok(Some(Self {
            uid: id("-u")?,
            gid: id("-g")?,
        }))
    }

    fn take(&self, path: &Path) -> Result<()> {
        chown(path, Some(self.uid), Some(self.gid))
            .with_context(|| format!("cannot hand over {}", path.display()))
    }

    /// Whether this user may enter `dir` and every folder above it.
    fn reaches(&self, dir: &Path) -> bool {
        dir.ancestors().all(|folder| {
            fs::metadata(folder).is_ok_and(|found| {
                let needed = if found.uid() == self.uid {
                    0o100
                } else if found.gid() == self.gid {
                    0o010
                } else {
                    0o001
                };
                found.mode() & needed != 0
            })
        })
    }
}

fn id(flag: &str) -> Result<u32> {
    let output = Command::new("id")
        .args([flag, SYSTEM_USER])
        .output()
        .context("cannot run id")?;
    if !output.status.success() {
        bail!("Postgres does not run as root, and there is no user {SYSTEM_USER} to run it as");
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().parse()?)
}
