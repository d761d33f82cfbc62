//! What there is to deploy for and to: teams, services, environments, clusters, targets; and groups of
//! people who are asked about it.

pub mod absence;
pub mod cluster;
pub mod environment;
pub mod group;
pub mod kubeconfig;
pub mod service;
pub mod target;

pub use cluster::{Cluster, ClusterGrants, Connection, Credential};
pub use environment::{Environment, Tier, Wave};
pub use group::Group;
pub use service::{Criticality, Service, Team};
pub use target::{Inventory, InventoryItem, Target, TargetNow};

/// Labels of a cluster or target: region, wave and whatever else tells them apart.
pub type Labels = std::collections::BTreeMap<String, String>;
