//! The etcd that all clusters share, each under a prefix of its own.

use std::ffi::OsString;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::{Site, wait_until};
use crate::identity::Identity;
use crate::supervisor::{ChildSpec, Ending};

/// Starts etcd and returns its address once it answers.
pub(super) async fn start(site: Site<'_>, identity: &Identity) -> Result<String> {
    let begun = Instant::now();
    let endpoint = format!("http://127.0.0.1:{}", identity.etcd_port);
    let peer = format!("http://127.0.0.1:{}", identity.etcd_peer_port);
    let mut args: Vec<OsString> = vec!["--data-dir".into(), site.layout.private_dir("etcd")?.into()];
    for (flag, value) in [
        ("--name", "sandbox"),
        ("--listen-client-urls", &endpoint),
        ("--advertise-client-urls", &endpoint),
        ("--listen-peer-urls", &peer),
        ("--initial-advertise-peer-urls", &peer),
        ("--initial-cluster", &format!("sandbox={peer}")),
        ("--log-level", "warn"),
    ] {
        args.extend([flag.into(), value.into()]);
    }
    // What the machine's crash would lose is not worth the waiting.
    args.push("--unsafe-no-fsync".into());
    let spec = ChildSpec {
        name: "etcd".to_owned(),
        program: site.binaries.join("etcd"),
        args,
        user: None,
        ending: Ending::Tidy,
    };
    site.supervisor.keep(spec).await?;

    let http = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(1))
        .build()?;
    let health = format!("{endpoint}/health");
    wait_until("etcd", || async {
        http.get(&health)
            .send()
            .await
            .is_ok_and(|response| response.status().is_success())
    })
    .await?;
    site.progress
        .tell(format!("etcd ready in {:.1} s", begun.elapsed().as_secs_f64()));
    Ok(endpoint)
}
