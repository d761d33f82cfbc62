//! The API server and the controller manager of one cluster.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{DeleteParams, ListParams, Request};
use kube::{Api, Client};
use tokio::process::Command;

use super::{Site, client, kubeconfig, wait_until};
use crate::identity::ClusterIdentity;
use crate::layout::{Layout, write_private};
use crate::nodes;
use crate::supervisor::{ChildSpec, Ending};

/// Those that have work without real nodes and without a cloud. Node life cycle is not among them: the one node is
/// always there. Fewer controllers start faster and hold fewer caches.
const CONTROLLERS: &str = "clusterrole-aggregation,cronjob,csrapproving,daemonset,deployment,disruption,endpoint,\
    endpointslice,garbagecollector,horizontalpodautoscaling,job,namespace,persistentvolume-binder,podgc,pv-protection,\
    pvc-protection,replicaset,replicationcontroller,resourcequota,root-ca-cert-publisher,serviceaccount,\
    serviceaccount-token,statefulset,ttl-after-finished";

/// The minor version from which on the controller manager has no plain-text port to switch off.
const PLAIN_PORT_GONE: u32 = 24;

/// Starts one cluster and returns once its controllers work and its node, if any, is ready.
pub(super) async fn start(
    site: Site<'_>,
    etcd: &str,
    name: &str,
    identity: &ClusterIdentity,
) -> Result<Client> {
    let begun = Instant::now();
    let ready = |part: &str| {
        let seconds = begun.elapsed().as_secs_f64();
        site.progress
            .tell(format!("cluster {name}: {part} ready in {seconds:.1} s"));
    };
    let minor = minor_version(site.binaries).await?;
    let files = Files::write(site.layout, name, identity)?;
    let server = api_server(site.binaries, etcd, name, identity.port, &files);
    site.supervisor.keep(server).await?;
    let client = client(name, identity).await?;
    wait_until(&format!("the API server of {name}"), || answers(&client)).await?;
    ready(&format!("API server https://127.0.0.1:{}", identity.port));

    let controllers = async {
        let manager = controller_manager(site.binaries, minor, name, &files);
        site.supervisor.keep(manager).await?;
        let probe = ControllerProbe::new(client.clone());
        wait_until(&format!("the controller manager of {name}"), || probe.answered()).await?;
        ready("controllers");
        anyhow::Ok(())
    };
    let node = async {
        if site.with_node {
            let registered = nodes::register(&client).await;
            registered.with_context(|| format!("the node of cluster {name}"))?;
            ready("node");
        }
        Ok(())
    };
    tokio::try_join!(controllers, node)?;
    Ok(client)
}

async fn answers(client: &Client) -> bool {
    let Ok(request) = Request::new("/readyz").list(&ListParams::default()) else {
        return false;
    };
    client
        .request_text(request)
        .await
        .is_ok_and(|answer| answer == "ok")
}

