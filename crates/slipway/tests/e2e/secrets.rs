//! Attacks 25 and 26 on the whole product: whatever goes in as a secret is looked for in everything that real processes answer,
//! write and log, at level debug, while they deploy it to a real cluster, compare it and fail with it. And how a server starts
//! that has no key, another key, or a configuration that is wrong where its secrets are.

use crate::bad_clusters::secrets_of_kubeconfig;
use reqwest::Method;
use serde_json::{Value, json};
use slipway_testkit::{
    Planted,
    live::{
        Database, Person, Server, ServerOptions, World, binary, free_port, manifests::config, test_folder,
        text, within,
    },
};
use std::{
    fs,
    path::Path,
    process::{Output, Stdio},
    time::Duration,
};

/// Everything at level debug, what libraries say as well.
const DEBUG: &str = "[log]\nformat = 'json'\nfilter = 'debug'\n";

fn secret(value: &str, more: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: login}}\nstringData: {{password: '{value}'}}\n{more}"
    )
}

/// Asks for everything that can be read, as these people; what was answered is kept in the world.
async fn read_everything(world: &World, deployments: &[&str]) -> usize {
    let document = world.vera.get("/openapi.json").await.expect(200);
    let first = async |path: &str, field: &str| {
        let page = world.admin.get(path).await.expect(200);
        text(&page["items"][0][field])
    };
    let things = [
        ("team", "shop".to_owned()),
        ("service", world.service.clone()),
        ("component", world.service.clone()),
        ("version", "2.0.0".to_owned()),
        ("release", world.release("2.0.0")),
        ("environment", "staging".to_owned()),
        ("cluster", "staging".to_owned()),
        ("process", "default".to_owned()),
        ("number", "1".to_owned()),
        ("target", first("/v1/targets", "id").await),
        ("drift", first("/v1/drift", "id").await),
        ("binding", first("/v1/role-bindings", "id").await),
    ];
    let mut answered = 0;
    for (path, item) in document["paths"].as_object().expect("paths") {
        if item.get("get").is_none() || path == "/v1/events" {
            continue;
        }
        for deployment in deployments {
            let mut filled = path.replace("{deployment}", deployment);
            for (name, value) in &things {
                filled = filled.replace(&format!("{{{name}}}"), value);
            }
            let query = match path.as_str() {
                "/v1/releases/{release}/diff" => format!("?against={}", world.release("1.0.0")),
                "/v1/reports/compliance" => format!("?release={}", world.release("2.0.0")),
                "/v1/audit/entries" | "/v1/deployments/{deployment}/activities" => "?limit=200".to_owned(),
                _ => String::new(),
            };
            filled.push_str(&query);
            for person in [&world.admin, &world.ana, &world.iris, &world.vera] {
                answered += usize::from(person.get(&filled).await.status.is_success());
            }
            if filled == *path {
                break;
            }
        }
    }
    answered
}

/// What the command line says about everything, and what the doctor says.
async fn said(world: &World, deployment: &str) -> String {
    let release = world.release("2.0.0");
    let against = world.release("1.0.0");
    let mut all = String::new();
    for args in [
        &["cluster", "list", "-o", "json"][..],
        &["cluster", "show", "staging"],
        &["deploy", "show", deployment],
        &["deploy", "manifests", deployment],
        &["deploy", "preview", deployment],
        &["deploy", "explain", deployment],
        &["release", "show", &release],
        &["release", "diff", &release, &against],
        &["release", "certificate", &release],
        &["drift"],
        &["audit", "verify"],
        &["audit", "export"],
        &["--verbose", "whoami"],
    ] {
        let output = world.slipway(&world.iris, args);
        all.push_str(&String::from_utf8_lossy(&output.stdout));
        all.push_str(&String::from_utf8_lossy(&output.stderr));
    }
    // Two of its clusters do not answer, which it says, and goes on.
    let examined = tokio::process::Command::new(binary())
        .args(["doctor", "--output", "json", "--config"])
        .arg(&world.servers[0].config)
        .env_remove("DATABASE_URL")
        .output()
        .await
        .expect("the doctor runs");
    let report = String::from_utf8_lossy(&examined.stdout).into_owned();
    assert!(report.contains("\"findings\": []"), "{report}");
    all.push_str(&report);
    all.push_str(&String::from_utf8_lossy(&examined.stderr));
    all
}

