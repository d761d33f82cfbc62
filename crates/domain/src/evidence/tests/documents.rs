//! Documents of each format, written for these tests.

use crate::{Digest, evidence::Kind};

/// What they are bound to.
pub(super) fn bound() -> Digest {
    Digest::of_bytes(b"web")
}

/// The same, as hexadecimal digits.
pub(super) fn bound_hex() -> String {
    bound().to_string().trim_start_matches("sha256:").to_owned()
}

/// Each that says that all is well and that nobody signed.
pub(super) const PLAIN: &[(Kind, &str)] = &[
    (Kind::TestReport, JUNIT),
    (Kind::Scan, SARIF),
    (Kind::Scan, TRIVY),
    (Kind::Sbom, CYCLONEDX),
    (Kind::Sbom, SPDX),
    (Kind::ConfigurationBaseline, BASELINE),
    (Kind::ManualCheck, CHECK),
];

pub(super) const JUNIT: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="all" tests="3" failures="0" errors="0">
  <testsuite name="cart" tests="2" failures="0" errors="0" skipped="1" timestamp="2026-03-01T10:00:00Z">
    <properties><property name="os" value="linux &amp; others"/></properties>
    <testcase classname="cart" name="adds" time="0.01"/>
    <testcase classname="cart" name="removes"><skipped message="later"/></testcase>
    <system-out><![CDATA[<failure/> is only text here]]></system-out>
  </testsuite>
  <testsuite name="pay" tests="1" timestamp="2026-03-01T12:00:00+03:00">
    <testcase classname="pay" name="charges"><system-err>a &lt;warning&gt; &#x41;</system-err></testcase>
  </testsuite>
</testsuites>
"#;

pub(super) const SARIF: &str = r#"{
  "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
  "version": "2.1.0",
  "runs": [{
    "tool": {"driver": {
      "name": "Example Analyzer", "semanticVersion": "4.2.0",
      "rules": [
        {"id": "injection", "properties": {"security-severity": "9.8"}},
        {"id": "style", "defaultConfiguration": {"level": "note"}}
      ]
    }, "extensions": [{"name": "pack", "rules": [{"id": "crypto", "properties": {"security-severity": "7.5"}}]}]},
    "invocations": [{"executionSuccessful": true, "endTimeUtc": "2026-03-01T10:00:00Z"}],
    "results": [
      {"ruleId": "injection", "message": {"text": "a query is built from input"}},
      {"ruleId": "crypto/weak", "level": "warning", "message": {"text": "MD5"}},
      {"ruleId": "style", "ruleIndex": 1, "message": {"text": "a long line"}},
      {"ruleId": "other", "message": {"text": "no level is a warning"}},
      {"ruleId": "other", "kind": "pass", "message": {"text": "fine"}},
      {"ruleId": "other", "kind": "review", "message": {"text": "somebody has to look"}},
      {"ruleId": "other", "baselineState": "absent", "message": {"text": "gone"}},
      {"ruleId": "injection", "suppressions": [{"kind": "external", "status": "accepted"}], "message": {"text": "known"}},
      {"ruleId": "injection", "suppressions": [{"kind": "inSource", "status": "rejected"}], "message": {"text": "not so"}}
    ]
  }]
}"#;

pub(super) const TRIVY: &str = r#"{
  "SchemaVersion": 2, "CreatedAt": "2026-03-01T10:00:00.123456789+01:00", "Trivy": {"Version": "0.69.0"},
  "ArtifactName": "registry.example/web:1.2.0", "ArtifactType": "container_image",
  "Metadata": {
    "ImageID": "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "RepoDigests": ["registry.example/web@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"]
  },
  "Results": [
    {"Target": "debian 13", "Class": "os-pkgs", "Vulnerabilities": [
      {"VulnerabilityID": "CVE-2026-0001", "PkgName": "libx", "Severity": "CRITICAL"},
      {"VulnerabilityID": "CVE-2026-0002", "PkgName": "liby", "Severity": "LOW"},
      {"VulnerabilityID": "CVE-2026-0003", "PkgName": "libz"}
    ]},
    {"Target": "Dockerfile", "Class": "config", "Misconfigurations": [
      {"ID": "DS001", "Status": "PASS", "Severity": "HIGH"}, {"ID": "DS002", "Status": "FAIL", "Severity": "HIGH"}
    ]},
    {"Target": "app.env", "Class": "secret", "Secrets": [{"RuleID": "token", "Severity": "MEDIUM"}]}
  ]
}"#;

