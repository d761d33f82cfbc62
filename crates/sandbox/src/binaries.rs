//! Finds the servers' programs. Fetching them is the work of the scripts in `deploy/lib`.

use std::cmp::Reverse;
use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

const KUBERNETES: [&str; 3] = ["etcd", "kube-apiserver", "kube-controller-manager"];
const POSTGRES: [&str; 2] = ["initdb", "postgres"];

/// The folder with `etcd`, `kube-apiserver` and `kube-controller-manager`.
pub(crate) fn kubernetes(given: Option<&Path>) -> Result<PathBuf> {
    let cached = newest_first(&cache().join("slipway"), "kubernetes-");
    let places = path().into_iter().chain(cached).collect();
    find(
        &KUBERNETES,
        given,
        "SLIPWAY_KUBE_BIN_DIR",
        places,
        "deploy/lib/kubernetes-binaries",
    )
}

/// The folder with `initdb` and `postgres`.
pub(crate) fn postgres(given: Option<&Path>) -> Result<PathBuf> {
    let installed = newest_first(Path::new("/usr/lib/postgresql"), "")
        .into_iter()
        .map(|version| version.join("bin"));
    let places = installed.chain(path()).collect();
    find(
        &POSTGRES,
        given,
        "SLIPWAY_POSTGRES_BIN_DIR",
        places,
        "deploy/lib/postgres-binaries",
    )
}

fn find(
    names: &[&str],
    given: Option<&Path>,
    variable: &str,
    places: Vec<PathBuf>,
    script: &str,
) -> Result<PathBuf> {
    let chosen = given.map(Path::to_path_buf).or_else(|| {
        env::var_os(variable)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    });
    if let Some(folder) = chosen {
        if !holds_all(&folder, names) {
            bail!("{} does not hold all of {}", folder.display(), names.join(", "));
        }
        return Ok(folder);
    }
    match places.into_iter().find(|folder| holds_all(folder, names)) {
        Some(folder) => Ok(folder),
        None => bail!(
            "cannot find {}: run {script}, or set {variable}",
            names.join(", ")
        ),
    }
}

fn path() -> Vec<PathBuf> {
    env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect()
}

fn holds_all(folder: &Path, names: &[&str]) -> bool {
    names.iter().all(|name| {
        fs::metadata(folder.join(name))
            .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    })
}

fn cache() -> PathBuf {
    env::var_os("XDG_CACHE_HOME")
        .filter(|value| !value.is_empty())
        .map_or_else(
            || PathBuf::from(env::var_os("HOME").unwrap_or_default()).join(".cache"),
            PathBuf::from,
        )
}

/// Folders in `parent` whose names are `prefix` and a version, the highest version first.
fn newest_first(parent: &Path, prefix: &str) -> Vec<PathBuf> {
    let mut found: Vec<(Vec<u32>, PathBuf)> = fs::read_dir(parent)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let version = name
                .strip_prefix(prefix)?
                .split('.')
                .map(str::parse)
                .collect::<Result<_, _>>()
                .ok()?;
            Some((version, entry.path()))
        })
        .collect();
    found.sort_by_key(|(version, _)| Reverse(version.clone()));
    found.into_iter().map(|(_, path)| path).collect()
}