/// Changes the Secret in the cluster by somebody else's hand.
async fn edit(namespace: &slipway_testkit::live::Namespace, manager: &str, value: &Planted) {
    let path = format!(
        "/api/v1/namespaces/{}/secrets/login?fieldManager={manager}",
        namespace.name
    );
    let changed = json!({"data": {"password": value.base64()}});
    namespace
        .send("PATCH", &path, &changed)
        .await
        .expect("it is there");
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one story, told in its order")]
async fn attack_25_26_secrets_of_a_whole_run_are_in_no_answer_and_in_no_log() {
    let options = ServerOptions::default().settings(DEBUG);
    let mut world = World::start_with("leaks", Database::create().await, &[options]).await;
    let namespace = world.namespace("staging").await;
    let [first, second, third, by_hand, token] = [
        "a Secret",
        "a Secret that changes",
        "a Secret that is refused",
        "a Secret that was changed by hand",
        "a cluster's token",
    ]
    .map(Planted::new);

    // A cluster that nobody answers at, and a credential that is refused by one that answers.
    let away = json!({"name": "away", "server": format!("https://127.0.0.1:{}", free_port()),
        "credential": {"token": token.secret}});
    world.admin.post("/v1/clusters", away).await.expect(201);
    let server = world.vera.get("/v1/clusters/staging").await.expect(200)["server"].clone();
    let locked = json!({"name": "locked", "server": server, "credential": {"token": token.secret}});
    world.admin.post("/v1/clusters", locked).await.expect(201);
    for name in ["away", "locked", "staging"] {
        world.admin.act(&format!("/v1/clusters/{name}/check")).await;
        if name != "staging" {
            world.environment(name, &[name], json!({})).await;
        }
    }

    let settings = config("settings", "one");
    world
        .sealed("1.0.0", &(secret(&first.secret, "") + &settings))
        .await;
    let good = world.deploy("1.0.0", "staging").await;
    world.ends(&good, "succeeded").await;
    let live = namespace.get("Secret", "login").await.expect("it is there");
    assert_eq!(live["data"]["password"], first.base64(), "it is deployed");
    let mut ids = vec![good];
    for name in ["away", "locked"] {
        let id = world.deploy("1.0.0", name).await;
        let blocked = |d: &Value| !text(&d["blockers"][0]["reason"]).is_empty();
        world.until(&id, "blocked by its cluster", blocked).await;
        world.otto.get(&format!("/v1/deployments/{id}/preview")).await;
        world.steer(&id, "cancel").await.expect(200);
        ids.push(id);
    }

    // Changed by hand: drift, a preview that shows it, a deployment that stops before it, and one that the API server refuses.
    edit(&namespace, "their-tool", &by_hand).await;
    let drifted = async || {
        let page = world.vera.get("/v1/drift?state=open").await.expect(200);
        page["items"].as_array().is_some_and(|items| !items.is_empty())
    };
    within(Duration::from_secs(30), "the edit is seen", drifted).await;
    world
        .sealed(
            "2.0.0",
            &(secret(&second.secret, "immutable: true\n") + &settings),
        )
        .await;
    let stopped = world.deploy("2.0.0", "staging").await;
    world.ends(&stopped, "failed").await;
    world
        .sealed(
            "3.0.0",
            &(secret(&third.secret, "type: kubernetes.io/tls\n") + &settings),
        )
        .await;
    let refused = world.deploy("3.0.0", "staging").await;
    world.ends(&refused, "failed").await;
    ids.extend([stopped, refused]);

    // A token, and bodies that are refused with a secret in them.
    let body = json!({"name": "t", "roles": ["viewer"], "expires_in": "PT10M"});
    let made = world.vera.client.post(format!("{}/v1/tokens", world.vera.api));
    let made: Value = made
        .bearer_auth(&world.vera.token)
        .json(&body)
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    let of_token = Planted::of("an API token", &text(&made["secret"]));
    let bot: Person = world.vera.with_token(&of_token.secret);
    bot.get("/v1/me").await.expect(200);
    let wrong =
        json!({"name": "wrong", "server": "https://k.example", "credential": {"token": [token.secret]}});
    world
        .admin
        .post("/v1/clusters", wrong)
        .await
        .problem(422, "validation");
    let cut = world
        .admin
        .request(Method::POST, "/v1/clusters")
        .header("content-type", "application/json");
    let cut = cut.body(format!("{{\"credential\": {{\"token\": \"{}", token.secret));
    world.admin.send(cut).await.problem(400, "malformed");

    let all: Vec<&str> = ids.iter().map(String::as_str).collect();
    let answered = read_everything(&world, &all).await;
    assert!(answered > 150, "only {answered} answers");
    let mut shown = Vec::new();
    for id in &ids[3..] {
        shown.push(said(&world, id).await);
    }

    let mut planted = vec![first, second, third, by_hand, token, of_token];
    planted.push(Planted::of("a bearer token", &world.vera.token));
    planted.extend(
        secrets_of_kubeconfig()
            .iter()
            .map(|secret| Planted::of("the kubeconfig", secret)),
    );
    let key = fs::read_to_string(world.dir.join("secret-key")).expect("the key");
    planted.push(Planted::of("the server's key", key.trim()));
    let issuer = fs::read_to_string(world.dir.join("issuer-key.pem")).expect("the issuer's key");
    let inside = issuer.lines().nth(1).expect("a line of it").to_owned();
    planted.push(Planted::of("the issuer's key", &inside));
    let log = world.servers[0].log();
    assert!(log.contains("\"DEBUG\""), "the log is one at level debug");
    let seen = world.seen.lock().expect("no panic").clone();
    for secret in &planted {
        if let Some(found) = secret.found_in(&log) {
            panic!("the log holds the secret of {found}");
        }
        for body in &seen {
            if let Some(found) = secret.found_in(body) {
                panic!("an answer holds the secret of {found}");
            }
        }
        for text in &shown {
            if let Some(found) = secret.found_in(text) {
                panic!("the command line shows the secret of {found}");
            }
        }
    }
    namespace.close().await;
    world.close().await;
}

/// Runs `slipway serve` with a configuration that it should not start with; what it says, and how it ends.
async fn start_of(dir: &Path, settings: &str, environment: &[(&str, &str)]) -> Output {
    let file = dir.join("bad.toml");
    fs::write(&file, settings).expect("a configuration");
    let started = tokio::process::Command::new(binary())
        .args(["serve", "--migrate", "--config"])
        .arg(&file)
        .env_remove("DATABASE_URL")
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("it is started");
    let ended = tokio::time::timeout(Duration::from_mins(1), started.wait_with_output()).await;
    ended
        .unwrap_or_else(|_| panic!("it starts, and goes on, with\n{settings}"))
        .expect("its end")
}

fn told(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Another good key than the tests have.
const OTHER_KEY: &str = "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=";

#[tokio::test]
async fn attack_26_a_server_without_its_key_does_not_start() {
    let world = World::empty("keys", &["api,scheduler"]).await;
    let cluster = json!({"name": "eu", "server": "https://k.example", "credential": {"token": "t"}});
    world.admin.post("/v1/clusters", cluster).await.expect(201);
    let base = |secrets: &str| {
        format!(
            "listen = '127.0.0.1:{}'\n[database]\nurl = '{}'\nconnections = 4\n{secrets}\n",
            free_port(),
            world.database.url
        )
    };
    let weak = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    for (secrets, word) in [
        (String::new(), "give one of `key` and `key_file`"),
        ("[secrets]\n".to_owned(), "give one of `key` and `key_file`"),
        ("[secrets]\nkey = ''\n".to_owned(), "is missing"),
        ("[secrets]\nkey = 'c2hvcnQ='\n".to_owned(), "must be 32"),
        (format!("[secrets]\nkey = '{weak}'\n"), "is not random"),
        (
            "[secrets]\nkey_file = '/nonexistent'\n".to_owned(),
            "secrets.key_file",
        ),
        // A good key, and not the one that what is stored was encrypted with.
        (
            format!("[secrets]\nkey = '{OTHER_KEY}'\n"),
            "which is not configured",
        ),
        (
            format!("[secrets]\nkey = '{OTHER_KEY}'\nlost_keys = ['other']\n"),
            "which is not configured",
        ),
    ] {
        let output = start_of(&world.dir, &base(&secrets), &[]).await;
        let said = told(&output);
        assert!(!output.status.success(), "it starts with {secrets:?}: {said}");
        assert!(said.contains(word), "{secrets:?}: {said}");
        assert!(!said.contains(OTHER_KEY), "{said}");
    }
    // With the right key among the older ones it starts; and with the name of the lost one, which it says.
    let output = start_of(
        &world.dir,
        &base(&format!("[secrets]\nkey = '{OTHER_KEY}'\n")),
        &[],
    )
    .await;
    let said = told(&output);
    let name = said
        .split("encrypted with the key `")
        .nth(1)
        .and_then(|rest| rest.split('`').next());
    let name = name.expect("the key's name").to_owned();
    let other = world.dir.join("other-key");
    fs::write(&other, OTHER_KEY).expect("a key");
    let right = fs::read_to_string(world.dir.join("secret-key")).expect("the key");
    for more in [
        format!("older_keys = ['{}']", right.trim()),
        format!("lost_keys = ['{name}']"),
    ] {
        let options = ServerOptions::roles("api")
            .settings(&format!("[secrets]\nkey_file = '{}'\n{more}", other.display()));
        let mut server = Server::start(&world.dir, "other", &world.database, &options).await;
        let warned = server.log().contains("a key that is lost");
        assert_eq!(warned, more.starts_with("lost"), "{more}: {}", server.log());
        let (status, _) = server.terminate().await;
        assert!(status.success());
        fs::remove_file(world.dir.join("other.log")).expect("a log");
    }
    world.close().await;
}

#[tokio::test]
async fn attack_26_what_is_wrong_with_a_configuration_is_said_without_its_values() {
    let planted = Planted::new("the configuration");
    let secret = &planted.secret;
    let database = Database::create().await;
    let dir = test_folder(&format!("bad-settings-{}", &secret[secret.len() - 12..]));
    let url = format!("url = '{}'", database.url);
    let key = format!("[secrets]\nkey = '{OTHER_KEY}'\n");
    let of_database = |url: &str| format!("[database]\n{url}\n{key}");
    let with = |rest: &str| format!("{rest}\n[database]\n{url}\n");
    for settings in [
        with(&format!("[secrets]\nkey = \"{secret}\n")),
        with(&format!("[secrets]\nkey = {secret}\n")),
        with(&format!("[secrets]\nkey = '{secret}'\n")),
        with(&format!("[secrets]\nkey = ['{secret}']\n")),
        with(&format!(
            "[secrets]\nkey = '{OTHER_KEY}'\nolder_keys = '{secret}'\n"
        )),
        with(&format!(
            "[secrets]\nkey = '{OTHER_KEY}'\nolder_keys = ['{secret}']\n"
        )),
        with(&format!("[secrets]\nkey = '{secret}'\nkey = '{secret}'\n")),
        with(&format!("[secrets]\nkey = '{secret}'\nkeyy = '{secret}'\n")),
        with(&format!("[secrets.key]\nvalue = '{secret}'\n")),
        with(&format!("secrets = '{secret}'\n")),
        with(&format!(
            "{key}[[issuers]]\nissuer = 'x'\naudience = 'y'\nkeys = {{ pem = '{secret}' }}\n"
        )),
        with(&format!(
            "{key}[[issuers]]\nissuer = 'x'\naudience = 'y'\nkeys = {{ jwks = '{secret}' }}\n"
        )),
        of_database(&format!("url = 'postgres://me:{secret}@127.0.0.1:nowhere/db'")),
        of_database(&format!("url = 'postgres://me:{secret}@127.0.0.1:1/db'")),
        of_database(&format!("url = 'mysql://me:{secret}@127.0.0.1/db'")),
        of_database(&format!(
            "url = 'postgres://me:{secret}@127.0.0.1:1/db?sslmode=maybe'"
        )),
        of_database(&format!("url = ['postgres://me:{secret}@127.0.0.1/db']")),
        of_database(&format!("url = 'me:{secret}@127.0.0.1'")),
    ] {
        let output = start_of(&dir, &settings, &[]).await;
        let said = told(&output);
        assert!(!output.status.success(), "it starts with\n{settings}\n{said}");
        assert!(
            said.len() > 30,
            "it does not say what is wrong with\n{settings}\n{said}"
        );
        if let Some(found) = planted.found_in(&said) {
            panic!("what it says at start holds {found}\nwith\n{settings}");
        }
    }
    for name in ["SLIPWAY__SECRETS__KEY", "SLIPWAY__SECRETS", "SLIPWAY__DATABASE"] {
        let output = start_of(&dir, &format!("[database]\n{url}\n"), &[(name, secret)]).await;
        let said = told(&output);
        assert!(!output.status.success(), "it starts with {name}: {said}");
        assert!(planted.found_in(&said).is_none(), "{name}: {said}");
    }
    fs::remove_dir_all(&dir).expect("a folder");
}
