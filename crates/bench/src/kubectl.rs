//! The command line that people use instead.

use anyhow::{Result, ensure};
use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

/// `kubectl` with a kubeconfig.
pub(crate) struct Kubectl {
    kubeconfig: PathBuf,
}

impl Kubectl {
    /// Writes the kubeconfig into a folder.
    pub(crate) fn with(kubeconfig: &str, dir: &Path) -> Result<Self> {
        let file = dir.join("kubeconfig");
        std::fs::write(&file, kubeconfig)?;
        Ok(Self { kubeconfig: file })
    }

    /// Applies a file server-side; how long the process took.
    pub(crate) async fn apply(&self, context: &str, namespace: &str, file: &Path) -> Result<Duration> {
        let begun = Instant::now();
        let output = tokio::process::Command::new("kubectl")
            .args(["apply", "--server-side", "--kubeconfig"])
            .arg(&self.kubeconfig)
            .args(["--context", context, "--namespace", namespace, "--filename"])
            .arg(file)
            .stdin(Stdio::null())
            .output()
            .await?;
        let took = begun.elapsed();
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "kubectl: {said}");
        Ok(took)
    }
}
