//! 1: that each digest is the digest of its content, from the bundle to the plan.

use super::{Counted, Options, impossible, secrets};
use crate::{Error, Tx};
use serde_json::Value;
use slipway_domain::{
    Digest, Name,
    component::{ImagePin, Requirement, Source, VersionContent, bundle::Bundle},
    deployment::{Landing, plan_digest},
    doctor::{Finding, Invariant, Report, needles::Needles},
    ids::{ComponentVersionId, ReleaseId},
    release::Release,
    render::{ANNOTATION_RELEASE_DIGEST, Rendering},
};
use slipway_store::{
    doctor::content::{self, RenderingRow, VersionRow},
    releases,
};

/// Releases a page.
const PAGE: i64 = 500;

const ALTERED: &str = "it was changed after it had been fixed: restore it from a backup, and find out who did it. Slipway applies \
     no rendering whose digest is another";
const NEEDED: &str = "restore the rendering from a backup: until then, whoever has to go back to it cannot";

fn finding(check: &'static str, subject: String, found: String) -> Finding {
    Finding {
        invariant: Invariant::Sealed,
        check,
        subject,
        found,
        remedy: ALTERED,
    }
}

fn another(computed: Digest) -> String {
    format!("its content has the digest {computed}")
}

/// Bundles; and which secrets they hold.
pub(super) async fn bundles(
    tx: &mut Tx,
    options: &Options<'_>,
    needles: &mut Needles,
    report: &mut Report,
) -> Result<(), Error> {
    let mut counted = Counted::new("bundles", options);
    content::bundles(tx, |row| {
        counted.one();
        let objects = match row.objects {
            Value::Array(objects) => objects,
            other => vec![other],
        };
        let bundle = Bundle { objects };
        let computed = bundle.digest();
        if computed.to_string() != row.digest {
            let subject = format!("bundle {}", row.digest);
            report.add(finding("bundle_altered", subject, another(computed)));
        }
        secrets::of_bundle(&bundle, &row.digest, needles);
    })
    .await?;
    report.examined(Invariant::Sealed, counted.what, counted.count);
    Ok(())
}

/// Component versions.
pub(super) async fn versions(tx: &mut Tx, options: &Options<'_>, report: &mut Report) -> Result<(), Error> {
    let mut counted = Counted::new("component versions", options);
    content::versions(tx, |row| {
        counted.one();
        let subject = format!("component version {}", ComponentVersionId::from_uuid(row.id));
        match version_digest(&row) {
            Ok(computed) if computed.to_string() == row.digest => {}
            Ok(computed) => {
                report.add(finding("component_version_altered", subject, another(computed)));
            }
            Err(why) => report.add(finding("component_version_altered", subject, why)),
        }
    })
    .await?;
    report.examined(Invariant::Sealed, counted.what, counted.count);
    Ok(())
}

fn version_digest(row: &VersionRow) -> Result<Digest, String> {
    let cannot = |what: &str, why: &dyn std::fmt::Display| format!("its {what} cannot be read: {why}");
    let component: Name = row.component.parse().map_err(|e| cannot("component", &e))?;
    let version = row.version.parse().map_err(|e| cannot("version", &e))?;
    let bundle: Digest = row.bundle.parse().map_err(|e| cannot("bundle", &e))?;
    let source: Option<Source> = match &row.source {
        None => None,
        Some(source) => serde_json::from_value(source.clone()).map_err(|e| cannot("source", &e))?,
    };
    let requires: Vec<Requirement> =
        serde_json::from_value(row.requires.clone()).map_err(|e| cannot("requirements", &e))?;
    let images: Vec<ImagePin> =
        serde_json::from_value(row.images.clone()).map_err(|e| cannot("images", &e))?;
    let content = VersionContent {
        component: &component,
        version: &version,
        bundle,
        source: source.as_ref(),
        requires: &requires,
        images: &images,
    };
    Digest::of_canonical(&content).map_err(|e| cannot("content", &e))
}

