//! A few valid documents of each format, written for these tests, and the words that their formats know.

use serde_json::{Value, json};
use slipway_domain::Digest;

/// What documents are bound to.
pub(crate) fn bound() -> Digest {
    Digest::of_bytes(b"web")
}

/// The same, as hexadecimal digits.
pub(crate) fn bound_hex() -> String {
    bound().to_string().trim_start_matches("sha256:").to_owned()
}

pub(crate) const JUNIT: [&str; 3] = [
    r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="all" tests="2" failures="0" errors="0">
  <testsuite name="cart" failures="0" skipped="1" timestamp="2026-03-01T10:00:00Z">
    <properties><property name="os" value="linux &amp; others"/></properties>
    <testcase classname="cart" name="adds" time="0.01"><system-err>a &lt;b&gt; &#x41;</system-err></testcase>
    <testcase name="removes"><skipped message="later"/></testcase>
    <system-out><![CDATA[<failure/> is only text here]]></system-out>
  </testsuite>
</testsuites>"#,
    r#"<testsuite errors="1" failures="2"><!-- no time --><testcase name="a"><failure message="x"/></testcase>
<testcase status="notrun"/><testsuite><testcase result="completed"/><error/></testsuite></testsuite>"#,
    r#"<t:testsuite xmlns:t="urn:t"><t:testcase name="one"/></t:testsuite>"#,
];
pub(crate) const JUNIT_WORDS: [&str; 30] = [
    "<",
    ">",
    "/>",
    "</",
    "testsuites",
    "testsuite",
    "testcase",
    "failure",
    "error",
    "skipped",
    "failures",
    "errors",
    "=\"",
    "\"",
    " failures='18446744073709551615'",
    "timestamp",
    "<!DOCTYPE a [<!ENTITY b \"c\">]>",
    "&b;",
    "&amp;",
    "&#0;",
    "&#xd800;",
    "<![CDATA[",
    "]]>",
    "<!--",
    "-->",
    "<?xml version='1.1' encoding='latin1'?>",
    "-1",
    "xmlns:t",
    "\u{feff}",
    "<?a",
];

pub(crate) const SARIF: [&str; 2] = [
    r#"{"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [{
      "tool": {"driver": {"name": "Analyzer", "semanticVersion": "4.2.0", "rules": [
          {"id": "injection", "properties": {"security-severity": "9.8"}},
          {"id": "style", "defaultConfiguration": {"level": "note"}}]},
        "extensions": [{"name": "pack", "rules": [{"id": "crypto", "properties": {"security-severity": 7.5}}]}]},
      "invocations": [{"executionSuccessful": true, "endTimeUtc": "2026-03-01T10:00:00Z"}],
      "results": [{"ruleId": "injection"}, {"ruleId": "crypto/weak", "level": "warning"}, {"ruleId": "style", "ruleIndex": 1},
        {"kind": "review"}, {"baselineState": "absent"}, {"rule": {"id": "x"}, "kind": "pass"},
        {"ruleId": "injection", "suppressions": [{"kind": "external", "status": "accepted"}]}]}]}"#,
    r#"{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "a"}}, "results": []}]}"#,
];
pub(crate) const SARIF_WORDS: [&str; 16] = [
    "runs",
    "tool",
    "driver",
    "name",
    "version",
    "results",
    "ruleId",
    "ruleIndex",
    "level",
    "kind",
    "suppressions",
    "security-severity",
    "NaN",
    "fail",
    "error",
    "executionSuccessful",
];

pub(crate) const TRIVY: [&str; 2] = [
    r#"{"SchemaVersion": 2, "CreatedAt": "2026-03-01T10:00:00.123456789+01:00", "Trivy": {"Version": "0.69.0"},
      "ArtifactName": "registry.example/web:1.2.0", "Metadata": {
        "ImageID": "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "RepoDigests": ["registry.example/web@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"]},
      "Results": [{"Target": "debian", "Vulnerabilities": [{"VulnerabilityID": "CVE-2026-0001", "Severity": "CRITICAL"}, {}]},
        {"Misconfigurations": [{"Status": "PASS", "Severity": "HIGH"}, {"Status": "FAIL", "Severity": "HIGH"}]},
        {"Secrets": [{"RuleID": "token", "Severity": "MEDIUM"}], "ExperimentalModifiedFindings": [{}]}]}"#,
    r#"{"SchemaVersion": 2, "Results": []}"#,
];
pub(crate) const TRIVY_WORDS: [&str; 14] = [
    "SchemaVersion",
    "Results",
    "Vulnerabilities",
    "Misconfigurations",
    "Secrets",
    "Licenses",
    "Severity",
    "LOW",
    "Status",
    "Metadata",
    "RepoDigests",
    "ArtifactID",
    "CreatedAt",
    "@",
];