/// The minor version of the servers: 20 of 1.20.2.
async fn minor_version(binaries: &Path) -> Result<u32> {
    let program = binaries.join("kube-controller-manager");
    let output = Command::new(&program).arg("--version").output().await;
    let output = output.with_context(|| format!("cannot run {}", program.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let minor = text
        .trim()
        .strip_prefix("Kubernetes v1.")
        .and_then(|rest| rest.split('.').next()?.parse().ok());
    minor.with_context(|| format!("{} is of no version that is known: {text}", program.display()))
}

/// The files that the two servers read.
struct Files {
    folder: PathBuf,
    authority: PathBuf,
    server: PathBuf,
    server_key: PathBuf,
    service_account_key: PathBuf,
    service_account_public_key: PathBuf,
    tokens: PathBuf,
    kubeconfig: PathBuf,
}

impl Files {
    fn write(layout: &Layout, name: &str, identity: &ClusterIdentity) -> Result<Self> {
        let folder = layout.private_dir(&format!("kubernetes-{name}"))?;
        let put = |file: &str, contents: &str| -> Result<PathBuf> {
            let path = folder.join(file);
            write_private(&path, contents)?;
            Ok(path)
        };
        let certificates = &identity.certificates;
        Ok(Self {
            authority: put("authority.pem", &certificates.authority)?,
            server: put("server.pem", &certificates.server)?,
            server_key: put("server.key", &certificates.server_key)?,
            service_account_key: put("service-account.key", &certificates.service_account_key)?,
            service_account_public_key: put("service-account.pub", &certificates.service_account_public_key)?,
            tokens: put(
                "tokens.csv",
                &format!("{},admin,admin,system:masters\n", identity.token),
            )?,
            kubeconfig: put("kubeconfig", &kubeconfig::render([(name, identity)]))?,
            folder,
        })
    }
}

fn api_server(binaries: &Path, etcd: &str, name: &str, port: u16, files: &Files) -> ChildSpec {
    let mut args = Args::default();
    args.set("etcd-servers", etcd);
    args.set("etcd-prefix", format!("/sandbox/{name}"));
    args.set("bind-address", "127.0.0.1");
    args.set("advertise-address", "127.0.0.1");
    args.set("secure-port", port.to_string());
    args.set("cert-dir", &files.folder);
    args.set("tls-cert-file", &files.server);
    args.set("tls-private-key-file", &files.server_key);
    args.set("token-auth-file", &files.tokens);
    args.set("authorization-mode", "RBAC");
    args.set("service-account-issuer", "https://kubernetes.default.svc");
    args.set("service-account-signing-key-file", &files.service_account_key);
    args.set("service-account-key-file", &files.service_account_public_key);
    // It would demand a token to mount before a Pod may be made, and nothing here mounts it.
    args.set("disable-admission-plugins", "ServiceAccount");
    args.set("service-cluster-ip-range", "10.96.0.0/16");
    // The endpoints of the `kubernetes` service may not be a loopback address.
    args.set("endpoint-reconciler-type", "none");
    args.set("allow-privileged", "true");
    args.set("profiling", "false");
    // What deploy/lib/kubernetes-binaries ported back is not in the binary encoding of objects.
    args.set("storage-media-type", "application/json");
    args.server(binaries, "kube-apiserver", &format!("{name}-apiserver"))
}

fn controller_manager(binaries: &Path, minor: u32, name: &str, files: &Files) -> ChildSpec {
    let mut args = Args::default();
    args.set("kubeconfig", &files.kubeconfig);
    args.set("controllers", CONTROLLERS);
    args.set("leader-elect", "false");
    args.set("secure-port", "0");
    if minor < PLAIN_PORT_GONE {
        args.set("port", "0");
    }
    args.set("cert-dir", &files.folder);
    args.set("service-account-private-key-file", &files.service_account_key);
    args.set("root-ca-file", &files.authority);
    // The default of 20 a second makes 60 Deployments take 14 s.
    args.set("kube-api-qps", "2000");
    args.set("kube-api-burst", "4000");
    args.set("concurrent-deployment-syncs", "20");
    args.set("concurrent-replicaset-syncs", "20");
    args.set("enable-dynamic-provisioning", "false");
    args.set("kube-api-content-type", "application/json");
    args.set("profiling", "false");
    args.server(
        binaries,
        "kube-controller-manager",
        &format!("{name}-controllers"),
    )
}

#[derive(Default)]
struct Args(Vec<OsString>);

impl Args {
    fn set(&mut self, flag: &str, value: impl Into<OsString>) {
        let mut arg = OsString::from(format!("--{flag}="));
        arg.push(value.into());
        self.0.push(arg);
    }

    fn server(self, binaries: &Path, program: &str, name: &str) -> ChildSpec {
        ChildSpec {
            name: name.to_owned(),
            program: binaries.join(program),
            args: self.0,
            user: None,
            ending: Ending::Abrupt,
        }
    }
}

/// Finds out whether the controllers work by giving them work: the account that one of them makes in every namespace.
/// It may be there from an earlier run, so it is taken away first, and has to come back as another one.
struct ControllerProbe {
    accounts: Api<ServiceAccount>,
    before: tokio::sync::OnceCell<Option<String>>,
}

impl ControllerProbe {
    const ACCOUNT: &str = "default";

    fn new(client: Client) -> Self {
        Self {
            accounts: Api::namespaced(client, "kube-node-lease"),
            before: tokio::sync::OnceCell::new(),
        }
    }

    async fn answered(&self) -> bool {
        self.try_answered().await.unwrap_or(false)
    }

    async fn try_answered(&self) -> Result<bool, kube::Error> {
        let before = self
            .before
            .get_or_try_init(|| async {
                let found = self.accounts.get_opt(Self::ACCOUNT).await?;
                if found.is_some() {
                    self.accounts
                        .delete(Self::ACCOUNT, &DeleteParams::default())
                        .await?;
                }
                Ok::<_, kube::Error>(found.and_then(|account| account.metadata.uid))
            })
            .await?;
        let now = self
            .accounts
            .get_opt(Self::ACCOUNT)
            .await?
            .and_then(|account| account.metadata.uid);
        Ok(now.is_some() && now != *before)
    }
}
