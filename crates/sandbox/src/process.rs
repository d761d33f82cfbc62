//! Processes by their pid files, and making sure that a pid is still whose it was.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::Layout;
use crate::layout::write_private;

const POLL: Duration = Duration::from_millis(25);

/// A process of a sandbox, as its pid file tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recorded {
    pid: u32,
    /// The start of its command line; a pid without it has been given to somebody else.
    command: String,
}

impl Recorded {
    pub(crate) fn new(pid: u32, command: impl Into<String>) -> Self {
        Self {
            pid,
            command: command.into(),
        }
    }

    /// This process itself.
    pub(crate) fn this() -> Self {
        let pid = std::process::id();
        Self::new(pid, command_line(pid).unwrap_or_default())
    }

    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        write_private(path, &format!("{}\n{}\n", self.pid, self.command))
    }

    pub(crate) fn read(path: &Path) -> Option<Self> {
        let text = fs::read_to_string(path).ok()?;
        let (pid, command) = text.split_once('\n')?;
        Some(Self::new(
            pid.trim().parse().ok()?,
            command.trim_end_matches('\n'),
        ))
    }

    /// Whether the process lives, and is the one recorded.
    pub(crate) fn lives(&self) -> bool {
        !self.command.is_empty() && command_line(self.pid).is_some_and(|line| line.contains(&self.command))
    }

    /// Whether nothing of the process is left, its open ports included.
    ///
    /// A process that ends has no command line from early on, and its first thread may be over before others are.
    fn is_gone(&self) -> bool {
        let folder = format!("/proc/{}", self.pid);
        if let Some(line) = command_line(self.pid) {
            return !line.contains(&self.command);
        }
        let Ok(stat) = fs::read_to_string(format!("{folder}/stat")) else {
            return true;
        };
        // The state follows the name, which stands in parentheses and may hold any character.
        let zombie = stat
            .rsplit_once(')')
            .is_some_and(|(_, rest)| rest.trim_start().starts_with('Z'));
        zombie && fs::read_dir(format!("{folder}/task")).map_or(0, Iterator::count) <= 1
    }

    /// Sends `signal` if the process is still the one recorded.
    pub(crate) fn signal(&self, signal: Signal) {
        if self.lives() {
            send(self.pid, signal);
        }
    }

    /// Waits until the process is gone; false after `limit`.
    pub(crate) async fn gone_within(&self, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        while !self.is_gone() {
            if Instant::now() >= end {
                return false;
            }
            tokio::time::sleep(POLL).await;
        }
        true
    }
}

/// Sends `signal` to a child that has not been waited for, so that its pid is certainly its own.
pub(crate) fn send(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // The only failure is that it is gone, which is what was wanted.
        let _ = kill_process(pid, signal);
    }
}

/// The command line of a live process, its arguments parted by spaces; one that ends has none.
fn command_line(pid: u32) -> Option<String> {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let line = String::from_utf8_lossy(&bytes).replace('\0', " ");
    let line = line.trim_end();
    (!line.is_empty()).then(|| line.to_owned())
}

/// Waits for the end of processes that a killed run left behind, and ends those that stay.
///
/// They are told to end by the kernel when their parent dies; a new run may begin in that moment.
pub(crate) async fn clear_leftovers(layout: &Layout) -> Result<()> {
    for entry in fs::read_dir(layout.pids()).context("cannot list the pid files")? {
        let path = entry?.path();
        if let Some(recorded) = Recorded::read(&path)
            && !recorded.gone_within(Duration::from_secs(10)).await
        {
            recorded.signal(Signal::KILL);
            recorded.gone_within(Duration::from_secs(10)).await;
        }
        fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    Ok(())
}

/// Stops the sandbox that runs in the folder of `layout` and waits until it, with all it started, is gone.
///
/// Returns false when none was running.
pub async fn stop_running(layout: &Layout) -> Result<bool> {
    if layout.try_lock()?.is_some() {
        return Ok(false);
    }
    let path = layout.pid("sandbox");
    let recorded = Recorded::read(&path).with_context(|| format!("no process in {}", path.display()))?;
    if !recorded.lives() {
        bail!(
            "the folder is in use, but not by the process in {}",
            path.display()
        );
    }
    recorded.signal(Signal::TERM);
    if !recorded.gone_within(Duration::from_secs(30)).await {
        recorded.signal(Signal::KILL);
        if !recorded.gone_within(Duration::from_secs(10)).await {
            bail!("the sandbox does not end");
        }
        clear_leftovers(layout).await?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_and_one_with_another_command_line_does_not() {
        let this = Recorded::this();
        assert!(this.lives());
        assert!(!Recorded::new(this.pid, "some other command").lives());
        assert!(!Recorded::new(this.pid, "").lives());
    }

    #[tokio::test]
    async fn an_ended_child_that_nobody_waited_for_is_gone() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let recorded = Recorded::new(child.id(), "true");
        assert!(recorded.gone_within(Duration::from_secs(10)).await);
        child.wait().unwrap();
    }
}