pub(crate) const CYCLONEDX: [&str; 2] = [
    r#"{"bomFormat": "CycloneDX", "specVersion": "1.6", "metadata": {
        "timestamp": "2026-03-01T10:00:00Z", "tools": {"components": [{"name": "syft", "version": "1.30.0"}]},
        "component": {"name": "web", "version": "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
          "hashes": [{"alg": "SHA-1", "content": "00"},
            {"alg": "SHA-256", "content": "CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC"}]}},
      "components": [{"name": "serde"}, {"name": "shop", "components": [{"name": "cart"}]}]}"#,
    r#"{"bomFormat": "CycloneDX", "specVersion": "1.4", "metadata": {"tools": [{"name": "©", "version": "1"}]}}"#,
];
pub(crate) const CYCLONEDX_WORDS: [&str; 13] = [
    "bomFormat",
    "specVersion",
    "components",
    "name",
    "version",
    "metadata",
    "tools",
    "component",
    "hashes",
    "alg",
    "SHA-256",
    "content",
    "signature",
];

pub(crate) const SPDX: [&str; 2] = [
    r#"{"spdxVersion": "SPDX-2.3", "name": "web", "creationInfo": {"created": "2026-03-01T10:00:00Z",
        "creators": ["Organization: Example", "Tool: sbom-tool-4.1.2"]}, "packages": [{"name": "serde"}, {"name": "tokio"}]}"#,
    r#"{"spdxVersion": "SPDX-2.2", "creationInfo": {"creators": ["Tool: -v1", "Tool: "]}}"#,
];
pub(crate) const SPDX_WORDS: [&str; 10] = [
    "spdxVersion",
    "creationInfo",
    "created",
    "creators",
    "Tool: ",
    "packages",
    "name",
    "SPDX-2.",
    "-",
    "v1",
];

pub(crate) const BASELINE: [&str; 2] = [
    r#"{"values/production.yaml": "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      "flags.json": "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}"#,
    "{}",
];
pub(crate) const BASELINE_WORDS: [&str; 5] = ["sha256:", "flags.json", "/", "~", " "];

pub(crate) const CHECK: [&str; 2] = [
    r#"{"who": "ada", "what": "the check-out on a phone", "result": "passed", "at": "2026-03-01T10:00:00Z", "note": "3 runs"}"#,
    r#"{"who": "bob", "what": "nothing", "result": "skipped"}"#,
];
pub(crate) const CHECK_WORDS: [&str; 9] = [
    "who", "what", "result", "at", "note", "passed", "failed", "skipped", "\u{85}",
];

pub(crate) const GENERIC: [&str; 3] = [
    r#"{"load": 70, "name": "peak", "counts": {"users": 12, "errors": -1}, "passed": true, "steps": [{"at": 1}, {"at": 2}]}"#,
    r#"{"load": 0, "passed": false, "tags": ["a", "b"]}"#,
    r#"{"load": 100, "other": {"deep": [[[1.5]]]}}"#,
];
pub(crate) const GENERIC_WORDS: [&str; 10] = [
    "load", "name", "counts", "passed", "steps", "at", "tags", "other", "users", "peak",
];

/// Schemas that the generic documents above conform to.
pub(crate) const SCHEMAS: [&str; 4] = [
    r##"{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "required": ["load"],
      "properties": {"load": {"$ref": "#/$defs/percent"}, "name": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 20},
        "steps": {"type": "array", "uniqueItems": true, "items": {"type": "object", "properties": {"at": {"multipleOf": 1}}}},
        "tags": {"prefixItems": [{"enum": ["a", 1, null]}], "contains": {"const": "b"}, "minContains": 1}},
      "$defs": {"percent": {"type": "integer", "minimum": 0, "exclusiveMaximum": 101}}}"##,
    r#"{"anyOf": [{"required": ["other"]}, {"not": {"required": ["other"]}}], "patternProperties": {"^l": {"type": "number"}},
      "propertyNames": {"maxLength": 10}, "dependentRequired": {"name": ["load"]}, "minProperties": 1}"#,
    r#"{"if": {"properties": {"passed": {"const": true}}}, "then": {"unevaluatedProperties": {}}, "else": {"required": ["load"]},
      "additionalProperties": {"oneOf": [{"type": ["array", "object"]}, {"type": ["number", "string", "boolean"]}]}}"#,
    "true",
];
pub(crate) const SCHEMA_WORDS: [&str; 40] = [
    "type",
    "object",
    "integer",
    "array",
    "string",
    "properties",
    "required",
    "items",
    "prefixItems",
    "contains",
    "minContains",
    "maxItems",
    "uniqueItems",
    "enum",
    "const",
    "pattern",
    "(a|b)*c{1,50}",
    "\\p{L}+",
    "(?=a)",
    "^(a+)+$",
    "format",
    "date-time",
    "regex",
    "multipleOf",
    "minimum",
    "exclusiveMaximum",
    "$ref",
    "#/$defs/percent",
    "#",
    "$defs",
    "anyOf",
    "allOf",
    "not",
    "if",
    "then",
    "unevaluatedProperties",
    "additionalProperties",
    "patternProperties",
    "dependentSchemas",
    "contentEncoding",
];

