//! What a process uses, from `/proc`.

use anyhow::{Context as _, Result};
use std::{fs, time::Duration};

/// Resident memory of a process, in MB (a million bytes).
///
/// # Errors
/// When there is no such process.
pub(crate) fn resident_mb(pid: u32) -> Result<f64> {
    Ok(status_kb(pid, "VmRSS:")? * 1024.0 / 1e6)
}

/// The most resident memory that a process had so far, in MB.
///
/// # Errors
/// When there is no such process.
pub(crate) fn peak_mb(pid: u32) -> Result<f64> {
    Ok(status_kb(pid, "VmHWM:")? * 1024.0 / 1e6)
}

fn status_kb(pid: u32, field: &str) -> Result<f64> {
    let path = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&path).with_context(|| path.clone())?;
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    let number = line.and_then(|line| line.trim().strip_suffix("kB"));
    number
        .and_then(|number| number.trim().parse().ok())
        .with_context(|| format!("{path} has no {field}"))
}

/// Time that a process has spent on processors.
///
/// # Errors
/// When there is no such process.
pub(crate) fn processor_time(pid: u32) -> Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let text = fs::read_to_string(&path).with_context(|| path.clone())?;
    // The second field is a name in parentheses, which may hold anything.
    let fields: Vec<&str> = text
        .rsplit_once(')')
        .map_or("", |(_, rest)| rest)
        .split_whitespace()
        .collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok());
    let (user, system) = (ticks(11), ticks(12));
    let ticks = user.zip(system).map(|(user, system)| user + system);
    let per_second = rustix::param::clock_ticks_per_second();
    let ticks = ticks.with_context(|| format!("{path} is not understood"))?;
    Ok(Duration::from_millis(ticks * 1000 / per_second))
}

/// What the figures were measured on, a line each.
#[must_use]
pub(crate) fn machine() -> Vec<String> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name))
            .map(|rest| rest.trim_start_matches([' ', '\t', ':']).trim().to_owned())
            .unwrap_or_default()
    };
    let (cpu, memory) = (read("/proc/cpuinfo"), read("/proc/meminfo"));
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let load = read("/proc/loadavg");
    let load = load.split_whitespace().next().unwrap_or_default();
    vec![
        format!("processor: {} ({cores} cores)", field(&cpu, "model name")),
        format!("memory: {}", field(&memory, "MemTotal")),
        format!("kernel: {}", read("/proc/sys/kernel/osrelease").trim()),
        format!("load average when it began: {load}"),
    ]
}
