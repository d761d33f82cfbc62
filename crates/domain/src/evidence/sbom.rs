//! What a thing is made of: `CycloneDX` JSON and SPDX 2 JSON. Either passes when it lists anything.

use super::{
    json::At,
    normal::{Content, Tool, counts},
};

/// A `CycloneDX` document.
pub(super) fn cyclonedx(bom: &At<'_, '_>) -> Content {
    if bom
        .need_text("bomFormat")
        .is_some_and(|format| format != "CycloneDX")
    {
        bom.fault("is a CycloneDX document: its `bomFormat` is `CycloneDX`");
    }
    bom.need_text("specVersion");
    if let Some(signature) = bom.key("signature") {
        // Taken as it is, a signature that nobody looked at would pass for none.
        signature
            .fault("a signature inside of the document cannot be verified: sign it with a DSSE envelope");
    }
    let mut listed = 0;
    components(bom, &mut listed);
    let mut content = listing(listed);
    if let Some(metadata) = bom.key("metadata") {
        content.produced_at = metadata.key("timestamp").and_then(|time| time.time());
        // A list up to version 1.4, an object of components since.
        if let Some(tools) = metadata.key("tools").filter(|tools| tools.value().is_object()) {
            tools.each("components", |tool| first_tool(&mut content.tool, &tool));
        } else {
            metadata.each("tools", |tool| first_tool(&mut content.tool, &tool));
        }
        if let Some(subject) = metadata.key("component") {
            content
                .subjects
                .extend(subject.key("version").and_then(|version| version.digest()));
            subject.each("hashes", |hash| {
                if hash.text_of("alg") == Some("SHA-256") {
                    let hex = hash.need_text("content").unwrap_or_default();
                    match format!("sha256:{}", hex.to_ascii_lowercase()).parse() {
                        Ok(digest) => content.subjects.push(digest),
                        Err(error) => hash.fault(format!("{error}")),
                    }
                }
            });
        }
    }
    content
}

/// Components may have components; the levels of a document are limited.
fn components(of: &At<'_, '_>, listed: &mut usize) {
    of.each("components", |component| {
        *listed += 1;
        component.need_text("name");
        components(&component, listed);
    });
}

fn first_tool(tool: &mut Option<Tool>, found: &At<'_, '_>) {
    if let (None, Some(name)) = (&tool, found.text_of("name")) {
        *tool = Some(Tool {
            name: name.to_owned(),
            version: found.text_of("version").map(str::to_owned),
        });
    }
}

/// An SPDX 2 document.
pub(super) fn spdx(document: &At<'_, '_>) -> Content {
    if document
        .need_text("spdxVersion")
        .is_some_and(|version| !version.starts_with("SPDX-2."))
    {
        document.fault("is an SPDX document of version 2");
    }
    let mut tool = None;
    let mut produced_at = None;
    if let Some(creation) = document.need("creationInfo") {
        produced_at = creation.key("created").and_then(|time| time.time());
        creation.each("creators", |creator| {
            let named = creator.text().and_then(|creator| creator.strip_prefix("Tool: "));
            if let (None, Some(named)) = (&tool, named) {
                tool = Some(tool_and_version(named));
            }
        });
    }
    let packages = document.each("packages", |package| {
        package.need_text("name");
    });
    Content {
        tool,
        produced_at,
        ..listing(packages.unwrap_or_default())
    }
}

/// `syft-1.2.3`: what follows the last `-` is a version if it begins like one.
fn tool_and_version(named: &str) -> Tool {
    let split = named.rsplit_once('-').filter(|(_, version)| {
        let digits = version.strip_prefix('v').unwrap_or(version);
        digits.starts_with(|first: char| first.is_ascii_digit())
    });
    Tool {
        name: split.map_or(named, |(name, _)| name).to_owned(),
        version: split.map(|(_, version)| version.to_owned()),
    }
}

fn listing(components: usize) -> Content {
    Content {
        passed: components > 0,
        counts: counts([("components", components)]),
        ..Content::default()
    }
}