/// An in-toto statement about one digest, with SLSA provenance.
pub(crate) fn provenance() -> String {
    let predicate = json!({
        "buildDefinition": {"buildType": "https://ci.example/build/v1", "externalParameters": {"ref": "main"}},
        "runDetails": {"builder": {"id": "https://ci.example/runner"}, "metadata": {"finishedOn": "2026-03-01T10:00:00Z"}},
    });
    statement("v1", "https://slsa.dev/provenance/v1", &predicate).to_string()
}

/// The same in the versions before.
pub(crate) fn older_provenance() -> String {
    let predicate = json!({
        "builder": {"id": "https://ci.example/old"}, "buildType": "https://ci.example/build/v0",
        "metadata": {"buildFinishedOn": "2026-03-01T10:00:00Z"},
    });
    statement("v0.1", "https://slsa.dev/provenance/v0.2", &predicate).to_string()
}

/// A statement that carries another document.
pub(crate) fn attested(document: &str) -> String {
    let predicate = serde_json::from_str(document).unwrap();
    statement("v1", "https://example.org/attested", &predicate).to_string()
}

fn statement(version: &str, kind: &str, predicate: &Value) -> Value {
    json!({
        "_type": format!("https://in-toto.io/Statement/{version}"),
        "subject": [{"name": "web", "digest": {"sha512": "00", "sha256": bound_hex()}}],
        "predicateType": kind, "predicate": predicate,
    })
}

/// Not those of an envelope: a statement with such a key is one by itself, and none in an envelope.
pub(crate) const STATEMENT_WORDS: [&str; 18] = [
    "_type",
    "https://in-toto.io/Statement/v1",
    "v0.1",
    "subject",
    "digest",
    "sha256",
    "predicateType",
    "predicate",
    "https://slsa.dev/provenance/v1",
    "https://slsa.dev/provenance/v0.2",
    "runDetails",
    "builder",
    "id",
    "metadata",
    "finishedOn",
    "buildType",
    "scanner",
    "result",
];

/// What cosign signs.
pub(crate) fn simple_signing() -> String {
    json!({"critical": {
        "identity": {"docker-reference": "registry.example/web"}, "image": {"docker-manifest-digest": bound()},
        "type": "cosign container image signature",
    }, "optional": null})
    .to_string()
}

pub(crate) const SIGNING_WORDS: [&str; 14] = [
    "critical",
    "image",
    "docker-manifest-digest",
    "type",
    "cosign container image signature",
    "Base64Signature",
    "Payload",
    "payloadType",
    "payload",
    "signatures",
    "sig",
    "keyid",
    "dsseEnvelope",
    "messageSignature",
];

/// A process that says something of everything.
pub(crate) const PROCESSES: [&str; 2] = [
    r#"{"description": "from test to production", "stages": [
      {"name": "test", "place": {"tier": "test"}},
      {"name": "acceptance", "place": {"environment": "staging"}, "promotion": "automatic", "soak": "PT90M",
        "success_share": 90, "checklist": [{"name": "looked-at", "what": "it looks as it should", "role": "operator"}],
        "evidence": [{"kind": "test_report", "name": "unit", "of": "every_component", "max_age": "PT24H", "signed": true},
          {"kind": "scan", "of": "release"}]},
      {"name": "production", "place": {"tier": "production"}, "approvals": {"role": "authority", "count": 2},
        "strategy": {"waves": [{"name": "first", "match_labels": {"region": "eu"}, "max_parallel": 1, "max_failures": 0,
          "soak": "PT5M"}], "progress_deadline": "PT1H", "automatic_rollback": false}, "handover": true,
        "checklist": [{"name": "looked-at", "what": "fa:fa-bomb $$x$$ \\n #quot; \"]", "role": "operator"}]}]}"#,
    r#"{"description": "", "stages": [{"name": "anywhere", "place": "any"}]}"#,
];
pub(crate) const PROCESS_WORDS: [&str; 36] = [
    "description",
    "stages",
    "name",
    "place",
    "tier",
    "environment",
    "any",
    "test",
    "staging",
    "production",
    "promotion",
    "automatic",
    "manual",
    "soak",
    "PT5M",
    "PT2000000H",
    "success_share",
    "checklist",
    "what",
    "role",
    "viewer",
    "authority",
    "evidence",
    "manual_check",
    "signed",
    "max_age",
    "approvals",
    "count",
    "strategy",
    "waves",
    "progress_deadline",
    "handover",
    "fa:fa-bomb",
    "$$",
    "ﬂ°",
    "¶ß",
];
