//! The node simulator: one node for a cluster that has none.
//!
//! It plays scheduler, kubelet, load balancer and volume provisioner, and nothing else; all that a controller of
//! Kubernetes does is left to the real one. A Pod says itself how it fares:
//!
//! | what | means |
//! |---|---|
//! | image tag ends in `-broken` | the image cannot be pulled: `ErrImagePull`, then `ImagePullBackOff` |
//! | `-crash` | exits with 1 again and again: `CrashLoopBackOff`; the Pod of a Job fails |
//! | `-slow` | ready, or complete, after 8 s |
//! | `-never` | runs and is never ready, or never completes |
//! | annotation `sandbox.slipway.dev/ready-after: PT3S` | ready after that long |
//! | `sandbox.slipway.dev/complete-after: PT5S` | exits after that long; where the Pod restarts it, again and again |
//! | `sandbox.slipway.dev/exit-code: "3"` | exits with that code |
//!
//! `behaviour` reads a Pod into a plan, `timeline` says what a plan looks like at a time, `status` writes that down;
//! all three are pure. `pods` is the one that acts.

mod behaviour;
mod node;
mod pods;
mod retry;
mod services;
mod status;
mod timeline;
mod volumes;

use std::time::Duration;

use kube::Client;
pub(crate) use node::register;

/// How fast the node is where a Pod does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// From when a Pod is bound until its containers are ready, or, of a Job, complete.
    pub ready_after: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            ready_after: Duration::from_millis(300),
        }
    }
}

/// Acts as the node until dropped.
pub(crate) async fn run(client: Client, pace: Pace) {
    tokio::join!(
        node::keep_alive(client.clone()),
        pods::run(client.clone(), pace),
        services::run(client.clone()),
        volumes::run(client),
    );
}
