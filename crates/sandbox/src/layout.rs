//! The folder of a sandbox: which file is where, and who may read it.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

/// Paths inside the folder of one sandbox.
#[derive(Debug, Clone)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The layout of `dir`, which is created, with the folders that everything needs, when absent.
    pub fn prepare(dir: &Path) -> Result<Self> {
        make_dir(dir, 0o755)?;
        let layout = Self::of(dir)?;
        make_dir(&layout.root.join("logs"), 0o755)?;
        make_dir(&layout.root.join("pids"), 0o755)?;
        Ok(layout)
    }

    /// The layout of `dir`, which must exist.
    pub fn of(dir: &Path) -> Result<Self> {
        let root =
            fs::canonicalize(dir).with_context(|| format!("no sandbox folder at {}", dir.display()))?;
        Ok(Self { root })
    }

    /// The folder itself, absolute.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A kubeconfig with one context for every cluster, named after it.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.root.join("kubeconfig")
    }

    /// A kubeconfig with the one context of `cluster`, which is current.
    #[must_use]
    pub fn kubeconfig_of(&self, cluster: &str) -> PathBuf {
        self.root.join(format!("kubeconfig-{cluster}"))
    }

    /// The file with the URL of the database.
    #[must_use]
    pub fn database_url(&self) -> PathBuf {
        self.root.join("database-url")
    }

    /// What survives a restart: ports, keys and passwords.
    pub(crate) fn identity(&self) -> PathBuf {
        self.root.join("identity.json")
    }

    /// Takes away what tells others how to reach the servers, which an earlier run may have written.
    pub(crate) fn clear_access(&self) -> Result<()> {
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name == "database-url" || name == "kubeconfig" || name.starts_with("kubeconfig-") {
                fs::remove_file(entry.path()).with_context(|| format!("cannot remove {name}"))?;
            }
        }
        Ok(())
    }

    /// Deletes the folder with all data. Refuses one that no sandbox was ever started in, or that one is running in.
    pub fn delete(&self) -> Result<()> {
        if !self.identity().exists() {
            bail!("{} is not the folder of a sandbox", self.root.display());
        }
        let _lock = self.lock()?;
        // Where it is a link, Postgres keeps its data elsewhere.
        if let Ok(outside) = fs::read_link(self.root.join("postgres")) {
            fs::remove_dir_all(&outside).with_context(|| format!("cannot delete {}", outside.display()))?;
        }
        fs::remove_dir_all(&self.root).with_context(|| format!("cannot delete {}", self.root.display()))
    }

    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.root.join("logs").join(format!("{name}.log"))
    }

    pub(crate) fn pids(&self) -> PathBuf {
        self.root.join("pids")
    }

    pub(crate) fn pid(&self, name: &str) -> PathBuf {
        self.pids().join(format!("{name}.pid"))
    }

    /// A folder for the private files of one part, created when absent.
    pub(crate) fn private_dir(&self, name: &str) -> Result<PathBuf> {
        let path = self.root.join(name);
        make_dir(&path, 0o700)?;
        Ok(path)
    }

    /// Takes the folder for this process until the file returned is closed, which the end of the process does too.
    pub(crate) fn lock(&self) -> Result<File> {
        match self.try_lock()? {
            Some(file) => Ok(file),
            None => bail!("a sandbox is running in {} already", self.root.display()),
        }
    }

    /// As [`Layout::lock`], with `None` for a folder that is taken.
    pub(crate) fn try_lock(&self) -> Result<Option<File>> {
        let path = self.root.join("lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("cannot open {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("cannot lock {}", path.display()))
            }
        }
    }
}

fn make_dir(path: &Path, mode: u32) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        .with_context(|| format!("cannot create {}", path.display()))
}

/// Writes a file that only its owner may read, whole or not at all.
pub(crate) fn write_private(path: &Path, contents: &str) -> Result<()> {
    let write = || -> std::io::Result<()> {
        let temporary = path.with_extension("tmp");
        // A file left by a killed run may carry other rights: start from none.
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(contents.as_bytes())?;
        fs::rename(&temporary, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
