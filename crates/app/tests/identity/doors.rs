//! Attack 8, a second surface lacks the check: what the sources say of the doors into the application. That each of them checks
//! what it must is tested one by one elsewhere; here it is that there are no others.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// What may be done without anybody being named: by the application itself, and by whoever runs the server. Each with where it is
/// called from.
const OWN: [(&str, &str); 20] = [
    ("App::authenticate", "says who somebody is"),
    ("App::begin", "a transaction, which does nothing yet"),
    ("App::read", "a transaction, which does nothing yet"),
    ("Export::lines", "goes on with an export that was authorised"),
    ("Feed::follow", "the numbers of events only"),
    ("audit::tree::grow", "a timer"),
    (
        "clusters::connection",
        "for executors, and for use-cases that have authorised it",
    ),
    ("drift::heal::heal", "a timer"),
    ("events::last_seq", "a number only"),
    ("idempotency::sweep", "a timer"),
    (
        "identity::role_bindings::bootstrap",
        "the server's configuration, while there is no admin",
    ),
    (
        "record::activity",
        "tells of what happened, in the transaction of whoever did it",
    ),
    ("record::by_system", "tells of what Slipway did by itself"),
    ("secrets::unreadable", "the server, before it starts"),
    ("servers::alive_by_role", "numbers only"),
    ("servers::beat", "a server of itself"),
    ("servers::keep", "a server of itself"),
    ("timers::*", "timers, which take no input but the database"),
    (
        "doctor::*",
        "`slipway doctor`, by whoever has the server's configuration",
    ),
    (
        "identity::issuers::follow::follow",
        "keeps the public keys of issuers at hand; it gives nothing to anybody",
    ),
];

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every source below a folder, without its tests, as `(path, text)`.
fn sources(folder: &Path) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let text = text.split("#[cfg(test)]\nmod ").next().unwrap().to_owned();
                all.push((path.display().to_string(), text));
            }
        }
    }
    assert!(!all.is_empty(), "{} has no sources", folder.display());
    all.sort();
    all
}

/// `releases::seal` for `…/app/src/releases/seal.rs`.
fn module(path: &str) -> String {
    let inside = path.rsplit_once("/app/src/").unwrap().1;
    let module = inside
        .trim_end_matches(".rs")
        .trim_end_matches("/mod")
        .replace('/', "::");
    if module == "lib" { String::new() } else { module }
}

/// A function that others can call, and what it takes and does.
struct Door {
    name: String,
    takes: String,
    does: String,
}

/// Every public asynchronous function of the use-cases: what does something, or reads something, waits for the database.
fn doors() -> Vec<Door> {
    let mut all = Vec::new();
    for (path, text) in sources(&crates().join("app/src")) {
        let module = module(&path);
        for (at, _) in text.match_indices("pub async fn ") {
            let rest = &text[at + "pub async fn ".len()..];
            let (takes, does) = rest.split_once('{').unwrap();
            let name: String = takes
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            let is_method = text[..at].ends_with("    ");
            let end = if is_method { "\n    }\n" } else { "\n}\n" };
            let does = does.split(end).next().unwrap();
            let of = if is_method {
                let block = text[..at].rfind("\nimpl").unwrap();
                let line = text[block + 1..].lines().next().unwrap();
                let named = line.trim_end_matches([' ', '{']).rsplit(' ').next().unwrap();
                named.split('<').next().unwrap().to_owned()
            } else {
                module.clone()
            };
            all.push(Door {
                name: format!("{of}::{name}"),
                takes: takes.to_owned(),
                does: does.to_owned(),
            });
        }
    }
    assert!(all.len() > 100, "only {} doors were found", all.len());
    all
}

fn is_own(name: &str) -> bool {
    OWN.iter().any(|(own, _)| match own.strip_suffix('*') {
        Some(module) => name.starts_with(module),
        None => *own == name,
    })
}