/// Releases that were sealed, withdrawn since or not.
pub(super) async fn releases(tx: &mut Tx, options: &Options<'_>, report: &mut Report) -> Result<(), Error> {
    let mut counted = Counted::new("sealed releases", options);
    let mut after: Option<ReleaseId> = None;
    loop {
        let ids = content::sealed_after(tx, after, PAGE).await?;
        let Some(last) = ids.last() else { break };
        after = Some(*last);
        counted.count += ids.len() as u64;
        (options.progress)(counted.what, counted.count);
        match releases::many(tx, &ids).await {
            Ok(page) => page.iter().for_each(|release| one_release(release, report)),
            Err(error) => {
                // One of them cannot be read: which?
                impossible(error)?;
                for id in ids {
                    match releases::get(tx, id).await {
                        Ok(release) => release.iter().for_each(|release| one_release(release, report)),
                        Err(error) => {
                            let why = impossible(error)?;
                            report.add(finding("release_altered", format!("release {id}"), why));
                        }
                    }
                }
            }
        }
    }
    report.examined(Invariant::Sealed, counted.what, counted.count);
    Ok(())
}

fn one_release(release: &Release, report: &mut Report) {
    let Some(seal) = release.state.seal() else { return };
    let found = match release.content_digest() {
        Ok(computed) if computed == seal.digest => return,
        Ok(computed) => format!(
            "{} is sealed as {}, and {}",
            release.display_name(),
            seal.digest,
            another(computed)
        ),
        Err(error) => error.to_string(),
    };
    report.add(finding(
        "release_altered",
        format!("release {}", release.id),
        found,
    ));
}

/// Renderings: their digests, and the release's that each object names.
pub(super) async fn renderings(tx: &mut Tx, options: &Options<'_>, report: &mut Report) -> Result<(), Error> {
    let mut counted = Counted::new("renderings", options);
    content::renderings(tx, |row| {
        counted.one();
        one_rendering(&row, report);
    })
    .await?;
    report.examined(Invariant::Sealed, counted.what, counted.count);
    report.examined(Invariant::Rollback, counted.what, counted.count);
    Ok(())
}

fn one_rendering(row: &RenderingRow, report: &mut Report) {
    let subject = || format!("rendering {}", row.digest);
    let altered = match serde_json::from_value::<Rendering>(row.content.clone()) {
        Ok(rendering) => {
            let named = names_another_release(&rendering, &row.releases);
            if let Some(found) = named {
                report.add(finding("rendering_of_another_release", subject(), found));
            }
            let computed = rendering.digest();
            (computed.to_string() != row.digest).then(|| another(computed))
        }
        Err(error) => Some(format!("it is no rendering: {error}")),
    };
    let Some(found) = altered else { return };
    report.add(finding("rendering_altered", subject(), found));
    if row.to_go_back_to {
        report.add(Finding {
            invariant: Invariant::Rollback,
            check: "rendering_to_go_back_to_altered",
            subject: subject(),
            found: "a rollback would need it, and could not apply it: it was altered".to_owned(),
            remedy: NEEDED,
        });
    }
}

/// Every object says which release it is of, so a rendering belongs to that one alone.
fn names_another_release(rendering: &Rendering, releases: &[String]) -> Option<String> {
    let objects = rendering.objects.iter().chain(&rendering.hooks);
    let named = objects.map(|object| object["metadata"]["annotations"][ANNOTATION_RELEASE_DIGEST].as_str());
    let mut pairs = named.flat_map(|named| releases.iter().map(move |release| (named, release)));
    pairs
        .find(|(named, release)| *named != Some(release.as_str()))
        .map(|(named, release)| {
            format!(
                "an object in it names the release's digest {}, and it is deployed as {release}",
                named.unwrap_or("not at all")
            )
        })
}

/// Plans: where deployments land, and what they bring there.
pub(super) async fn plans(tx: &mut Tx, options: &Options<'_>, report: &mut Report) -> Result<(), Error> {
    let mut counted = Counted::new("plans", options);
    content::plans(tx, |row| {
        counted.one();
        let computed = row
            .environment
            .parse::<Name>()
            .map_err(|e| e.to_string())
            .and_then(|environment| {
                let landings: Vec<Landing> =
                    serde_json::from_value(row.targets).map_err(|e| e.to_string())?;
                plan_digest(&environment, &landings).map_err(|e| e.to_string())
            });
        let found = match computed {
            Ok(digest) if digest.to_string() == row.plan_digest => return,
            Ok(digest) => format!(
                "its plan is {}, and its targets have the digest {digest}",
                row.plan_digest
            ),
            Err(why) => why,
        };
        report.add(finding("plan_altered", format!("deployment {}", row.id), found));
    })
    .await?;
    report.examined(Invariant::Sealed, counted.what, counted.count);
    Ok(())
}
