//! Which image a tag named when a cluster pulled it.

use anyhow::{Context as _, Result, bail};
use clap::Args;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client, Config,
    api::ListParams,
    config::{KubeConfigOptions, Kubeconfig},
};
use std::{io::Write as _, path::PathBuf};

#[derive(Debug, Args)]
pub(crate) struct Pulled {
    /// The kubeconfig of the cluster.
    #[arg(long)]
    kubeconfig: PathBuf,
    /// Its context; the current one unless given.
    #[arg(long)]
    context: Option<String>,
    /// The image, as a Pod names it.
    image: String,
}

impl Pulled {
    /// Prints the digest that a running Pod has for the image.
    pub(crate) async fn run(self) -> Result<()> {
        let kubeconfig = Kubeconfig::read_from(&self.kubeconfig)?;
        let options = KubeConfigOptions {
            context: self.context,
            ..KubeConfigOptions::default()
        };
        let client = Client::try_from(Config::from_custom_kubeconfig(kubeconfig, &options).await?)?;
        let pods = Api::<Pod>::all(client).list(&ListParams::default()).await?;
        let found = pods.items.iter().find_map(|pod| digest(pod, &self.image));
        let Some(digest) = found else {
            bail!("no Pod of this cluster has pulled {}", self.image);
        };
        writeln!(std::io::stdout(), "{digest}").context("the digest cannot be printed")
    }
}

/// The digest that a Pod pulled for an image.
fn digest(pod: &Pod, image: &str) -> Option<String> {
    let spec = pod.spec.as_ref()?;
    let status = pod.status.as_ref()?;
    let container = spec
        .containers
        .iter()
        .find(|container| container.image.as_deref() == Some(image))?;
    let mut statuses = status.container_statuses.iter().flatten();
    let pulled = statuses.find(|status| status.name == container.name)?;
    let (_, digest) = pulled.image_id.rsplit_once('@')?;
    digest.starts_with("sha256:").then(|| digest.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_digest_is_that_of_the_container_that_names_the_image() {
        let of = |image_id: &str| {
            let pod: Pod = serde_json::from_value(json!({
                "metadata": {"name": "web"},
                "spec": {"containers": [
                    {"name": "side", "image": "example/side:1"}, {"name": "web", "image": "example/web:1"},
                ]},
                "status": {"containerStatuses": [
                    {"name": "side", "image": "", "imageID": "example/side@sha256:aa", "ready": true, "restartCount": 0},
                    {"name": "web", "image": "", "imageID": image_id, "ready": true, "restartCount": 0},
                ]},
            }))
            .unwrap();
            digest(&pod, "example/web:1")
        };
        assert_eq!(of("example/web@sha256:bb"), Some("sha256:bb".to_owned()));
        assert_eq!(of(""), None, "it is not pulled yet");
    }
}