#[test]
fn attack_08_every_door_asks_who_it_is() {
    for door in doors() {
        let named = door.takes.contains("&Actor");
        assert!(
            named || is_own(&door.name),
            "{} does not take who it is for: a second door without a check",
            door.name
        );
        // To write down who it was is no check.
        let asked: Vec<&str> = door
            .does
            .lines()
            .filter(|line| !line.contains("record::change(") && !line.contains("actor_name(actor)"))
            .filter(|line| line.contains("actor"))
            .filter(|line| !line.contains("actor.principal"))
            .collect();
        assert!(
            !named || !asked.is_empty() || is_own(&door.name),
            "{} is told who it is for, and does not look",
            door.name
        );
    }
}

#[test]
fn attack_08_what_needs_nobody_is_there() {
    let names: BTreeSet<String> = doors().into_iter().map(|door| door.name).collect();
    for (own, why) in OWN {
        assert!(why.len() > 5, "{own}");
        let is_there = match own.strip_suffix('*') {
            Some(module) => names.iter().any(|name| name.starts_with(module)),
            None => names.contains(own),
        };
        assert!(is_there, "{own} is gone: take it off the list");
    }
}

/// Asserts that something is said in these files of a folder and nowhere else.
fn only_in(folder: &str, words: &str, files: &[&str]) {
    let mut found = Vec::new();
    for (path, text) in sources(&crates().join(folder)) {
        if text.contains(words) {
            let inside = path.rsplit_once(&format!("{folder}/")).unwrap().1;
            found.push(inside.to_owned());
        }
    }
    assert_eq!(found, files, "`{words}` in {folder}");
}

#[test]
fn attack_08_automation_goes_through_the_same_doors_as_people() {
    // One claim admits, whoever asked for what is admitted.
    only_in("app/src", "Transition::Admit", &["execution/claim.rs"]);
    // Whatever makes a deployment has the gates judged: people, promotion, rollback, clean, heal.
    let makes = [
        "deployments/clean.rs",
        "deployments/create.rs",
        "deployments/rollback.rs",
        "drift/heal.rs",
    ];
    only_in("app/src", "deployments::insert(", &makes);
    for (path, text) in sources(&crates().join("app/src")) {
        if makes.iter().any(|file| path.ends_with(&format!("/{file}"))) {
            let after = text.rsplit_once("deployments::insert(").unwrap().1;
            assert!(
                after.contains("judge::judge(tx,"),
                "{path} makes a deployment whose gates nobody judges"
            );
        }
    }
    // Promotion by a process asks as everybody asks, with a right of its own.
    only_in(
        "app/src",
        "create::request(",
        &["deployments/operate.rs", "processes/promote.rs"],
    );
    // Rights are made up for Slipway itself alone, and there only those that promotion takes.
    let reads = [
        "approvals/standing.rs",
        "identity/authenticate.rs",
        "processes/promote.rs",
    ];
    only_in("app/src", "Rights::new(", &reads);
}

#[test]
fn attack_08_no_surface_goes_around_the_use_cases() {
    let manifest = |of: &str| fs::read_to_string(crates().join(of).join("Cargo.toml")).unwrap();
    for (of, not) in [
        ("api", &["slipway-store", "sqlx", "kube"][..]),
        ("api-types", &["slipway-app", "slipway-store", "sqlx", "kube"]),
        (
            "scheduler",
            &["slipway-store", "sqlx", "kube", "slipway-executor"],
        ),
        ("executor", &["slipway-app", "slipway-store", "sqlx"]),
    ] {
        let manifest = manifest(of);
        let uses = manifest.split("[dev-dependencies]").next().unwrap();
        for name in not {
            let named =
                |line: &str| line.starts_with(&format!("{name}.")) || line.starts_with(&format!("{name} "));
            assert!(!uses.lines().any(named), "crates/{of} uses {name}");
        }
    }
    // The command line speaks to a server, and to nothing behind it.
    for words in [
        "slipway_app",
        "slipway_store",
        "sqlx::",
        "kube::",
        "slipway_executor",
    ] {
        only_in("slipway/src/client", words, &[]);
    }
    // What answers under a path is registered where it is documented; and what needs no token where it is seen at once.
    only_in("api/src", "routing::", &["lib.rs"]);
}
