//! Clusters that are away, refuse the credential, or show a certificate that has expired; and credentials, which go in
//! and never come out.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use kube::config::Kubeconfig;
use rcgen::{CertificateParams, KeyPair};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};
use serde_json::{Value, json};
use slipway_testkit::live::{ALL, Reply, World, kubeconfig, manifests::config, text};
use std::{io::Read as _, net::TcpListener, sync::Arc, thread};

/// A port on which nobody listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    format!(
        "https://127.0.0.1:{}",
        listener.local_addr().expect("an address").port()
    )
}

/// A TLS server whose certificate was valid in 2001. Its URL, and the certificate, PEM.
fn expired() -> (String, String) {
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a name");
    params.not_before = rcgen::date_time_ymd(2001, 1, 1);
    params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate");
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from(certificate.der().to_vec())],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .expect("a TLS configuration");
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!(
        "https://127.0.0.1:{}",
        listener.local_addr().expect("an address").port()
    );
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = ServerConnection::new(Arc::clone(&config)).expect("a connection");
            // The handshake fails on the other side; there is nothing to answer.
            let _ = StreamOwned::new(connection, stream).read(&mut [0; 1024]);
        }
    });
    (url, certificate.pem())
}

/// Address and authority of the first real cluster.
fn real() -> (String, String) {
    let kubeconfig = Kubeconfig::from_yaml(&kubeconfig()).expect("a kubeconfig");
    let cluster = kubeconfig.clusters[0].cluster.clone().expect("a cluster");
    let authority = match (cluster.certificate_authority_data, cluster.certificate_authority) {
        (Some(data), _) => String::from_utf8(STANDARD.decode(data).expect("base64")).expect("PEM"),
        (None, Some(file)) => std::fs::read_to_string(file).expect("PEM"),
        (None, None) => panic!("the kubeconfig names no authority"),
    };
    (cluster.server.expect("an address"), authority)
}

/// What must never be seen again of the tests' kubeconfig.
pub(crate) fn secrets_of_kubeconfig() -> Vec<String> {
    use secrecy::ExposeSecret as _;
    let kubeconfig = Kubeconfig::from_yaml(&kubeconfig()).expect("a kubeconfig");
    let users = kubeconfig
        .auth_infos
        .into_iter()
        .filter_map(|user| user.auth_info);
    let secrets: Vec<String> = users
        .flat_map(|user| [user.token, user.client_key_data])
        .flatten()
        .map(|secret| secret.expose_secret().to_owned())
        .collect();
    assert!(!secrets.is_empty(), "the kubeconfig has a credential");
    secrets
}

async fn check(world: &World, cluster: &str) -> Reply {
    world.admin.act(&format!("/v1/clusters/{cluster}/check")).await
}

/// A cluster that cannot be used.
struct Bad {
    name: &'static str,
    server: String,
    authority: Option<String>,
    /// The kind of problem.
    kind: &'static str,
    /// What it must say.
    words: &'static str,
}

fn all_bad() -> [Bad; 3] {
    let (real_server, real_authority) = real();
    let (expired_server, expired_authority) = expired();
    let bad = |name, server, authority, kind, words| Bad {
        name,
        server,
        authority,
        kind,
        words,
    };
    [
        bad(
            "away",
            nobody(),
            None,
            "cluster-unreachable",
            "connection refused",
        ),
        bad(
            "locked",
            real_server,
            Some(real_authority),
            "cluster-unauthorized",
            "401",
        ),
        bad(
            "old",
            expired_server,
            Some(expired_authority),
            "cluster-certificate",
            "expired",
        ),
    ]
}