pub(super) const CYCLONEDX: &str = r#"{
  "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
  "metadata": {
    "timestamp": "2026-03-01T10:00:00Z",
    "tools": {"components": [{"type": "application", "name": "syft", "version": "1.30.0"}]},
    "component": {"type": "container", "name": "web", "hashes": [
      {"alg": "SHA-1", "content": "00"},
      {"alg": "SHA-256", "content": "CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC"}
    ]}
  },
  "components": [
    {"type": "library", "name": "serde", "version": "1.0.0"},
    {"type": "framework", "name": "shop", "components": [{"type": "library", "name": "cart"}]}
  ]
}"#;

pub(super) const SPDX: &str = r#"{
  "spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "name": "web", "dataLicense": "CC0-1.0",
  "documentNamespace": "https://sbom.example/web",
  "creationInfo": {"created": "2026-03-01T10:00:00Z", "creators": ["Organization: Example", "Tool: sbom-tool-4.1.2"]},
  "packages": [{"SPDXID": "SPDXRef-a", "name": "serde"}, {"SPDXID": "SPDXRef-b", "name": "tokio"}]
}"#;

pub(super) const BASELINE: &str = r#"{
  "values/production.yaml": "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  "flags.json": "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
}"#;

pub(super) const CHECK: &str = r#"{
  "who": "ada", "what": "the check-out on a phone", "result": "passed", "at": "2026-03-01T10:00:00Z", "note": "3 runs"
}"#;

/// An in-toto statement with SLSA provenance v1 about one digest.
pub(super) fn provenance(hex: &str) -> String {
    format!(
        r#"{{
  "_type": "https://in-toto.io/Statement/v1",
  "subject": [{{"name": "web", "digest": {{"sha512": "00", "sha256": "{hex}"}}}}],
  "predicateType": "https://slsa.dev/provenance/v1",
  "predicate": {{
    "buildDefinition": {{"buildType": "https://ci.example/build/v1", "externalParameters": {{"ref": "main"}}}},
    "runDetails": {{
      "builder": {{"id": "https://ci.example/runner"}},
      "metadata": {{"startedOn": "2026-03-01T09:00:00Z", "finishedOn": "2026-03-01T10:00:00Z"}}
    }}
  }}
}}"#
    )
}

/// The same as v0.1 with SLSA provenance v0.2.
pub(super) fn older_provenance(hex: &str) -> String {
    format!(
        r#"{{
  "_type": "https://in-toto.io/Statement/v0.1",
  "subject": [{{"name": "web", "digest": {{"sha256": "{hex}"}}}}],
  "predicateType": "https://slsa.dev/provenance/v0.2",
  "predicate": {{
    "builder": {{"id": "https://ci.example/old-runner"}}, "buildType": "https://ci.example/build/v0",
    "metadata": {{"buildFinishedOn": "2026-03-01T10:00:00Z"}}
  }}
}}"#
    )
}

/// A statement that carries another document.
pub(super) fn attested(hex: &str, predicate: &str) -> String {
    format!(
        r#"{{"_type": "https://in-toto.io/Statement/v1", "subject": [{{"name": "web", "digest": {{"sha256": "{hex}"}}}}],
            "predicateType": "https://example.org/attested", "predicate": {predicate}}}"#
    )
}

/// What cosign signs.
pub(super) fn simple_signing(digest: &str) -> String {
    format!(
        r#"{{"critical":{{"identity":{{"docker-reference":"registry.example/web"}},"image":{{"docker-manifest-digest":"{digest}"}},"type":"cosign container image signature"}},"optional":null}}"#
    )
}