/// Its check, a preview and a deployment say what is wrong with it; the deployment goes on trying until it is cancelled.
async fn fails(world: &mut World, bad: Bad, token: &str) {
    let (name, words) = (bad.name, bad.words);
    let cluster = json!({
        "name": name, "server": bad.server, "certificate_authority": bad.authority, "credential": {"token": token},
    });
    world.admin.post("/v1/clusters", cluster).await.expect(201);
    let checked = world.changes_nothing(check(world, name)).await;
    checked.problem(424, bad.kind).says(words);
    world.environment(name, &[name], json!({})).await;
    let id = world.deploy("1.0.0", name).await;
    let preview = world.otto.get(&format!("/v1/deployments/{id}/preview")).await;
    preview.problem(424, bad.kind).says(words);
    let blocked = |d: &Value| text(&d["blockers"][0]["reason"]).contains(words);
    let tried = world.until(&id, "blocked by its cluster", blocked).await;
    assert_eq!(tried["state"], "running", "{tried:#}");
    assert_eq!(tried["targets"][0]["state"], "running", "{tried:#}");
    let why = world
        .vera
        .get(&format!("/v1/deployments/{id}/explain"))
        .await
        .expect(200);
    assert!(text(&why["summary"]).contains(words), "{why:#}");
    let told = world.told(&id, "target.retry").await;
    assert!(told.iter().any(|message| message.contains(words)), "{told:#?}");
    world.steer(&id, "cancel").await.expect(200);
    world.ends(&id, "cancelled").await;
}

/// Reads everything that could show a credential; what was answered is kept in the world.
async fn read_everything(world: &World) {
    for path in ["/v1/status", "/v1/deployments", "/metrics", "/openapi.json"] {
        world.admin.get(path).await.expect(200);
    }
    let clusters = world.admin.get("/v1/clusters").await.expect(200);
    let clusters = clusters["items"].as_array().expect("a page").clone();
    assert_eq!(clusters.len(), 4, "{clusters:#?}");
    for cluster in clusters {
        let path = format!("/v1/clusters/{}", text(&cluster["name"]));
        world.admin.get(&path).await.expect(200);
    }
    let (mut entries, mut after) = (0, json!(0));
    while let Some(seq) = after.as_i64() {
        let page = world
            .iris
            .get(&format!("/v1/audit/entries?limit=200&after={seq}"))
            .await;
        let page = page.expect(200);
        entries += page["items"].as_array().expect("a page").len();
        after = page["next"].clone();
    }
    assert!(entries > 30, "{entries} entries are not all of the record");
}

#[tokio::test]
async fn a_cluster_that_cannot_be_used_says_why_and_no_credential_ever_comes_back() {
    let mut world = World::empty("clusters", &[ALL]).await;
    let token = format!("hunter2-{}", uuid::Uuid::now_v7().simple());
    world.sealed("1.0.0", &config("web", "blue")).await;
    for bad in all_bad() {
        fails(&mut world, bad, &token).await;
    }
    // A credential in the wrong place, one that is replaced, and a good one.
    let wrong = json!({"name": "wrong", "credential": {"token": [token], "password": token}});
    let wrong = world
        .changes_nothing(world.admin.post("/v1/clusters", wrong))
        .await;
    wrong
        .problem(422, "validation")
        .at(&["/credential/password", "/credential/token"]);
    let again = json!({"credential": {"token": token}});
    world
        .admin
        .patch("/v1/clusters/away", "*", again)
        .await
        .expect(200);
    world.cluster("staging").await;
    let checked = check(&world, "staging").await.expect(200);
    assert_eq!(checked["missing_rights"], json!([]), "{checked:#}");
    assert!(text(&checked["version"]).starts_with('v'), "{checked:#}");

    read_everything(&world).await;
    let listed = world.slipway(&world.admin, &["cluster", "list", "-o", "json"]);
    assert!(listed.status.success(), "{listed:?}");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let log = world.servers[0].log();
    assert!(
        log.contains("api.request"),
        "the log has nothing of what happened"
    );
    let mut secrets = secrets_of_kubeconfig();
    secrets.push(token);
    for secret in &secrets {
        let secret = secret.as_str();
        let seen = world.seen.lock().expect("no panic").clone();
        let shown: Vec<&String> = seen.iter().filter(|body| body.contains(secret)).collect();
        assert!(shown.is_empty(), "an answer holds a credential: {shown:#?}");
        assert!(!log.contains(secret), "the log holds a credential");
        assert!(!listed.contains(secret), "the command line shows a credential");
        let tables = world.database.tables_with(secret).await;
        assert!(tables.is_empty(), "it can be read in {tables:?}");
    }
    world.audit_holds();
    world.close().await;
}
